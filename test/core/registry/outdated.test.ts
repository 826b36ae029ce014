import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { clockSlackMs } from '#core/registry/image-graph.ts';
import { type ImageChange, type ImagePulls, outdated } from '#core/registry/outdated.ts';

const day = 86_400_000;
const now = 1000 * day;
const ago = (days: number) => now - days * day;

/** A user's pulls of `tag` (or of a digest alone); the first and last are so many days ago. */
const pulled = (
  user: string,
  image: string,
  first: number,
  last = first,
  more: Partial<ImagePulls> = {},
): ImagePulls => {
  const [tag, digest] = image.split('@');
  return {
    ...{ user, repository: 'db', class: 'human', firstPull: ago(first), lastPull: ago(last) },
    ...(tag ? { tag } : {}),
    ...(digest ? { digest } : {}),
    ...more,
  };
};
const change = (action: 'push' | 'delete', image: string, days: number): ImageChange => {
  const [tag, digest] = image.split('@');
  return { repository: 'db', action, last: ago(days), ...(tag ? { tag } : {}), ...(digest ? { digest } : {}) };
};
const found = (pulls: ImagePulls[], changes: ImageChange[] = [], of?: string) =>
  outdated(pulls, changes, { now, of }).map(({ user, tag = '', evidence }) => [user, tag, evidence]);

test('a digest is outdated when its tag has been pushed again since, whether pulled by tag or by digest', () => {
  const pushes = [change('push', '13@old', 20), change('push', '13@new', 6)];
  const evidence = { reason: 'pushed-anew', pushedAt: ago(6), digest: 'new' };
  assert.deepEqual(found([pulled('ann', '@old', 30, 2)], pushes), [['ann', '', evidence]]);
  assert.deepEqual(found([pulled('ann', '13@old', 30, 2)], pushes), [['ann', '13', evidence]]);
  for (const [why, pulls, changes] of [
    ['not pulled since the push', [pulled('ann', '@old', 30, 7)], pushes],
    ['updated since', [pulled('ann', '@old', 30, 2), pulled('ann', '13@new', 1)], pushes],
    ['the tag went back', [pulled('ann', '@old', 30, 2)], [...pushes, change('push', '13@old', 5)]],
    ['another tag still names it', [pulled('ann', '@old', 30, 2)], [...pushes, change('push', '13.1@old', 20)]],
    ['no push was reported', [pulled('ann', '@old', 30, 2)], [change('push', '13@new', 6)]],
    ['pulled long ago', [pulled('ann', '@old', 80, 40)], [change('push', '13@old', 90), change('push', '13@new', 60)]],
    ['within the clocks of two replicas', [pulled('ann', '13@old', 30, 6 - clockSlackMs / day)], pushes],
  ] as [string, ImagePulls[], ImageChange[]][])
    assert.deepEqual(found(pulls, changes), [], why);
});

test('a deleted tag, digest or repository is reported, unless pushed or pulled since', () => {
  const pulls = [pulled('ann', '13@a', 30, 8)];
  const push = change('push', '13@a', 40);
  for (const [image, what] of [
    ['13', 'tag'],
    ['@a', 'digest'],
    ['', 'repository'],
  ] as const) {
    const changes = [push, change('delete', image, 5)];
    assert.deepEqual(found(pulls, changes), [['ann', '13', { reason: 'deleted', deletedAt: ago(5), what }]], what);
    assert.deepEqual(found(pulls, [...changes, change('push', '13@b', 4)]), [], 'pushed since');
    assert.deepEqual(found([...pulls, pulled('ann', '14@c', 2)], changes), [], 'another tag is pulled since');
    assert.deepEqual(found([pulled('ann', '13@a', 30, 3)], changes), [], 'it was pulled since, so it exists');
  }
  assert.deepEqual(found(pulls, [push, change('delete', '13', 40)]), [], 'pushed in the same moment');
  const seconds = 1 / 86_400;
  for (const [after, reported] of [
    [clockSlackMs / 1000, 1],
    [clockSlackMs / 1000 + 0.001, 0],
  ])
    assert.equal(
      found([pulled('ann', '13@a', 30, 5 - after * seconds)], [push, change('delete', '13', 5)]).length,
      reported,
      'pulled meanwhile, by the clock of another replica',
    );
  assert.deepEqual(
    found(pulls, [push, change('delete', '12', 5), change('delete', '@z', 5)]),
    [],
    'another was deleted',
  );
});

