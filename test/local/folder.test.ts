// Commands beside a server run as the user that owns the data folder.
import assert from 'node:assert/strict';
import { chownSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { usedFolder } from '../../infra/local/folder.ts';
import { openStores } from '../../infra/local/stores/stores.ts';
import { dataFolder, runScript } from '../support/run.ts';

test("root's commands leave only files that another user's server can read", {
  skip: process.getuid?.() !== 0 && "only root can leave files that another user can't read",
}, async (t) => {
  const folder = dataFolder(t);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'events.db'), '');
  chownSync(join(folder, 'events.db'), 65532, 65532);
  chownSync(folder, 65532, 65532);
  for (const args of [['token', 'add', '--registry', 'default'], ['train'], ['backup', join(folder, 'copy')]]) {
    const { code, output } = await runScript(`local/commands/${args[0]}.ts`, [...args.slice(1), '--data', folder]);
    assert.equal(code, 1, args[0]);
    assert.match(output, /^--data \S+ belongs to user 65532, and this is root: [^\n]* sudo -u '#65532'\n$/);
  }
  assert.deepEqual(readdirSync(folder), ['events.db']);
  chownSync(join(folder, 'events.db'), 0, 0);
  assert.equal(statSync(usedFolder(folder)).uid, 65532, 'root may use a data folder whose files belong to root');
});

test('a data folder that is not a folder, or is missing, is named', (t) => {
  const folder = dataFolder(t);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'file');
  writeFileSync(file, '');
  t.after(() => rmSync(file, { force: true }));
  for (const data of [file, join(folder, 'nothing')])
    assert.throws(() => usedFolder(data), /^SettingError: --data \S+ holds no data: name the folder/);
});

test('many may look at once whether the folder takes what is written', async (t) => {
  const { ready } = openStores(dataFolder(t));
  for (let round = 0; round < 5; round++) await Promise.all(Array.from({ length: 20 }, () => ready()));
});
