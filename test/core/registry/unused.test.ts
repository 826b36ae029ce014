// What is in use and what is unused: on small repositories with a known answer, then on random ones compared with
// reachability.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ImageFact, ManifestInfo } from '#core/registry/images.ts';
import {
  candidatesIn,
  imagesIn,
  isDeleted,
  oldestOf,
  oldestUnused,
  unusedAsOf,
  unusedImages,
} from '#core/registry/unused.ts';

const index = 'application/vnd.oci.image.index.v1+json';
const manifest = 'application/vnd.oci.image.manifest.v1+json';
const day = 86_400_000;
const since = 30 * day;
const hex = (letter: string) => `sha256:${letter.repeat(64)}`;

const image = (letter: string, more: Partial<ManifestInfo> = {}): ManifestInfo => ({
  ...{ digest: hex(letter), mediaType: manifest, references: [], runs: true, size: 10 },
  ...more,
});
const indexOf = (letter: string, ...children: string[]) =>
  image(letter, { mediaType: index, references: children.map(hex), size: undefined });
const push = (letter: string, tag?: string, time = day): ImageFact => fact('push', letter, tag, time);
const pull = (letter: string, tag?: string, more: Partial<ImageFact> = {}): ImageFact => ({
  ...fact('pull', letter, tag, since + 1),
  ...more,
});
const remove = (letter?: string, tag?: string, time = 2 * day): ImageFact => fact('delete', letter, tag, time);
function fact(
  action: ImageFact['action'],
  letter: string | undefined,
  tag: string | undefined,
  time: number,
): ImageFact {
  return {
    ...{ action, time, class: 'human', apart: false },
    ...(letter ? { digest: hex(letter) } : {}),
    ...(tag ? { tag } : {}),
  };
}
const unused = (facts: ImageFact[], manifests: ManifestInfo[]) =>
  unusedImages({ repository: 'r', facts, manifests }, since);
const names = (facts: ImageFact[], manifests: ManifestInfo[]) =>
  unused(facts, manifests)
    .map(({ tag, digest }) => `${tag ?? ''}@${digest?.[7] ?? ''}`)
    .sort();

const multi = [push('a'), push('b'), push('c', 'multi')];
const multiInfos = [image('a'), image('b'), indexOf('c', 'a', 'b')];

test('use flows along references both ways', () => {
  assert.deepEqual(names(multi, multiInfos), ['@a', '@b', 'multi@c']);
  for (const used of ['a', 'b', 'c']) assert.deepEqual(names([...multi, pull(used)], multiInfos), [], used);
  assert.deepEqual(names([...multi, pull('a', undefined, { apart: true })], multiInfos).length, 3, 'its own read-back');
  assert.deepEqual(names([...multi, pull('a', undefined, { class: 'scanner' })], multiInfos).length, 3);
});

test('an image in use keeps what describes it: by tag, by subject, or with neither', () => {
  const facts = [push('a', '1'), push('b', `sha256-${'a'.repeat(64)}.sig`), push('c'), push('d')];
  const loose = image('d', { runs: false });
  const infos = [image('a'), image('b', { runs: false }), image('c', { runs: false, subject: hex('a') }), loose];
  assert.deepEqual(names([...facts, pull('a', '1')], infos), []);
  const rows = unused(facts, infos);
  assert.equal(rows.length, 4);
  const of = (letter: string) => rows.find(({ digest }) => digest === hex(letter));
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((letter) => of(letter)?.confidence),
    ['known', 'known', 'known', 'unknown references'],
  );
  assert.match(of('b')?.reason ?? '', /^describes sha256:aaaaaaaaaaaa, which is not in use either; never pulled$/);
});

test('a tag that was pulled without its digest is the manifest that has it, and no image beside it', () => {
  const bare: ImageFact = { ...pull('a', '1'), digest: undefined, time: 2 * day };
  const only: ImageFact = { ...fact('push', undefined, '2', day) };
  assert.deepEqual(names([push('a', '1'), bare], [image('a')]), ['1@a']);
  assert.deepEqual(names([bare, push('a', '1', 3 * day)], [image('a')]), ['1@a']);
  assert.deepEqual(names([fact('push', undefined, '1', day), push('a', '1', 3 * day)], [image('a')]), ['1@a']);
  // Whose digest was never reported is known by its tag.
  assert.deepEqual(names([only], []), ['2@']);
  assert.deepEqual(names([only, { ...bare, tag: '2' }], []), ['2@']);
});

test('an index of the referrers fallback keeps what it lists', () => {
  const facts = [push('a', '1'), push('b'), push('c', `sha256-${'a'.repeat(64)}`), pull('a', '1')];
  assert.deepEqual(names(facts, [image('a'), image('b', { runs: false }), indexOf('c', 'b')]), []);
});

