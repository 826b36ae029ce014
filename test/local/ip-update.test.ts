import assert from 'node:assert/strict';
import { copyFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { installedTable, installTable, ipTableBuiltAt } from '#local/ip-table.ts';
import { localLocator } from '#local/stages/locator.ts';
import { writeMmdb } from '../support/mmdb.ts';
import { dataFolder, eventually, runScript } from '../support/run.ts';

test('a newer IP table is used while the server runs; an invalid file changes nothing', async (t) => {
  const folder = dataFolder(t);
  writeFileSync(join(folder, 'events.db'), '');
  const locator = await localLocator({ folder, networks: {}, report: assert.ifError });
  const before = locator.locate('81.2.69.142');
  assert.notEqual(before?.country, 'NZ');
  const packaged = await ipTableBuiltAt(folder);

  const database = join(folder, 'city.mmdb');
  // 81.0.0.0/8
  const record = { location: { latitude: -41, longitude: 174 }, country: { iso_code: 'NZ' } };
  writeFileSync(database, writeMmdb(4, [{ bits: (81).toString(2).padStart(8, '0'), record }]));
  const wrong = join(folder, 'wrong.mmdb');
  writeFileSync(wrong, 'no database');
  const update = (...args: string[]) => runScript('local/commands/ip-update.ts', [...args, '--data', folder]);
  const refused = await update(wrong);
  assert.equal(refused.code, 1);
  assert.match(refused.output, /wrong\.mmdb is not a City database/);
  assert.match((await update(join(folder, 'nothing'))).output, /nothing does not exist: name an \.mmdb file/);
  assert.equal(installedTable(folder), undefined);
  assert.equal(await ipTableBuiltAt(folder), packaged);

  const done = await update(database);
  assert.equal(done.code, 0, done.output);
  await eventually(
    20,
    async () => locator.locate('81.2.69.142')?.country,
    (country) => country === 'NZ',
  );
  assert.notEqual(await ipTableBuiltAt(folder), packaged);

  // Only the last two tables are kept.
  for (const n of [1, 2, 3]) {
    await installTable(folder, n, async (path) => copyFileSync(installedTable(folder)!, path));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(readdirSync(join(folder, 'geo')).filter((name) => name.endsWith('.bin')).length, 2);
  assert.equal(await ipTableBuiltAt(folder), 3);
});
