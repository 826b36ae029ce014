// The contract of the object store: what every stage relies on in each implementation. `make` returns an empty store
// for a test.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ObjectStore, PreconditionFailed } from '#core/stores.ts';
import { byText } from './samples.ts';

export function objectContract(name: string, make: () => Promise<ObjectStore>): void {
  const text = (found: { body: Uint8Array } | undefined) => found && Buffer.from(found.body).toString();

  test(`${name}: get returns what was put, with its ETag and size`, async () => {
    const store = await make();
    const body = Uint8Array.from({ length: 100_000 }, (_, index) => index % 251);
    const options = { contentType: 'application/json', cacheControl: 'max-age=2', contentEncoding: 'gzip' };
    const { etag } = await store.put('points.bin', body, options);
    const found = await store.get('points.bin');
    assert.deepEqual([Uint8Array.from(found!.body), found!.etag], [body, etag]);
    const info = await store.head('points.bin');
    assert.deepEqual([info!.key, info!.etag, info!.size], ['points.bin', etag, 100_000]);
    assert.ok(Number.isFinite(info!.modified));
    assert.match(etag, /^"[^"]+"$/, 'quoted, as in an HTTP header');
  });

  test(`${name}: text is stored as UTF-8, and a body may be empty`, async () => {
    const store = await make();
    await store.put('text', '🐳');
    await store.put('empty', '');
    assert.deepEqual([text(await store.get('text')), (await store.head('text'))!.size], ['🐳', 4]);
    assert.deepEqual([text(await store.get('empty')), (await store.head('empty'))!.size], ['', 0]);
  });

  test(`${name}: a missing object is undefined`, async () => {
    const store = await make();
    assert.equal(await store.get('nothing'), undefined);
    assert.equal(await store.get('nothing', { start: 0, end: 5 }), undefined);
    assert.equal(await store.head('nothing'), undefined);
    assert.deepEqual(await store.list('nothing'), []);
  });

  for (const size of [10, 200_000])
    test(`${name}: a range of ${size} bytes begins at start and ends before end`, async () => {
      const store = await make();
      const body = Uint8Array.from({ length: size }, (_, index) => index % 251);
      await store.put('key', body);
      for (const [from, to] of [
        [0, size],
        [0, 1],
        [3, 7],
        [size - 1, size],
        [5, size + 100],
        [4, 4],
        [size, size + 5],
        [size + 3, size + 5],
      ])
        assert.deepEqual(
          Uint8Array.from((await store.get('key', { start: from, end: to }))!.body),
          body.slice(from, to),
          `${from} to ${to}`,
        );
    });

  test(`${name}: If-None-Match puts only a new object`, async () => {
    const store = await make();
    await store.put('key', 'first', { ifNoneMatch: '*' });
    await assert.rejects(store.put('key', 'second', { ifNoneMatch: '*' }), PreconditionFailed);
    assert.equal(text(await store.get('key')), 'first');
    await store.remove(['key']);
    await store.put('key', 'third', { ifNoneMatch: '*' });
    assert.equal(text(await store.get('key')), 'third');
  });

  test(`${name}: If-Match replaces only the version that it names`, async () => {
    const store = await make();
    await assert.rejects(store.put('key', 'x', { ifMatch: '"0"' }), PreconditionFailed, 'nothing is there');
    const first = await store.put('key', 'first');
    const second = await store.put('key', 'second', { ifMatch: first.etag });
    assert.notEqual(second.etag, first.etag);
    await assert.rejects(store.put('key', 'third', { ifMatch: first.etag }), PreconditionFailed);
    assert.equal(text(await store.get('key')), 'second');
    assert.equal((await store.get('key'))!.etag, second.etag);
    await store.remove(['key']);
    await assert.rejects(store.put('key', 'fourth', { ifMatch: second.etag }), PreconditionFailed);
  });

  test(`${name}: of concurrent writers that increment a count in one object, none overwrites another's`, async () => {
    const store = await make();
    const count = async () => {
      for (let won = 0; won < 3; ) {
        const held = await store.get('counter');
        const next = String(Number(text(held) ?? 0) + 1);
        try {
          await store.put('counter', next, held ? { ifMatch: held.etag } : { ifNoneMatch: '*' });
          won++;
        } catch (cause) {
          if (!(cause instanceof PreconditionFailed)) throw cause;
        }
      }
    };
    await Promise.all([count(), count(), count(), count()]);
    assert.equal(text(await store.get('counter')), '12');
  });

  test(`${name}: a list has all keys under a prefix, sorted`, async () => {
    const store = await make();
    const keys = [
      'deltas',
      'deltas/b/2',
      'deltas/a/1',
      'deltas/ü',
      'deltas/\u{1F433}',
      'deltas/\uFF5E',
      'deltas2',
      'a',
      'd',
    ];
    for (const key of keys) await store.put(key, key);
    const listed = await store.list('deltas/');
    assert.deepEqual(
      listed.map(({ key }) => key),
      keys.filter((key) => key.startsWith('deltas/')).sort(byText),
    );
    for (const { key, etag, size } of listed) {
      assert.equal(size, Buffer.byteLength(key));
      assert.equal(etag, (await store.head(key))!.etag);
    }
    assert.equal((await store.list('')).length, keys.length);
  });

  test(`${name}: listing and removing work beyond a thousand keys`, async () => {
    const store = await make();
    const keys = Array.from({ length: 1003 }, (_, n) => `many/${String(n).padStart(4, '0')}`);
    for (let from = 0; from < keys.length; from += 50)
      await Promise.all(keys.slice(from, from + 50).map((key) => store.put(key, '')));
    assert.deepEqual(
      (await store.list('many/')).map(({ key }) => key),
      keys,
    );
    await store.remove(keys.slice(1));
    assert.deepEqual(
      (await store.list('')).map(({ key }) => key),
      [keys[0]],
    );
  });

  test(`${name}: a key may be any text, and removing a missing one is not an error`, async () => {
    const store = await make();
    const keys = ['a b+c', 'ä/ö', 'q?x=1&y#z', '%2F', "it's", '(1)', 'a//b', 'A', 'a'];
    for (const key of keys) await store.put(key, key);
    for (const key of keys) assert.equal(text(await store.get(key)), key);
    await store.remove([keys[0], 'nothing']);
    await store.remove([]);
    assert.deepEqual(
      (await store.list('')).map(({ key }) => key),
      keys.slice(1).sort(byText),
    );
  });
}
