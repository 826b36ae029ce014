import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { sameToken } from '#http/bearer.ts';
import { SettingError } from '#settings/error.ts';
import { keptToken, openFolder } from '../../../../infra/local/folder.ts';
import { openSeal } from '../../../../infra/local/stores/secrets/seal.ts';
import { keptSecret } from '../../../../infra/local/stores/secrets/secret.ts';
import { dataFolder } from '../../../support/run.ts';

test('a secret is made once, and is the same for every caller', (t) => {
  const folder = dataFolder(t);
  const token = keptToken(folder);
  assert.ok(token.length >= 32);
  assert.equal(keptToken(folder), token);
  assert.equal(statSync(join(folder, 'token')).mode & 0o777, 0o600);
});

test('an empty, short or unreadable token refuses to start, and names the file and the fix', (t) => {
  const folder = dataFolder(t);
  for (const text of [
    '',
    '\n',
    'short',
    ' '.repeat(64),
    `${'a'.repeat(31)}\n`,
    `${'a'.repeat(20)} ${'a'.repeat(20)}`,
  ]) {
    writeFileSync(join(folder, 'token'), text);
    assert.throws(
      () => keptToken(folder),
      (cause) => cause instanceof SettingError && /token holds \d+ characters.*Remove the file/.test(cause.message),
    );
  }
});

test('a truncated key is refused', (t) => {
  const folder = dataFolder(t);
  for (const bytes of [0, 1, 31, 33]) {
    writeFileSync(join(folder, 'key'), Buffer.alloc(bytes));
    assert.throws(() => openSeal(folder), new RegExp(`holds ${bytes} bytes instead of 32`));
  }
});

test("a secret that can't be written completely leaves nothing behind, and the next attempt makes it", (t) => {
  const folder = dataFolder(t);
  assert.throws(() =>
    keptSecret(folder, 'token', () => {
      throw new Error('no space left');
    }),
  );
  // A file that a killed writer left is not a secret.
  writeFileSync(join(folder, 'token-0123456789abcdef'), '');
  assert.deepEqual(readdirSync(folder), ['token-0123456789abcdef']);
  assert.equal(keptToken(folder), readFileSync(join(folder, 'token'), 'utf8').trim());
});

test('an empty secret never matches, whatever is given', () => {
  for (const given of ['', 'x', ' ']) assert.equal(sameToken(given, ''), false);
  assert.equal(sameToken('x', 'x'), true);
});

test('a data folder and its files, also those of an earlier run, are not readable by other users', (t) => {
  const folder = dataFolder(t);
  const before = process.umask(0o022);
  t.after(() => process.umask(before));
  mkdirSync(join(folder, 'objects/bodies'), { recursive: true, mode: 0o755 });
  for (const name of ['events.db', 'objects/bodies/one']) writeFileSync(join(folder, name), 'x', { mode: 0o644 });
  openFolder(folder);
  writeFileSync(join(folder, 'made-later'), 'x');
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true }))
    assert.equal(statSync(join(entry.parentPath, entry.name)).mode & 0o077, 0, entry.name);
  assert.equal(statSync(folder).mode & 0o777, 0o700);
});

test('what somebody else keeps in the folder stays as it is, as in a home or a project', (t) => {
  const folder = dataFolder(t);
  mkdirSync(join(folder, 'bin'));
  mkdirSync(join(folder, 'objects'));
  const modes: [name: string, before: number, after: number][] = [
    ['', 0o755, 0o755],
    ['bin', 0o755, 0o755],
    ['bin/tool', 0o755, 0o755],
    ['notes.md', 0o644, 0o644],
    ['events.db', 0o644, 0o600],
    ['events.db-wal', 0o644, 0o600],
    ['token', 0o644, 0o600],
    ['objects', 0o755, 0o700],
    ['objects/index.db', 0o644, 0o600],
  ];
  for (const [name, mode] of modes) {
    if (!['', 'bin', 'objects'].includes(name)) writeFileSync(join(folder, name), 'x');
    chmodSync(join(folder, name), mode);
  }
  symlinkSync(join(folder, 'bin/tool'), join(folder, 'search.db'));
  const before = process.umask();
  t.after(() => process.umask(before));
  openFolder(folder);
  for (const [name, , mode] of modes) assert.equal(statSync(join(folder, name)).mode & 0o777, mode, name);
});