test('images whose references were not reported are listed without confidence', () => {
  const confidence = (infos: ManifestInfo[]) =>
    unused([push('a', '1'), push('b', '2')], infos).map((row) => row.confidence);
  assert.deepEqual(confidence([image('a'), image('b')]), ['known', 'known']);
  assert.deepEqual(confidence([image('a'), image('b', { references: undefined })]), ['known', 'unknown references']);
  const unknown = ['unknown references', 'unknown references'];
  assert.deepEqual(confidence([image('a'), image('b', { mediaType: index, references: undefined })]), unknown);
  assert.deepEqual(confidence([image('a')]), unknown, 'it may be an index');
  assert.deepEqual(
    unused([push('a', '1'), pull('a', '1', { class: 'mirror' })], [image('a')]).map((row) => row.confidence),
    ['pulled by a mirror'],
  );
});

test('a moved tag leaves its old image, and a pull of the tag uses the image it pointed to then', () => {
  const facts = [push('a', 'latest'), push('b', 'latest', 2 * day), pull('b', 'latest')];
  const [row, ...more] = unused(facts, [image('a'), image('b')]);
  assert.deepEqual(more, []);
  assert.deepEqual([row.tag, row.digest, row.size], [undefined, hex('a'), 10]);
  assert.equal(row.reason, 'its tag points to a newer image; never pulled');
  const bare: ImageFact = { ...pull('a', 'latest'), digest: undefined };
  assert.deepEqual(names([...facts, bare], [image('a'), image('b')]), [], 'which of both was pulled is not known');
});

test('a deleted image is gone until it is pushed again', () => {
  const infos = multiInfos;
  assert.deepEqual(names([...multi, remove('c')], infos), [], 'deleting an index deletes its platforms');
  assert.deepEqual(names([...multi, remove(undefined, 'multi')], infos), []);
  assert.deepEqual(names([...multi, remove()], infos), []);
  for (const gone of [remove('c'), remove(undefined, 'multi'), remove()]) {
    assert.equal(isDeleted({ repository: 'r', facts: [...multi, gone], manifests: infos }), true);
    const again = push('c', 'multi', 3 * day);
    assert.equal(isDeleted({ repository: 'r', facts: [...multi, gone, again], manifests: infos }), false);
  }
  assert.equal(isDeleted({ repository: 'r', facts: multi, manifests: infos }), false);
  assert.deepEqual(names([...multi, push('c', 'other'), remove(undefined, 'multi')], infos), ['@a', '@b', 'other@c']);
});

// --- properties -------------------------------------------------------------------------------------------------------

const letters = ['a', 'b', 'c', 'd', 'e', 'f'];
const tags = ['1', '2', ...letters.slice(0, 3).map((letter) => `sha256-${letter.repeat(64)}.sig`)];
const world = fc.record({
  infos: fc.tuple(
    ...letters.map((letter, at) =>
      fc
        .record({
          isIndex: fc.boolean(),
          told: fc.integer({ min: 0, max: 9 }).map((n) => n > 0),
          children: fc.subarray(letters.slice(0, at)),
          subject: fc.option(fc.constantFrom(...letters), { nil: undefined }),
          runs: fc.boolean(),
        })
        .map(({ isIndex, told, children, subject, runs }) =>
          image(letter, {
            mediaType: isIndex ? index : manifest,
            references: told ? (isIndex ? children.map(hex) : []) : undefined,
            subject: isIndex || subject === letter ? undefined : subject && hex(subject),
            runs,
          }),
        ),
    ),
  ),
  facts: fc.array(
    fc
      .record({
        action: fc.constantFrom('push', 'push', 'push', 'pull', 'delete'),
        letter: fc.option(fc.constantFrom(...letters), { nil: undefined, freq: 8 }),
        tag: fc.option(fc.constantFrom(...tags), { nil: undefined, freq: 1 }),
        time: fc.integer({ min: 0, max: 40 }).map((n) => n * day),
        kind: fc.constantFrom('human', 'ci', 'cluster', 'scanner', 'signature', 'mirror'),
        apart: fc.constantFrom(false, false, true),
      })
      .map(
        ({ action, letter, tag, time, kind, apart }): ImageFact => ({
          ...fact(action as ImageFact['action'], letter, tag, time),
          ...{ class: kind as ImageFact['class'], apart: action === 'pull' && apart },
        }),
      ),
    { maxLength: 20, size: 'max' },
  ),
});

test('what is unused as of any time is among the candidates, and says since when', () => {
  fc.assert(
    fc.property(world, fc.integer({ min: -1, max: 42 }), ({ infos, facts }, days) => {
      const images = { repository: 'r', facts, manifests: infos };
      const asOf = candidatesIn(images)
        .filter(({ usedAt }) => usedAt < days * day)
        .map((candidate) => unusedAsOf(candidate, days * day));
      assert.deepEqual(asOf, unusedImages(images, days * day));
    }),
    { numRuns: 1000 },
  );
});

