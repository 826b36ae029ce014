// Pages of lists: each item once, in order, whatever the size of a page.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { page, pageWithin, readCursor, shortPage } from '#core/cursor.ts';
import { BadCursor, type Page } from '#core/stores.ts';

interface Item {
  id: string;
  time: number;
}
const items = Array.from({ length: 7 }, (_, at): Item => ({ id: `é${7 - at}`, time: 200 - Math.floor(at / 2) }));
const before = (cursor?: string) => {
  const [time, id] = readCursor(cursor);
  return items.filter((item) => item.time < time || (item.time === time && item.id < id));
};
const ids = (found: Item[]) => found.map(({ id }) => id);

async function all(read: (cursor?: string) => Promise<Page<Item>>): Promise<string[][]> {
  const pages: string[][] = [];
  let cursor: string | undefined;
  do {
    const found = await read(cursor);
    pages.push(ids(found.items));
    cursor = found.cursor;
  } while (cursor !== undefined && pages.length < 20);
  return pages;
}

test('a page has at most its limit, and a cursor only where there is more', async () => {
  for (let limit = 1; limit <= items.length + 1; limit++) {
    const pages = await all(async (cursor) => page(before(cursor).slice(0, limit + 1), limit));
    assert.deepEqual(pages.flat(), ids(items));
    assert.equal(pages.length, Math.ceil(items.length / limit), `${limit}`);
  }
  assert.deepEqual(page([], 5), { items: [] });
});

test('a page ends at its limit or its bytes, whichever comes first, but has an item', async () => {
  async function* entries(cursor?: string) {
    yield* before(cursor);
  }
  const bytes = Buffer.byteLength(JSON.stringify(items[0]));
  for (const [limit, most, sizes] of [
    [3, 1e6, [3, 3, 1]],
    [7, 1e6, [7]],
    [8, 1e6, [7]],
    [5, 2 * bytes, [2, 2, 2, 1]],
    [5, 2 * bytes - 1, [1, 1, 1, 1, 1, 1, 1]],
    [5, 0, [1, 1, 1, 1, 1, 1, 1]],
    [1, 2 * bytes, [1, 1, 1, 1, 1, 1, 1]],
  ] as const) {
    const pages = await all((cursor) => shortPage(entries(cursor), limit, most));
    assert.deepEqual(
      pages.map(({ length }) => length),
      sizes,
      `${limit} ${most}`,
    );
    assert.deepEqual(pages.flat(), ids(items));
  }
});

test('a range begins at its first moment and ends before its last', async () => {
  const read = async ({ cursor, limit }: { cursor?: string; limit: number }) =>
    page(before(cursor).slice(0, limit + 1), limit);
  for (const from of [undefined, 196, 197, 198, 201])
    for (const to of [undefined, 197, 198, 201])
      for (const limit of [1, 2, 3, 7]) {
        const pages = await all((cursor) => pageWithin(read, { from, to, cursor, limit }));
        const inside = items.filter(({ time }) => time >= (from ?? 0) && time < (to ?? 1000));
        assert.deepEqual(pages.flat(), ids(inside), `${from} ${to} ${limit}`);
      }
});

test('a cursor that no page gave is a BadCursor; none is a time after everything', () => {
  assert.deepEqual(readCursor(), [Number.MAX_VALUE, '']);
  const cursor = page(items, 1).cursor as string;
  assert.deepEqual(readCursor(cursor), [200, 'é7']);
  assert.match(cursor, /^[\w-]+$/);
  const made = ['[1]', '[1,2]', '["1","a"]', '[1e999,"a"]', '{}', 'null'].map((text) =>
    Buffer.from(text).toString('base64url'),
  );
  for (const odd of ['', 'x', '%', ...made]) assert.throws(() => readCursor(odd), BadCursor, odd);
});
