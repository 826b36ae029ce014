// What a read of unused images computes again, and what it keeps.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RepositoryImages } from '#core/registry/images.ts';
import { stampChange } from '#local/stores/search/counted.ts';
import { unusedRead } from '#local/stores/search/unused-read.ts';

const day = 86_400_000;
const names = ['a', 'b', 'c', 'd'];

/** Four repositories in which images were pushed on days 0 to 11 in turn; pulled last on day 100. */
function world(kept: number) {
  const images = new Map(
    names.map((repository, n): [string, RepositoryImages] => {
      const facts = [n, n + 4, n + 8].map((time) => ({
        ...{ action: 'push' as const, class: 'ci' as const, apart: false, time: time * day, digest: `sha256:${time}` },
      }));
      return [repository, { repository, facts, manifests: [] }];
    }),
  );
  const stamps = new Map(names.map((name) => [name, stampChange]));
  const read: string[] = [];
  const unused = unusedRead(
    {
      repositories: () =>
        [...images.keys()].map((repository) => ({ repository, stamp: stamps.get(repository)!, lastPull: 100 * day })),
      read(repository) {
        read.push(repository);
        return images.get(repository)!;
      },
      isPushed: () => true,
    },
    kept,
  );
  return {
    images,
    /** The days of the pushes of the images, and the repositories that were read for that. */
    async unused(limit: number, since = 50 * day) {
      const rows = await unused({ since, limit });
      return [rows.map(({ lastPush }) => lastPush / day), read.splice(0)];
    },
    /** Deletes an image. */
    remove(time: number) {
      const repository = names[time % 4];
      const removed = { action: 'delete' as const, class: 'ci' as const, apart: false, time: 40 * day };
      images.get(repository)!.facts.push({ ...removed, digest: `sha256:${time}` });
      stamps.set(repository, stamps.get(repository)! + stampChange);
    },
  };
}

test('a read computes only the unused images of repositories that changed', async () => {
  const { images, unused, remove } = world(100);
  assert.deepEqual(await unused(2), [[0, 1], names]);
  assert.deepEqual(await unused(3), [[0, 1, 2], []]);
  assert.deepEqual(await unused(3, 50 * day + 1), [[0, 1, 2], []]);
  remove(1);
  assert.deepEqual(await unused(3), [[0, 2, 3], ['b']]);
  images.delete('a');
  assert.deepEqual(await unused(3), [[2, 3, 5], []]);
  // Another number of days.
  assert.deepEqual(await unused(3, 49 * day), [
    [2, 3, 5],
    ['b', 'c', 'd'],
  ]);
  assert.deepEqual(await unused(3), [[2, 3, 5], []]);
});

test('of unused images only the oldest are kept; when too few of these are left, all are computed again', async () => {
  const { unused, remove } = world(3);
  assert.deepEqual(await unused(2), [[0, 1], names]);
  remove(0);
  assert.deepEqual(await unused(2), [[1, 2], ['a']]);
  remove(1);
  assert.deepEqual(await unused(2), [
    [2, 3],
    ['b', ...names],
  ]);
  assert.deepEqual(await unused(8), [[2, 3, 4, 5, 6, 7, 8, 9], names]);
  assert.deepEqual(await unused(20), [[2, 3, 4, 5, 6, 7, 8, 9, 10, 11], []]);
});

test('while unused images are computed, other work has a turn; reads at the same time compute them once', async () => {
  const { unused } = world(100);
  let isOver = false;
  const both = Promise.all([unused(2), unused(2)]).finally(() => {
    isOver = true;
  });
  let turns = 0;
  while (!isOver) {
    await new Promise((resolve) => setImmediate(resolve));
    turns++;
  }
  assert.ok(turns >= names.length, `${turns}`);
  assert.deepEqual(
    (await both).map(([, read]) => read),
    [names, []],
  );
});
