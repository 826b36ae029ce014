import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { latestKey } from '#core/models.ts';
import { openObjects } from '#local/objects.ts';
import { dataFolder, runScript } from '../run.ts';

test('tune and pairs say in one line what they cannot do, and fail', { timeout: 120_000 }, async (t) => {
  const folder = dataFolder(t);
  const used = join(folder, 'used');
  mkdirSync(used);
  writeFileSync(join(used, 'events.db'), '');
  writeFileSync(join(folder, 'file'), '');
  for (const [script, args, reason] of [
    ['tune.ts', ['--foo'], /^Unknown option '--foo'\. See --help\.\n$/],
    ['tune.ts', ['--data', folder], /^--data .* holds no data: [^\n]*\n$/],
    ['tune.ts', ['--data', used, '--opensearch', 'there'], /^--opensearch "there" is no URL: [^\n]*\n$/],
    // Nobody listens there: the pulls of the data folder are not taken instead.
    ['tune.ts', ['--data', used, '--opensearch', 'http://127.0.0.1:9'], /^fetch failed\n$/],
    ['pairs.ts', ['out', '--foo'], /^Unknown option '--foo'\. See --help\.\n$/],
    ['pairs.ts', ['--data', used], /^no folder is named\n\nusage: /],
    ['pairs.ts', [join(folder, 'out'), '--data', folder], /^--data .* holds no data: [^\n]*\n$/],
    ['pairs.ts', [join(folder, 'file/out'), '--data', used], /^E[A-Z]+: [^\n]*\n$/],
    ['pairs.ts', [join(folder, 'out'), '--data', used, '--opensearch', 'there'], /^--opensearch "there" is no URL/],
    ['pairs.ts', [join(folder, 'out'), '--data', used, '--opensearch', 'http://127.0.0.1:9'], /^fetch failed\n$/],
  ] as const) {
    const { code, output } = await runScript(script, [...args]);
    assert.equal(code, 1, output);
    assert.match(output, reason, args.join(' '));
  }
});

test('pairs tells a model whose file is missing from none', { timeout: 60_000 }, async (t) => {
  const folder = dataFolder(t);
  writeFileSync(join(folder, 'events.db'), '');
  const out = join(folder, 'out');
  const none = await runScript('pairs.ts', [out, '--data', folder]);
  assert.equal(none.code, 0, none.output);
  assert.equal(none.output, '0 pairs\nno model is in service yet: run npm run train\n');
  assert.ok(existsSync(join(out, 'pairs.csv')));
  const objects = openObjects(join(folder, 'objects'));
  await objects.put(latestKey, JSON.stringify({ current: 'lost', cards: [] }));
  const lost = await runScript('pairs.ts', [out, '--data', folder]);
  assert.equal(lost.code, 1, lost.output);
  assert.match(lost.output, /^0 pairs\nmodels\/lost\/model\.bin of the model in service is missing: [^\n]*\n$/);
});
