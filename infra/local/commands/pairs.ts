// npm run pairs -- FOLDER [--data DIR] [--opensearch URL]: what training reads and what it made, in forms that other tools read.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { taughtClasses as classes } from '#core/event.ts';
import { decodeModel } from '#core/recommender/model-file.ts';
import { modelKey, readModels } from '#core/recommender/model-list.ts';
import { encodeNpy } from '#core/recommender/npy.ts';
import { flagLayer, resolveLayers } from '#settings/read.ts';
import type { ResolvedSettings } from '#settings/schema.ts';
import { pairHead, pairLine } from '#train/pairs.ts';
import { usedFolder } from '../folder.ts';
import { parseFlags } from '../settings.ts';
import { openStores } from '../stores/stores.ts';

const help = `usage: npm run pairs -- FOLDER [--data DIR] [--opensearch URL]

Writes into FOLDER: pairs.csv and pairs.ndjson (user, repository, pulls, days, firstPull, lastPull) as training reads them, and of the
model in service items.npy (float32, one row an image) and items.json (the images' names, in the same order).`;

try {
  const { values, positionals } = parseFlags({
    allowPositionals: true,
    options: {
      data: { type: 'string' },
      opensearch: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const [folder] = positionals;
  if (values.help) console.log(help);
  else if (folder === undefined) throw new Error(`no folder is named\n\n${help}`);
  else await write(folder, resolveLayers([flagLayer(values)]));
} catch (cause) {
  console.error(cause instanceof Error ? cause.message : cause);
  process.exitCode = 1;
}
process.exit();

async function write(folder: string, { data, opensearch }: ResolvedSettings): Promise<void> {
  const { search, objects } = openStores(usedFolder(data), opensearch);
  mkdirSync(folder, { recursive: true });
  const text = { csv: [pairHead('csv')], ndjson: [pairHead('ndjson')] };
  for await (const pair of search.pairs({ classes }))
    for (const format of ['csv', 'ndjson'] as const) text[format].push(pairLine(pair, format));
  for (const format of ['csv', 'ndjson'] as const)
    writeFileSync(join(folder, `pairs.${format}`), text[format].join(''));
  console.log(`${text.csv.length - 1} pairs`);

  const { list } = await readModels(objects);
  if (list.current === undefined) {
    console.log('no model is in service yet: run npm run train');
    return;
  }
  const key = modelKey(list.current);
  const found = await objects.get(key);
  if (!found) throw new Error(`${key} of the model in service is missing: run npm run train`);
  const model = decodeModel(found.body);
  writeFileSync(join(folder, 'items.json'), JSON.stringify(model.items));
  if (model.kind !== 'als') {
    console.log(`model ${list.current} is of kind ${model.kind}: it has no factors to write`);
    return;
  }
  const { items, factors, rank } = model;
  writeFileSync(join(folder, 'items.npy'), encodeNpy(factors, items.length, rank));
  console.log(`factors of ${items.length} images, rank ${rank}, of model ${list.current}`);
}
