// Recounting what an older version stored, in any steps, gives what a fresh replay of the same events stores.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import fc from 'fast-check';
import type { Pull, StoredEvent } from '#core/event.ts';
import { clientOf } from '#core/registry/classify.ts';
import { isManifestPull, pullsOf } from '#core/registry/pull.ts';
import type { SearchChange } from '#core/stores.ts';
import { openEvents } from '#local/stores/events.ts';
import { openObjects } from '#local/stores/objects.ts';
import { openSearch } from '#local/stores/search/search.ts';
import { storeEvents } from '#process/pulls.ts';
import { type RecountOptions, recount } from '#process/recount.ts';

const root = mkdtempSync(join(tmpdir(), 'recount-'));
after(() => rmSync(root, { recursive: true }));
const start = Date.parse('2026-05-20T12:00:00Z');
const index = 'application/vnd.oci.image.index.v1+json';
const everything = [0, Number.MAX_SAFE_INTEGER] as const;

const traffic = fc
  .array(
    fc.record({
      gap: fc.oneof(fc.constantFrom(0, 100, 1000, 2000, 60_000), fc.nat(90_000)),
      action: fc.constantFrom('pull', 'pull', 'pull', 'push', 'delete'),
      method: fc.constantFrom('HEAD', 'GET'),
      tag: fc.constantFrom(undefined, undefined, '1', '2'),
      digest: fc.constantFrom('root', 'amd', 'arm'),
      told: fc.boolean(),
      user: fc.constantFrom('ann', 'ann', 'bo', ''),
      repository: fc.constantFrom('a/b', 'a/b', 'c'),
      userAgent: fc.constantFrom('docker/27', 'crane/1'),
      address: fc.constantFrom('192.0.2.1', '192.0.2.2'),
    }),
    { minLength: 1, maxLength: 20, size: 'max' },
  )
  .map((rows) => {
    let time = start;
    return rows.map(({ gap, action, told, ...row }, at) => {
      time += gap;
      // A digest always names the same content; whether the content is reported varies.
      const references = told ? (row.digest === 'root' ? ['amd', 'arm'] : []) : undefined;
      const kind = action === 'delete' ? ('other' as const) : ('manifest' as const);
      const base = { kind, mediaType: index, source: '' };
      return { ...base, ...row, references, action: action as 'pull' | 'push' | 'delete', id: `id${at}`, time };
    });
  });

/** What an older version said of events otherwise. */
const differences: Partial<StoredEvent>[] = [
  { class: 'scanner', client: 'old' },
  { class: 'scanner' },
  { client: 'old' },
  {},
];

/** Classified by a rule that differs from today's. */
const classify: RecountOptions['classify'] = ({ method, user }) =>
  method === 'HEAD' ? 'version-check' : user === 'bo' ? 'ci' : 'human';

async function contents(events: ReturnType<typeof openEvents>, search: ReturnType<typeof openSearch>) {
  const counts: unknown[] = [];
  for (const by of ['class', 'tag', 'client'] as const) {
    const { total, uncertain, buckets } = await search.counts({ by });
    counts.push({ ...total }, uncertain, buckets);
  }
  const pulls: Pull[] = [];
  const classes: string[] = [];
  for (const user of ['ann', 'bo', ''])
    for (const repository of ['a/b', 'c']) {
      pulls.push(...(await events.pulls(user, repository, ...everything)));
      for (const event of await events.events(user, repository, ...everything)) classes.push(event.class);
    }
  return { counts, pulls, classes, unused: await search.unused({ since: start + 1e10, limit: 100 }) };
}

test('recounting old data equals a fresh replay, however often it is stopped', { timeout: 300_000 }, async () => {
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(traffic, fc.integer({ min: 1, max: 5 }), fc.nat(6), async (list, eventsAtOnce, stopAfter) => {
      const options = { locator: { locate: () => undefined }, classify, pullWindowSeconds: 2 };
      const fresh = { events: openEvents(':memory:', () => start), search: openSearch(':memory:') };
      const delivered = list.map((event, at) => ({ event, origin: `s:${at}:0` }));
      await storeEvents(delivered, { ...fresh, ...options });

      // The older version: another class, each event a separate pull, no manifests, and no `apart`.
      const old = { events: openEvents(':memory:', () => start), search: openSearch(':memory:') };
      const stored: StoredEvent[] = [];
      for (const user of ['ann', 'bo', ''])
        for (const repository of ['a/b', 'c']) {
          const own = await fresh.events.events(user, repository, ...everything);
          const told = own.map((event, at): StoredEvent => ({ ...event, ...differences[at % differences.length] }));
          stored.push(...told);
          const pulls = told.filter(isManifestPull).flatMap((event) => pullsOf([event]));
          if (pulls.length > 0)
            await old.events.replacePulls([{ user, repository, version: 0, remove: [], put: pulls }]);
          const changes = pulls.map((doc): SearchChange => ({ kind: 'pull', id: doc.id, version: 1, doc }));
          await old.search.write(changes);
        }
      await old.events.put(stored);
      await old.search.write(stored.map((doc): SearchChange => ({ kind: 'event', id: doc.id, version: 0, doc })));

      const objects = openObjects(join(root, String(runs++)));
      let left = stopAfter;
      const search = {
        ...old.search,
        async write(changes: SearchChange[]) {
          if (left-- === 0) throw new Error('killed');
          await old.search.write(changes);
        },
      };
      const rewritten: string[] = [];
      const events = {
        ...old.events,
        async rewrite(changed: StoredEvent[]) {
          rewritten.push(...changed.map(({ id }) => id));
          await old.events.rewrite(changed);
        },
      };
      const run = () => recount({ ...options, ...old, events, search, objects, clock: () => start, eventsAtOnce });
      await run().catch(run);
      assert.deepEqual(await contents(old.events, old.search), await contents(fresh.events, fresh.search));
      assert.deepEqual(await objects.list('recount/'), [], 'its progress is removed');
      const different = stored.filter(({ id, class: kind, client }) => {
        const now = list.find((event) => event.id === id);
        return now && (kind !== classify(now) || client !== clientOf(now.userAgent));
      });
      assert.deepEqual(rewritten.sort(), different.map(({ id }) => id).sort(), 'only what changes is written');
    }),
    { seed: 1, numRuns: Number(process.env.FUZZ_RUNS ?? 60) },
  );
});

