import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { page, readCursor } from '#core/cursor.ts';
import { fittingPage } from '#serve/fitting.ts';

interface Item {
  id: string;
  time: number;
  fits: boolean;
}

/** A store of items, newest first, that counts how often it is read. */
function storeOf(items: Item[]) {
  const sorted = items.toSorted((a, b) => b.time - a.time || (a.id < b.id ? 1 : -1));
  let reads = 0;
  return {
    sorted,
    reads: () => reads,
    async read({ cursor, limit }: { cursor?: string; limit: number }) {
      reads++;
      const [time, id] = readCursor(cursor);
      return page(
        sorted.filter((item) => item.time < time || (item.time === time && item.id < id)),
        limit,
      );
    },
  };
}

test('the pages have every fitting item, once and in order', async () => {
  const item = fc.record({ time: fc.integer({ min: 0, max: 50 }), fits: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(item, { maxLength: 60 }), fc.integer({ min: 1, max: 9 }), async (items, limit) => {
      const { sorted, read } = storeOf(items.map((one, at) => ({ ...one, id: String(at).padStart(3, '0') })));
      const seen: Item[] = [];
      let cursor: string | undefined;
      do {
        const next = await fittingPage(read, ({ fits }) => fits, { cursor, limit });
        assert.ok(next.items.length <= limit);
        seen.push(...next.items);
        cursor = next.cursor;
      } while (cursor !== undefined);
      assert.deepEqual(
        seen,
        sorted.filter(({ fits }) => fits),
      );
    }),
  );
});

test('when nothing fits, a page ends after a limited read, and its cursor says where to continue', async () => {
  const items = Array.from({ length: 5000 }, (_, at) => ({ id: String(at), time: at, fits: at === 0 }));
  const store = storeOf(items);
  const pages: number[] = [];
  let cursor: string | undefined;
  do {
    const before = store.reads();
    const next = await fittingPage(store.read, ({ fits }) => fits, { cursor, limit: 5 });
    assert.ok(store.reads() - before <= 10);
    pages.push(next.items.length);
    cursor = next.cursor;
  } while (cursor !== undefined);
  assert.deepEqual(pages, [0, 0, 1]);
});
