// npm run tune -- [FILE] [--data DIR] [--opensearch URL] [--trials N] [--seconds S] [--seed N] [--by time]: looks for
// better settings of training.
import { readFileSync } from 'node:fs';
import { taughtClasses as classes } from '#core/event.ts';
import type { Pair } from '#core/stores.ts';
import { SettingError } from '#settings/error.ts';
import { flagLayer, resolveLayers } from '#settings/read.ts';
import type { ResolvedSettings } from '#settings/schema.ts';
import { readPairs } from '#train/pairs.ts';
import { advice, table, tune } from '#train/tune.ts';
import { trainSeed } from '../defaults.ts';
import { usedFolder } from '../folder.ts';
import { clock, openStores } from '../stores/stores.ts';
import { runCommand } from './command.ts';

const help = `usage: npm run tune -- [FILE] [--data DIR] [--opensearch URL] [--trials 24] [--seconds 300] [--seed N]
       [--by chance|time]

Lets the candidates of training compete on the pulls of the data folder or --opensearch, or on FILE (.csv or .ndjson with
user, repository, pulls, days, firstPull, lastPull): ALS, item-kNN, EASE, a blend of these, and popularity, each with the best
settings found (--trials: settings tried for each). Prints all of them, best NDCG@10 first: on a tenth held out by chance, or
with --by time on the newest tenth by first pull. It changes nothing.`;

const flags = {
  opensearch: { type: 'string' },
  trials: { type: 'string', default: '24' },
  seconds: { type: 'string', default: '300' },
  seed: { type: 'string', default: String(trainSeed) },
  by: { type: 'string', default: 'chance' },
} as const;

await runCommand(help, flags, async (values, [file]) => {
  const [trials, seconds, seed] = (['trials', 'seconds', 'seed'] as const).map((name) => {
    if (!/^\d{1,9}$/.test(values[name]))
      throw new SettingError(`--${name} is "${values[name]}": must be an integer from 0 to 999999999`);
    return Number(values[name]);
  });
  const { by, data, opensearch } = values;
  if (by !== 'chance' && by !== 'time') throw new SettingError(`--by is "${by}": must be chance or time`);
  const pairs = file
    ? readPairs(readFileSync(file, 'utf8'), /\.csv$/i.test(file) ? 'csv' : 'ndjson')
    : await stored(resolveLayers([flagLayer({ data, opensearch })]));
  if (pairs.length === 0)
    throw new SettingError(
      `${file ?? `--data ${data}`} has no pulls of named users: there is nothing to compare models on`,
    );
  const outcome = tune({ pairs, trials, seconds, seed, by, clock, log: console.log });
  return `\nbest first:\n${table(outcome.candidates)}\n\n${advice(outcome)}`;
});

async function stored({ data, opensearch }: ResolvedSettings): Promise<Pair[]> {
  const pairs: Pair[] = [];
  for await (const pair of openStores(usedFolder(data), opensearch).search.pairs({ classes })) pairs.push({ ...pair });
  return pairs;
}
