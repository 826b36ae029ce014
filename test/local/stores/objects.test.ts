import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { openObjects } from '#local/stores/objects.ts';
import { dataFolder } from '../../support/run.ts';

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

function newFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'objects-'));
  folders.push(folder);
  return folder;
}

const large = (fill: number) => new Uint8Array(200_000).fill(fill);

test('no key reaches outside of the folder, and all keys are distinct', async () => {
  const parent = newFolder();
  const folder = join(parent, 'a', 'objects');
  const objects = openObjects(folder);
  const keys = ['../../x', '/etc/passwd', 'a', 'a/b', 'a/', 'A', 'a\\b', 'a//b', '.', '..', 'a\0b', 'ü', 'con:', '%2e'];
  for (const [index, key] of keys.entries()) await objects.put(key, large(index));
  for (const [index, key] of keys.entries()) assert.equal((await objects.get(key))!.body[0], index);
  assert.equal((await objects.list('')).length, keys.length);
  assert.deepEqual(
    readdirSync(folder).filter((name) => !name.startsWith('index.db')),
    ['bodies'],
  );
  assert.deepEqual([readdirSync(parent), readdirSync(join(parent, 'a'))], [['a'], ['objects']]);
});

test('a replaced or removed body leaves no file behind', async () => {
  const folder = newFolder();
  const objects = openObjects(folder);
  const { etag } = await objects.put('key', large(1));
  await objects.put('key', large(2), { ifMatch: etag });
  await assert.rejects(objects.put('key', large(3), { ifMatch: etag }));
  assert.equal(readdirSync(join(folder, 'bodies')).length, 1);
  await objects.put('key', 'small');
  assert.equal(readdirSync(join(folder, 'bodies')).length, 0);
  await objects.put('key', large(4));
  await objects.remove(['key', 'no such key']);
  assert.equal(readdirSync(join(folder, 'bodies')).length, 0);
});

test('a body that a killed put left behind is removed an hour later', async () => {
  const folder = newFolder();
  await openObjects(folder).put('key', large(1));
  const bodies = join(folder, 'bodies');
  const [kept] = readdirSync(bodies);
  for (const name of ['old', 'new']) writeFileSync(join(bodies, name), 'half a bo');
  const twoHoursAgo = Date.now() / 1000 - 7200;
  for (const name of ['old', kept]) utimesSync(join(bodies, name), twoHoursAgo, twoHoursAgo);
  const objects = openObjects(folder);
  assert.deepEqual(readdirSync(bodies).sort(), [kept, 'new'].sort());
  assert.equal((await objects.get('key'))!.body[0], 1);
});

test('a body that somebody removed is reported, not waited for', async () => {
  const folder = newFolder();
  const objects = openObjects(folder);
  await objects.put('key', large(1));
  for (const name of readdirSync(join(folder, 'bodies'))) rmSync(join(folder, 'bodies', name));
  await assert.rejects(objects.get('key'), /"key" is damaged: the body is missing/);
});

test('a key that is empty, too long or not valid text is refused', async () => {
  const objects = openObjects(newFolder());
  await assert.rejects(objects.put('', 'x'), /1 to 1024 bytes, not 0/);
  await assert.rejects(objects.put('é'.repeat(600), 'x'), /not 1200/);
  await assert.rejects(objects.put('a\ud800', 'x'), /not valid Unicode/);
});

const writer = `
  import { workerData } from 'node:worker_threads';
  const { openObjects } = await import(workerData.file);
  const objects = openObjects(workerData.folder);
  let won = 0;
  while (won < 20) {
    const held = await objects.get('counter');
    const body = new Uint8Array(workerData.bytes);
    const next = (held ? Number(Buffer.from(held.body.subarray(0, 8)).readBigUInt64LE()) : 0) + 1;
    new DataView(body.buffer).setBigUint64(0, BigInt(next), true);
    try {
      await objects.put('counter', body, held ? { ifMatch: held.etag } : { ifNoneMatch: '*' });
      won++;
    } catch (cause) {
      if (cause.name !== 'PreconditionFailed') throw cause;
    }
  }`;

for (const bytes of [8, 100_000])
  test(`of threads that increment a count in one object of ${bytes} bytes, none overwrites another's`, async () => {
    const folder = newFolder();
    const file = new URL('../../../infra/local/stores/objects.ts', import.meta.url).href;
    await Promise.all(
      Array.from({ length: 4 }, () => {
        const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(writer)}`), {
          workerData: { folder, file, bytes },
        });
        return new Promise((resolve, reject) => worker.on('error', reject).on('exit', resolve));
      }),
    );
    const { body } = (await openObjects(folder).get('counter'))!;
    assert.equal(Buffer.from(body).readBigUInt64LE(), 80n);
  });

test('a body that was changed on the disk is not served, small or large, whole or in part', async (t) => {
  const folder = dataFolder(t);
  const large = randomBytes(200_000);
  {
    const objects = openObjects(folder);
    await objects.put('large', large);
    await objects.put('small', 'a small body');
    assert.deepEqual(Buffer.from((await objects.get('large'))!.body), large);
  }
  const [name] = readdirSync(join(folder, 'bodies'));
  large[150_000] ^= 1;
  writeFileSync(join(folder, 'bodies', name), large);
  const database = new DatabaseSync(join(folder, 'index.db'));
  database.exec("UPDATE objects SET body = CAST('a smell body' AS BLOB) WHERE key = 'small'");
  database.close();
  const objects = openObjects(folder);
  await assert.rejects(objects.get('large'), { name: 'Damaged', message: /"large" is damaged.*npm run restore/ });
  await assert.rejects(objects.get('large', { start: 0, end: 10 }), { name: 'Damaged' });
  await assert.rejects(objects.get('small'), { name: 'Damaged' });
  await objects.put('large', 'anew');
  assert.deepEqual(Buffer.from((await objects.get('large'))!.body), Buffer.from('anew'));
});