test('when most users moved from one tag to another, this is reported with the numbers', () => {
  const moved = (user: string, more?: Partial<ImagePulls>) => [
    pulled(user, '13@a', 60, 40, more),
    pulled(user, '16@b', 20, 2, more),
  ];
  const ann = pulled('ann', '13@a', 60, 1);
  const evidence = { reason: 'others-moved', to: '16', moved: 2, others: 3 };
  const world = [ann, ...moved('bob'), ...moved('cid'), pulled('dan', '13@a', 50, 3)];
  assert.deepEqual(found(world, [], 'ann'), [['ann', '13', evidence]]);
  for (const [why, pulls] of [
    ['one user is not a majority', [ann, ...moved('bob')]],
    [
      'half is not a majority',
      [ann, ...moved('bob'), ...moved('cid'), pulled('dan', '13@a', 3), pulled('eve', '13@a', 3)],
    ],
    ['others of another kind', [ann, ...moved('bob', { class: 'ci' }), ...moved('cid', { class: 'ci' })]],
    ['the others still pull both', [ann, ...moved('bob'), pulled('cid', '13@a', 60, 1), pulled('cid', '16@b', 20, 2)]],
    ['ann pulls it, too', [...world, pulled('ann', '16@b', 10)]],
    ['ann moved elsewhere', [...world, pulled('ann', '17@c', 0.5)]],
    ['they moved to different tags', [ann, ...moved('bob'), pulled('cid', '13@a', 60, 40), pulled('cid', '17@c', 2)]],
    ['they moved in another repository', [ann, ...world.slice(1).map((row) => ({ ...row, repository: 'web' }))]],
  ] as [string, ImagePulls[]][])
    assert.deepEqual(found(pulls, [], 'ann'), [], why);
});

const image = fc.constantFrom('13@a', '13@b', '16@b', '16@c', '@a', '@b', '17');
const history = fc.record({
  pulls: fc.array(
    fc
      .record({
        user: fc.constantFrom('ann', 'bob', 'cid', 'dan'),
        image,
        first: fc.integer({ min: 0, max: 80 }),
        length: fc.integer({ min: 0, max: 60 }),
        class: fc.constantFrom('human' as const, 'ci' as const),
      })
      .map(({ user, image, first, length, class: kind }) =>
        pulled(user, image, first, Math.max(0, first - length), { class: kind }),
      ),
    { maxLength: 25, size: 'max' },
  ),
  changes: fc.array(
    fc
      .tuple(fc.constantFrom('push' as const, 'delete' as const), image, fc.integer({ min: 0, max: 80 }))
      .map(([action, image, days]) => change(action, image, days)),
    { maxLength: 12, size: 'max' },
  ),
});

test('nothing is reported without evidence, in whatever order things were stored', () => {
  fc.assert(
    fc.property(history, ({ pulls, changes }) => {
      const rows = outdated(pulls, changes, { now });
      assert.deepEqual(
        outdated(pulls.toReversed(), changes.toReversed(), { now }).map(({ evidence }) => evidence.reason),
        rows.map(({ evidence }) => evidence.reason),
      );
      for (const { evidence, ...row } of rows) {
        assert.ok(row.lastPull >= ago(30));
        const own = pulls.filter((one) => one.user === row.user && one.class === row.class);
        if (evidence.reason === 'pushed-anew') {
          const pushes = changes.filter(({ action }) => action === 'push');
          assert.ok(evidence.pushedAt < row.lastPull && evidence.digest !== row.digest);
          assert.ok(pushes.some(({ digest, last }) => digest === evidence.digest && last === evidence.pushedAt));
          assert.ok(pushes.some(({ digest, tag }) => digest === row.digest && tag !== undefined));
        } else if (evidence.reason === 'deleted') {
          assert.ok(changes.some(({ action, last }) => action === 'delete' && last === evidence.deletedAt));
          assert.ok(own.every(({ lastPull }) => lastPull <= evidence.deletedAt + 60_000));
        } else {
          const others = new Set(
            pulls
              .filter((one) => one.tag === row.tag && one.class === row.class && one.user !== row.user)
              .map(({ user }) => user),
          );
          assert.equal(evidence.others, others.size);
          assert.ok(evidence.moved >= 2 && evidence.moved * 2 > others.size && evidence.to !== row.tag);
          assert.ok(own.every(({ tag }) => tag !== evidence.to));
        }
      }
    }),
    { seed: 7, numRuns: 500 },
  );
});