test('no listed image is reachable from one in use, and the order of facts does not matter', () => {
  let listed = 0;
  fc.assert(
    fc.property(world, fc.infiniteStream(fc.nat()), ({ infos, facts }, random) => {
      const rows = unused(facts, infos);
      listed += rows.length;
      const shuffled = facts.map((one) => ({ one, at: random.next().value })).sort((a, b) => a.at - b.at);
      const again = unused(
        shuffled.map(({ one }) => one),
        infos,
      );
      const key = (row: object) => JSON.stringify(row);
      assert.deepEqual(again.map(key).sort(), rows.map(key).sort());

      // By brute force: every existing image that was used reaches others along references, subjects and tags, in both
      // directions.
      const use = facts.filter(
        ({ action, class: kind, apart, time }) =>
          time >= since &&
          (action === 'push' || (action === 'pull' && !apart && ['human', 'ci', 'cluster'].includes(kind))),
      );
      const lastDelete = (digest: string, tag?: string) =>
        Math.max(
          -1,
          ...facts
            .filter(({ action, digest: d, tag: t }) => action === 'delete' && (d ? d === digest : !t || t === tag))
            .map(({ time }) => time),
        );
      const reached = new Set(
        use
          .filter(({ digest, tag, time }) => digest && time > lastDelete(digest, tag) + day)
          .map(({ digest }) => digest!),
      );
      const gone = (digest: string) => {
        const seen = facts
          .filter(({ action, digest: d }) => d === digest && action !== 'delete')
          .map(({ time }) => time);
        return Math.max(-1, ...seen) <= Math.max(...[...tags, undefined].map((tag) => lastDelete(digest, tag)));
      };
      const edges = infos.flatMap(({ digest, references = [], subject }) =>
        gone(digest) ? [] : [...references, ...(subject ? [subject] : [])].map((other) => [digest, other]),
      );
      for (let before = -1; before !== reached.size; ) {
        before = reached.size;
        for (const [a, b] of edges)
          if (reached.has(a) || reached.has(b)) {
            reached.add(a);
            reached.add(b);
          }
      }
      for (const row of rows) {
        assert.ok(!reached.has(row.digest ?? ''), `${key(row)} is in use`);
        assert.ok(row.reason !== '');
        const described = /^sha256-(\w{64})/.exec(row.tag ?? '')?.[1];
        if (described) assert.ok(!reached.has(`sha256:${described}`), `${key(row)} describes what is in use`);
        const info = infos.find(({ digest }) => digest === row.digest);
        if (row.confidence === 'known' && info?.mediaType === index) assert.ok(info.references);
      }
    }),
    { seed: 1, numRuns: Number(process.env.FUZZ_RUNS ?? 3000) },
  );
  assert.ok(listed > 1000, 'enough unused images were listed to prove anything');
});

test('an image deleted at the moment of its last push is gone; a push or a pull a moment later brings it back', () => {
  const gone = (...facts: ImageFact[]) => isDeleted({ repository: 'r', facts, manifests: [image('a')] });
  assert.equal(gone(push('a', '1', day), remove('a', undefined, day)), true);
  assert.equal(gone(push('a', '1', day), remove('a', undefined, day - 1)), false);
  assert.equal(gone(push('a', '1', day), remove('a', undefined, day), push('a', '1', day + 1)), false);
  assert.equal(gone(push('a', '1', day), remove(undefined, '1', day)), true);
  assert.equal(gone(push('a', '1', day), remove(undefined, '1', day - 1)), false);
});

test('of the unused images of many repositories the oldest pushes are listed, up to the limit, of one registry if it is named', async () => {
  const repositories = ['east//a', 'b', 'east//c'].map((repository, n) => ({
    ...{
      repository,
      facts: [push('a', '1', day + n), push('b', '2', day + 10 - n)],
      manifests: [image('a'), image('b')],
    },
  }));
  const of = async (registry?: string) => {
    const found: string[] = [];
    for await (const { repository } of imagesIn(repositories, registry)) found.push(repository);
    return found;
  };
  assert.deepEqual(await of(), ['east//a', 'b', 'east//c']);
  assert.deepEqual(await of('east'), ['east//a', 'east//c']);
  assert.deepEqual(await of('default'), ['b']);
  const all = await oldestUnused(repositories, { since, limit: 100 });
  assert.deepEqual(
    all.map(({ repository, tag }) => `${repository}:${tag}`),
    ['east//a:1', 'b:1', 'east//c:1', 'east//c:2', 'b:2', 'east//a:2'],
  );
  assert.deepEqual(await oldestUnused(repositories, { since, limit: 2 }), all.slice(0, 2));
  assert.deepEqual(oldestOf([all.slice(3), all.slice(0, 3)], 4), all.slice(0, 4));
  // Far more images than are asked for: none of the oldest may be cut on the way.
  const many = Array.from({ length: 1500 }, (_, n) => ({
    ...{ repository: `r${n}`, facts: [push('a', '1', day + 1500 - n)], manifests: [image('a')] },
  }));
  assert.deepEqual(
    (await oldestUnused(many, { since, limit: 2 })).map(({ repository }) => repository),
    ['r1499', 'r1498'],
  );
});
