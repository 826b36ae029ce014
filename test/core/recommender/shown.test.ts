import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addFollowed, followedWithinDays, shownKeptDays, withShown } from '#core/recommender/shown.ts';
import type { ShownList } from '#core/stores.ts';

const day = 86_400_000;
const now = 1000 * day + 5;
const shownBy = (source: string, ...repositories: string[]) =>
  repositories.map((repository) => ({ repository, source }));

test('a list is stored once a day, and again when it shows something new', () => {
  const first = withShown(undefined, { user: 'ann', list: 'one', items: shownBy('ease', 'a', 'b') }, now)!;
  assert.deepEqual(
    first.items.map(({ repository, from, to }) => [repository, from, to]),
    [
      ['a', now, now],
      ['b', now, now],
    ],
  );
  const later = now + 60_000;
  assert.equal(withShown(first, { user: 'ann', list: 'one', items: shownBy('ease', 'b') }, later), undefined);
  const more = withShown(first, { user: 'ann', list: 'two', items: shownBy('popular', 'b', 'c') }, later)!;
  const of = (list: ShownList, name: string) => list.items.find(({ repository }) => repository === name);
  assert.deepEqual(of(more, 'b'), { repository: 'b', source: 'ease', from: now, to: later }, 'who suggested it first');
  assert.deepEqual(of(more, 'c'), { repository: 'c', source: 'popular', from: later, to: later });
  const next = withShown(first, { user: 'ann', list: 'one', items: shownBy('ease', 'a') }, now + day)!;
  assert.deepEqual(of(next, 'a'), { repository: 'a', source: 'ease', from: now, to: now + day });
  const old = withShown(
    first,
    { user: 'ann', list: 'n', items: shownBy('ease', 'z') },
    now + (shownKeptDays + 1) * day,
  );
  assert.deepEqual(
    old?.items.map(({ repository }) => repository),
    ['z'],
    'repositories shown long ago are dropped',
  );
});

test('what is stored of a user is bounded, whatever and however often they ask', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 100 }), (requests, length) => {
      let known: ShownList | undefined;
      for (let n = 0; n < requests; n++) {
        const items = Array.from({ length }, (_, at) => ({ repository: `r${n * length + at}`, source: 'als' }));
        known = withShown(known, { user: 'ann', list: `${n}`, items }, now + n) ?? known;
      }
      assert.equal(known!.items.length, Math.min(200, requests * length));
      assert.ok(
        known!.items.some(({ repository }) => repository === `r${requests * length - 1}`),
        'the newest stay',
      );
    }),
    { seed: 8, numRuns: 40 },
  );
});

test('a first pull within days of being shown counts for the source that suggested it; other pulls do not', () => {
  const shown = { source: 'ease', from: now - 9 * day, to: now - 8 * day };
  const items = [
    { ...shown, repository: 'followed' },
    { ...shown, repository: 'late' },
    { ...shown, repository: 'never' },
    { ...shown, repository: 'before' },
    { ...shown, repository: 'popular', source: 'popular' },
    { ...shown, repository: 'long ago', to: now - (shownKeptDays + 1) * day },
  ];
  const firstPulls = new Map([
    ['followed', shown.to + followedWithinDays * day],
    ['late', shown.to + followedWithinDays * day + 1],
    ['before', shown.from - 1],
    ['popular', shown.from],
    ['long ago', shown.from],
    ['not shown', shown.from],
  ]);
  const sums = {};
  addFollowed(sums, { items }, (repository) => firstPulls.get(repository), now);
  addFollowed(sums, { items: [{ ...shown, repository: 'x' }] }, () => undefined, now);
  assert.deepEqual(sums, { ease: { shown: 5, followed: 1 }, popular: { shown: 1, followed: 1 } });
});
