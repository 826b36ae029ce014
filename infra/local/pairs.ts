// npm run pairs -- FOLDER [--data DIR]: what training reads and what it made, in forms that other tools read.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { taughtClasses as classes } from '#core/event.ts';
import { decodeModel } from '#core/model.ts';
import { readModels } from '#core/models.ts';
import { encodeNpy } from '#core/npy.ts';
import { pairHead, pairLine } from '#train/pairs.ts';
import { usedFolder } from './folder.ts';
import { openStores } from './stores.ts';

const help = `usage: npm run pairs -- FOLDER [--data DIR]

Writes into FOLDER: pairs.csv and pairs.ndjson (user, repository, pulls, lastPull) as training reads them, and of the
model in service items.npy (float32, one row an image) and items.json (the images' names, in the same order).`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { data: { type: 'string', default: '.data' }, help: { type: 'boolean', short: 'h' } },
});
const [folder] = positionals;
if (values.help || folder === undefined) {
  console.log(help);
  process.exit(values.help ? 0 : 1);
}
const { search, objects } = openStores(usedFolder(values.data));
mkdirSync(folder, { recursive: true });
const text = { csv: [pairHead('csv')], ndjson: [pairHead('ndjson')] };
for await (const pair of search.pairs({ classes }))
  for (const format of ['csv', 'ndjson'] as const) text[format].push(pairLine(pair, format));
for (const format of ['csv', 'ndjson'] as const) writeFileSync(join(folder, `pairs.${format}`), text[format].join(''));
console.log(`${text.csv.length - 1} pairs`);

const { list } = await readModels(objects);
const found = list.current === undefined ? undefined : await objects.get(`models/${list.current}/model.bin`);
if (found) {
  const { items, factors, rank } = decodeModel(found.body);
  writeFileSync(join(folder, 'items.npy'), encodeNpy(factors, items.length, rank));
  writeFileSync(join(folder, 'items.json'), JSON.stringify(items));
  console.log(`factors of ${items.length} images, rank ${rank}, of model ${list.current}`);
} else console.log('no model is in service yet: run npm run train');
process.exit();