test('a user forgotten while it runs stays forgotten', async () => {
  const stores = { events: openEvents(':memory:', () => start), search: openSearch(':memory:') };
  const options = { locator: { locate: () => undefined }, classify, pullWindowSeconds: 2 };
  const event = { id: '1', time: start, action: 'pull', kind: 'manifest', method: 'GET', tag: '1' } as const;
  const more = { repository: 'r', user: 'ann', userAgent: 'docker/27', address: '', source: '' };
  await storeEvents([{ event: { ...event, ...more }, origin: 's:1:0' }], { ...stores, ...options });
  const search = {
    ...stores.search,
    async write(changes: SearchChange[]) {
      // In the very moment in which it began.
      await stores.events.markForgotten('ann', start);
      await stores.events.forget('ann');
      await stores.search.forget('ann');
      await stores.search.write(changes);
    },
  };
  await recount({ ...stores, ...options, search, objects: openObjects(join(root, 'forgotten')), clock: () => start });
  assert.equal((await stores.search.counts({ user: 'ann' })).total.raw, 0);
});

test('a user who was forgotten before it began keeps what came since', async () => {
  const stores = { events: openEvents(':memory:', () => start), search: openSearch(':memory:') };
  const options = { locator: { locate: () => undefined }, classify, pullWindowSeconds: 2 };
  const event = { id: '1', time: start, action: 'pull', kind: 'manifest', method: 'GET', tag: '1' } as const;
  const more = { repository: 'r', user: 'ann', userAgent: 'docker/27', address: '', source: '' };
  await stores.events.markForgotten('ann', start - 1);
  await storeEvents([{ event: { ...event, ...more }, origin: 's:1:0' }], { ...stores, ...options });
  await recount({ ...stores, ...options, clock: () => start });
  assert.equal((await stores.search.counts({ user: 'ann' })).total.raw, 1);
});

test('a run that was stopped continues in the page of pairs where it stopped, and says how far it was', async () => {
  const stores = { events: openEvents(':memory:', () => start), search: openSearch(':memory:') };
  const options = { locator: { locate: () => undefined }, classify, pullWindowSeconds: 2 };
  const pairs = 250;
  const more = { userAgent: 'docker/27', address: '', source: '', action: 'pull', kind: 'manifest' } as const;
  const events = Array.from({ length: pairs }, (_, n) => ({
    event: { id: `${n}`, time: start, method: 'GET', tag: '1', user: 'ann', repository: `r${n}`, ...more } as const,
    origin: `s:${n}:0`,
  }));
  await storeEvents(events, { ...stores, ...options });
  const objects = openObjects(join(root, 'pages'));
  const counted: string[] = [];
  let left = 0;
  const run = async (until: number, continues?: (pairs: number) => void) => {
    left = until;
    const events = {
      ...stores.events,
      async eventsAfter(...[user, repository, after, limit]: Parameters<typeof stores.events.eventsAfter>) {
        if (after === undefined) {
          if (left-- === 0) throw new Error('killed');
          counted.push(repository);
        }
        return stores.events.eventsAfter(user, repository, after, limit);
      },
    };
    return recount({
      ...{ ...stores, ...options, events, objects, clock: () => start },
      continues: (done) => continues?.(done.pairs),
    });
  };
  const continued: number[] = [];
  // In the first page, in the second, and in the third.
  for (const until of [30, 120, 80])
    await assert.rejects(
      run(until, (pairs) => continued.push(pairs)),
      /killed/,
    );
  const { pairs: done, events: seen } = await run(pairs, (pairs) => continued.push(pairs));
  assert.deepEqual([done, seen], [pairs, pairs]);
  assert.deepEqual(continued, [29, 149, 229], 'a first run continues nothing; the pair that was under way is not done');
  assert.equal(new Set(counted).size, pairs);
  assert.equal(counted.length, pairs, 'what is done is not done again');
});
