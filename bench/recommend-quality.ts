// npm run bench -- recommend-quality [--seeds 3 --from 1] [--sets deb-maint,movielens,communities] [--budget 60]
//                                    [--no-rivals]
// A set is also a file of pairs: --sets pairs.csv, as `npm run tune` takes it. The served model against EASE, item-kNN,
// ALS and weighted ALS, each tuned in Python (bench/recommend-quality/rivals.py). A tenth of the pairs is held out; all
// models learn and choose their settings from the rest alone, and are judged by the code that judges training. The last
// line: {set: {model: {ndcg10, recall20, auc}}}, means over the seeds.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { seeded } from '#core/bytes/random.ts';
import type { Scores } from '#core/recommender/model-list.ts';
import { servedModel } from '#core/recommender/served.ts';
import { fitSetting, seedAls } from '#train/candidates.ts';
import { byFirstPull, compete, foldsOf, roundsFor } from '#train/compete.ts';
import { byServing, scorer, trainingOf } from '#train/evaluate.ts';
import { communities, entriesOf, movieLens, pairsFile, type World } from './als/worlds.ts';
import { packages } from './recommend-quality/packages.ts';
import { rivalScores } from './recommend-quality/rivals.ts';

const { values: flags } = parseArgs({
  allowNegative: true,
  options: {
    seeds: { type: 'string', default: '3' },
    from: { type: 'string', default: '1' },
    sets: { type: 'string', default: 'deb-maint,movielens,communities' },
    budget: { type: 'string', default: '60' },
    rivals: { type: 'boolean', default: true },
  },
});
const venv = join(import.meta.dirname, '..', '.venv', 'bench');
const python = join(venv, 'bin', 'python');
if (!existsSync(python)) execFileSync('python3', ['-m', 'venv', venv], { stdio: 'inherit' });
if (flags.rivals && spawnSync(python, ['-c', 'import implicit, irspack']).status !== 0)
  execFileSync(python, ['-m', 'pip', 'install', '-q', 'implicit==0.7.3', 'irspack==0.5.2'], { stdio: 'inherit' });

const worlds: Record<string, () => World | undefined> = {
  'deb-maint': packages,
  movielens: () => movieLens(python, venv),
  communities: () => communities(5000, 1000, 140_000),
};

const figures: Record<string, Record<string, unknown>> = {};
for (const name of flags.sets.split(',')) {
  const world = /\.(csv|ndjson)$/i.test(name) ? pairsFile(name) : worlds[name]?.();
  if (!world) {
    console.log(`${name}: not available on this machine`);
    continue;
  }
  const found = new Map<string, Scores[]>();
  for (let seed = Number(flags.from); seed < Number(flags.from) + Number(flags.seeds); seed++)
    for (const [model, scores] of Object.entries(round(world, seed)))
      found.set(model, [...(found.get(model) ?? []), scores]);
  figures[name] = summary(found);
}
console.log(JSON.stringify(figures));

/** The scores of all models on one split. */
function round(world: World, seed: number): Record<string, Scores> {
  const users = Array.from({ length: world.users }, (_, at) => `${at}`);
  const items = Array.from({ length: world.items }, (_, at) => `${at}`);
  const entries = entriesOf(world.rows).map((entry, at) => ({ ...entry, firstPull: world.times?.[at] ?? 0 }));
  const [{ train, test }] = foldsOf(entries, 1, seeded(seed));
  console.log(
    `\n${world.name}, seed ${seed}: ${users.length} users x ${items.length} items, ${train.length} pairs, ${test.length} held out`,
  );
  const score = scorer({ users: users.length, items: items.length, train, test }, seed);
  const training = trainingOf({ users, items }, train);
  const byTime = byFirstPull(train);
  const began = processorMs();
  const { winner, candidates } = compete(
    {
      ...{ began: 0, readSeconds: 0, seed: seed + 100, users, items, entries: [...train] },
      random: foldsOf(train, roundsFor(train.length), seeded(seed + 100)),
      ...(byTime && { byTime }),
    },
    {
      ...{ als: seedAls(), budgetSeconds: Number(flags.budget), memoryBytes: 2e9 },
      // Processor time, which is the same however busy the machine is.
      ...{ clock: processorMs, log: () => {} },
      fit: (setting, part) => fitSetting(setting, part, seed),
    },
  );
  console.log(
    `${winner.name} serves (${((processorMs() - began) / 1000).toFixed(0)} s): ${JSON.stringify(winner.setting)}`,
  );
  const judged = (setting: typeof winner.setting) =>
    score(byServing(servedModel(fitSetting(setting, training, seed)), training.byUser));
  const scores: Record<string, Scores> = { served: judged(winner.setting), seed: judged(seedAls()) };
  for (const { name, kind, settings } of candidates)
    if (name === 'popular')
      scores.popular = judged({ kind, ...settings, days: Number.POSITIVE_INFINITY } as typeof winner.setting);
  if (flags.rivals) Object.assign(scores, rivalScores(venv, world, training.byUser, seed, score));
  for (const [name, { ndcg, recall20, auc }] of Object.entries(scores))
    console.log(
      `${name.padEnd(20)} NDCG@10 ${ndcg?.toFixed(4)}  recall@20 ${recall20?.toFixed(4)}  AUC ${auc?.toFixed(4)}`,
    );
  return scores;
}

function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function summary(found: Map<string, Scores[]>) {
  const mean = (scores: Scores[], name: 'ndcg' | 'recall20' | 'auc') =>
    Number((scores.reduce((sum, one) => sum + (one[name] ?? 0), 0) / scores.length).toFixed(4));
  const rows = [...found].map(([name, scores]) => [
    name,
    { ndcg10: mean(scores, 'ndcg'), recall20: mean(scores, 'recall20'), auc: mean(scores, 'auc') },
  ]);
  const models = Object.fromEntries(rows) as Record<string, { ndcg10: number }>;
  const best = Math.max(...Object.entries(models).map(([name, { ndcg10 }]) => (name.startsWith('rival') ? ndcg10 : 0)));
  const { served, seed } = models;
  const of = best > 0 ? ` = ${((100 * served.ndcg10) / best).toFixed(1)} % of the best rival's ${best}` : '';
  console.log(`\nserved ${served.ndcg10}${of}, ${(served.ndcg10 / seed.ndcg10).toFixed(2)} times the seed's settings`);
  return models;
}
