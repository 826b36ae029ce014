import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { latestKey } from '#core/recommender/model-list.ts';
import { openObjects } from '#local/stores/objects.ts';
import { openSearch } from '#local/stores/search/search.ts';
import { readPairs } from '#train/pairs.ts';
import { pull, start } from '../../contracts/samples.ts';
import { dataFolder, runScript } from '../../support/run.ts';

test("tune and pairs say in one line why they can't run, and fail", { timeout: 120_000 }, async (t) => {
  const folder = dataFolder(t);
  const used = join(folder, 'used');
  mkdirSync(used);
  writeFileSync(join(used, 'events.db'), '');
  writeFileSync(join(folder, 'file'), '');
  const none = join(folder, 'none.csv');
  writeFileSync(none, 'user,repository,pulls,days,firstPull,lastPull\n');
  for (const [script, args, reason] of [
    ['local/commands/tune.ts', ['--foo'], /^Unknown option '--foo'\. See --help\.\n$/],
    ['local/commands/tune.ts', ['--data', folder], /^--data .* holds no data: [^\n]*\n$/],
    [
      'local/commands/tune.ts',
      ['--data', used, '--opensearch', 'there'],
      /^--opensearch is "there": must be a URL: [^\n]*\n$/,
    ],
    // Nothing listens there: the command must not use the data folder's pulls instead.
    [
      'local/commands/tune.ts',
      ['--data', used, '--opensearch', 'http://127.0.0.1:9'],
      /^POST \/whalewatch-documents\/_search: no response\n$/,
    ],
    ['local/commands/tune.ts', [none], /^.*none\.csv has no pulls of named users: [^\n]*\n$/],
    ['local/commands/pairs.ts', ['out', '--foo'], /^Unknown option '--foo'\. See --help\.\n$/],
    ['local/commands/pairs.ts', ['--data', used], /^no folder is named\n\nusage: /],
    ['local/commands/pairs.ts', [join(folder, 'out'), '--data', folder], /^--data .* holds no data: [^\n]*\n$/],
    ['local/commands/pairs.ts', [join(folder, 'file/out'), '--data', used], /^E[A-Z]+: [^\n]*\n$/],
    [
      'local/commands/pairs.ts',
      [join(folder, 'out'), '--data', used, '--opensearch', 'there'],
      /^--opensearch is "there": must be a URL/,
    ],
    [
      'local/commands/pairs.ts',
      [join(folder, 'out'), '--data', used, '--opensearch', 'http://127.0.0.1:9'],
      /^POST \/whalewatch-documents\/_search: no response\n$/,
    ],
  ] as const) {
    const { code, output } = await runScript(script, [...args]);
    assert.equal(code, 1, output);
    assert.match(output, reason, args.join(' '));
  }
});

test('pairs distinguishes a model whose file is missing from no model', { timeout: 60_000 }, async (t) => {
  const folder = dataFolder(t);
  writeFileSync(join(folder, 'events.db'), '');
  const out = join(folder, 'out');
  const none = await runScript('local/commands/pairs.ts', [out, '--data', folder]);
  assert.equal(none.code, 0, none.output);
  assert.equal(none.output, '0 pairs\nno model is in service yet: run npm run train\n');
  assert.ok(existsSync(join(out, 'pairs.csv')));
  const objects = openObjects(join(folder, 'objects'));
  await objects.put(latestKey, JSON.stringify({ current: 'lost', cards: [] }));
  const lost = await runScript('local/commands/pairs.ts', [out, '--data', folder]);
  assert.equal(lost.code, 1, lost.output);
  assert.match(lost.output, /^0 pairs\nmodels\/lost\/model\.bin of the model in service is missing: [^\n]*\n$/);
});

test('all pairs are in both files, also when they are written in parts', { timeout: 60_000 }, async (t) => {
  const folder = dataFolder(t);
  writeFileSync(join(folder, 'events.db'), '');
  const search = openSearch(join(folder, 'search.db'));
  const name = (n: number) => String(n).padStart(5, '0');
  await search.write(
    Array.from({ length: 15_000 }, (_, n) => ({
      ...{ kind: 'pull', id: `p${n}`, version: 1 },
      doc: pull(`p${n}`, start, { user: `user-${name(n)}`, repository: 'team/app' }),
    })),
  );
  const out = join(folder, 'out');
  const { code, output } = await runScript('local/commands/pairs.ts', [out, '--data', folder]);
  assert.equal(code, 0, output);
  assert.match(output, /^15000 pairs\n/);
  for (const format of ['csv', 'ndjson'] as const)
    assert.deepEqual(
      readPairs(readFileSync(join(out, `pairs.${format}`), 'utf8'), format).map(({ user }) => user),
      Array.from({ length: 15_000 }, (_, n) => `user-${name(n)}`),
    );
});
