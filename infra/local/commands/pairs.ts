// npm run pairs -- FOLDER [--data DIR] [--opensearch URL]: exports what training reads and the factors it made, in
// formats that other tools read.
import { appendFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { taughtClasses as classes } from '#core/event.ts';
import { decodeModel } from '#core/recommender/model-file.ts';
import { modelKey, readModels } from '#core/recommender/model-list.ts';
import { encodeNpy } from '#core/recommender/npy.ts';
import type { Pair } from '#core/stores.ts';
import { SettingError } from '#settings/error.ts';
import { flagLayer, resolveLayers } from '#settings/read.ts';
import type { ResolvedSettings } from '#settings/schema.ts';
import { type PairFormat, pairHead, pairLine } from '#train/pairs.ts';
import { usedFolder } from '../folder.ts';
import { openStores } from '../stores/stores.ts';
import { runCommand } from './command.ts';

const help = `usage: npm run pairs -- FOLDER [--data DIR] [--opensearch URL]

Writes into FOLDER: pairs.csv and pairs.ndjson (user, repository, pulls, days, firstPull, lastPull) as training reads
them, and from the model in service items.npy (float32, one row per repository) and items.json (the repositories' names,
in the same order).`;

/** Characters that are written at once: millions of pairs are more than one text can hold. */
const atOnce = 1_000_000;

await runCommand(help, { opensearch: { type: 'string' } }, async ({ data, opensearch }, [folder]) => {
  if (folder === undefined) throw new SettingError(`no folder is named\n\n${help}`);
  return write(folder, resolveLayers([flagLayer({ data, opensearch })]));
});

/** Makes a file of pairs, which is there once all of them are. */
function pairFile(path: string, format: PairFormat) {
  const draft = `${path}.partial`;
  let text = '';
  const write = () => {
    appendFileSync(draft, text);
    text = '';
  };
  writeFileSync(draft, pairHead(format));
  return {
    add(pair: Pair) {
      text += pairLine(pair, format);
      if (text.length >= atOnce) write();
    },
    end() {
      write();
      renameSync(draft, path);
    },
  };
}

/** Returns the line that says what was written. */
async function write(folder: string, { data, opensearch }: ResolvedSettings): Promise<string> {
  const { search, objects } = openStores(usedFolder(data), opensearch);
  mkdirSync(folder, { recursive: true });
  const files = (['csv', 'ndjson'] as const).map((format) => pairFile(join(folder, `pairs.${format}`), format));
  let pairs = 0;
  for await (const pair of search.pairs({ classes })) {
    pairs++;
    for (const { add } of files) add(pair);
  }
  for (const { end } of files) end();
  console.log(`${pairs} pairs`);

  const { list } = await readModels(objects);
  if (list.current === undefined) return 'no model is in service yet: run npm run train';
  const key = modelKey(list.current);
  const found = await objects.get(key);
  if (!found) throw new Error(`${key} of the model in service is missing: run npm run train`);
  const model = decodeModel(found.body);
  writeFileSync(join(folder, 'items.json'), JSON.stringify(model.items));
  if (model.kind !== 'als') return `model ${list.current} is of kind ${model.kind}: it has no factors to write`;
  const { items, factors, rank } = model;
  writeFileSync(join(folder, 'items.npy'), encodeNpy(factors, items.length, rank));
  return `factors of ${items.length} repositories, rank ${rank}, of model ${list.current}`;
}
