// npm run bench -- als [--ranks 10,64] [--seeds 4] [--users 100000 --items 10000 --pairs 2840000] [--no-spark]
//                      [--large] [--no-public] [--public] [--pairs FILE] [--ease 10000]
// Times training and the top-10 lists of all users against implicit 0.7.3, irspack 0.5.2 (the same objective), oneDAL
// by daal4py 2024.7 and Spark MLlib (lambda x entries). The data: seeded communities and, for the AUC, MovieLens-100k
// (--public: only that), or instead of both a file of pairs. Each contestant runs in its own process, reads the same
// matrix and is judged by the same code: ours as it is served (users folded in; aucTrained: by the users' trained
// factors), rivals by their own factors. Our time includes the layout of the matrix and the start of threads. A seed is
// a split and a start; the first is the warm-up, times are the median of the others. Whole processes are timed last,
// from start to everybody's lists. --large: 1 M x 50,000 x 20 M pairs, each fit in a new process, with its peak memory.
// --ease: the number of items for EASE against NumPy and SciPy; 0 skips it.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { seeded } from '#core/bytes/random.ts';
import { alsDefaults, type Factors, randomStart } from '#core/recommender/als.ts';
import type { Entry } from '#core/recommender/entries.ts';
import type { Scores } from '#core/recommender/model-list.ts';
import type { Rows } from '#core/recommender/ratings.ts';
import { servedModel } from '#core/recommender/served.ts';
import { fitSetting } from '#train/candidates.ts';
import { byFolding, byServing, popular, type Recommender, trainingOf } from '#train/evaluate.ts';
import { bytesOf, Contestant, type Reply, type Task, writeMatrix } from './als/contestant.ts';
import { easeAgainst } from './als/ease.ts';
import { byFactors, judging } from './als/judge.ts';
import {
  byChance,
  byTime,
  communities,
  entriesOf,
  movieLens,
  pairsFile,
  type Split,
  type World,
} from './als/worlds.ts';

const { values: flags } = parseArgs({
  allowNegative: true,
  options: {
    ranks: { type: 'string' },
    seeds: { type: 'string' },
    users: { type: 'string' },
    items: { type: 'string' },
    pairs: { type: 'string' },
    spark: { type: 'boolean', default: spawnSync('java', ['-version']).status === 0 },
    public: { type: 'boolean' },
    large: { type: 'boolean', default: false },
    ease: { type: 'string', default: '10000' },
  },
});
const large = flags.large;
const size = { users: large ? 1e6 : 1e5, items: large ? 5e4 : 1e4, pairs: large ? 2e7 : 2.84e6 };
const { users, items, pairs } = {
  users: Number(flags.users ?? size.users),
  items: Number(flags.items ?? size.items),
  pairs: Number(flags.pairs ?? size.pairs),
};
/** `--pairs` is either their number or a file. */
const file = flags.pairs !== undefined && !/^\d+$/.test(flags.pairs) ? flags.pairs : undefined;
const ranks = (flags.ranks ?? (large ? '10' : '10,64')).split(',').map(Number);
const seeds = Array.from({ length: Number(flags.seeds ?? (large ? 1 : 4)) }, (_, at) => at + 1);
const withSpark = flags.spark && !large;
const { iterations, lambda, alpha } = alsDefaults;

const venv = join(import.meta.dirname, '..', '.venv', 'bench');
const python = join(venv, 'bin', 'python');
install();
const folder = mkdtempSync(join(tmpdir(), 'whalewatch-als-'));

/** Name in the results, process and solver; `least` is the smallest rank at which it runs this solver. */
const entrants = [
  { name: 'ours', by: 'ours', solver: 'exact', least: 1 },
  { name: 'oursCg', by: 'ours', solver: 'cg', least: 16 },
  { name: 'oursWeighted', by: 'ours', solver: 'weighted', least: 1 },
  { name: 'implicit', by: 'implicit', solver: 'exact', least: 1 },
  { name: 'implicitCg', by: 'implicit', solver: 'cg', least: 1 },
  { name: 'irspack', by: 'irspack', solver: 'exact', least: 1 },
  { name: 'irspackCg', by: 'irspack', solver: 'cg', least: 1 },
  { name: 'onedal', by: 'onedal', solver: 'weighted', least: 1 },
  { name: 'spark', by: 'spark', solver: 'weighted', least: 1 },
] as const;
type Name = (typeof entrants)[number]['name'] | 'similar' | 'popular';

/** One entrant, one seed, one rank. */
interface Result extends Partial<Reply> {
  /** Ours as served, with users folded in; a rival's by its own factors. */
  scores: Scores;
  /** Our AUC by the users' factors at the end of the fit. */
  trainedAuc?: number;
  loss?: number;
}
/** By rank, then by entrant: one result for each seed. */
type Results = Map<number, Map<Name, Result[]>>;

const running = new Map<string, Contestant>();
try {
  const figures: Record<string, unknown> = {};
  if (file === undefined && !flags.public) {
    const world = communities(users, items, pairs);
    const results = await compare(world, (seed) => byChance(world, seed), !large);
    const topN: Record<number, unknown> = {};
    for (const [rank, of] of results) {
      figures[rank] = { ...speed(of), ...quality(of) };
      topN[rank] = top(of);
    }
    figures.topN = topN;
    Object.assign(figures, { users, items, pairs: Math.round(world.rows.columns.length * 0.9), seeds: seeds.length });
  }
  if (file !== undefined || (flags.public ?? !large)) {
    const world = file === undefined ? movieLens(python, venv) : pairsFile(file);
    if (world) {
      const chance = await compare(world, (seed) => byChance(world, seed), false);
      const split = byTime(world);
      const time = split && (await compare(world, () => split, false));
      figures.public = {
        name: world.name,
        ...Object.fromEntries(
          ranks.map((rank) => [
            rank,
            { chance: quality(chance.get(rank)!), ...(time && { time: quality(time.get(rank)!) }) },
          ]),
        ),
      };
    } else console.log('MovieLens-100k could not be fetched: no figures on a public set');
  }
  if (!large && file === undefined && !flags.public) figures.whole = await wholeProcesses();
  if (!large && flags.ease !== '0') figures.ease = easeAgainst(python, communities(users, Number(flags.ease), pairs));
  console.log(JSON.stringify(figures));
} finally {
  await end();
  rmSync(folder, { recursive: true });
}

/** Lets every entrant fit every seed and rank, and prints a table for each rank. */
async function compare(world: World, splitOf: (seed: number) => Split, timed: boolean): Promise<Results> {
  const results: Results = new Map(ranks.map((rank) => [rank, new Map()]));
  for (const seed of seeds) {
    const split = splitOf(seed);
    const at = mkdtempSync(join(folder, 'split-'));
    write(at, split.rows);
    if (seed === 1)
      console.log(
        `\n${world.name}: ${world.users} users x ${world.items} repositories, ${split.rows.columns.length} pairs, ${split.held.length} held out`,
      );
    const { known, score } = judging(world, split, seed);
    const train = {
      users: world.users,
      items: world.items,
      train: large ? [] : entriesOf(split.rows),
      test: split.held,
    };
    const [similar, byPopularity] = large
      ? [{ people: 0 }, { people: 0 }]
      : [score(similarTo(train)), score(popular(train))];
    for (const rank of ranks) {
      const of = results.get(rank)!;
      const add = (entrant: Name, result: Result) => {
        of.set(entrant, [...(of.get(entrant) ?? []), result]);
      };
      // Our fit starts from the same factors.
      writeFileSync(join(at, `start.${rank}.${seed}.f32`), randomStart(world.items, rank, seeded(seed)));
      for (const { name: entrant, by, solver, least } of entrants) {
        if (rank < least || (by === 'spark' && !withSpark)) continue;
        const out = join(at, `${entrant}.${rank}`);
        const options = { rank, iterations, lambda, alpha, users: world.users, items: world.items };
        const task: Task = { ...options, folder: at, out, seed, solver, top: timed && solver === 'exact' };
        const reply = await contestant(by).fit(task);
        if (large) await end();
        const read = (side: string) => new Float32Array(bytesOf(`${out}.${side}.f32`));
        const factors = { rank, users: read('users'), items: read('items') };
        rmSync(`${out}.users.f32`);
        const trained = score(byFactors(factors));
        const scores = by === 'ours' ? score(byFolding(factors, known, options)) : trained;
        const peak = reply.peakBytes == null ? '' : `, at most ${(reply.peakBytes / 1e6).toFixed(0)} MB`;
        console.log(
          `seed ${seed} of ${seeds.length}, rank ${rank}: ${entrant} ${reply.seconds.toFixed(3)} s${peak}, AUC ${scores.auc?.toFixed(4)}`,
        );
        add(entrant, {
          ...reply,
          scores,
          trainedAuc: trained.auc,
          ...(solver !== 'weighted' && { loss: loss(split.rows, factors) }),
        });
      }
      add('similar', { scores: similar });
      add('popular', { scores: byPopularity });
    }
    rmSync(at, { recursive: true });
  }
  for (const [rank, of] of results) print(rank, of);
  return results;
}

/**
 * Whole processes, one after the other: from the start of Node or Python through reading the matrix and the fit to
 * lists of ten for everybody, and the end. Wall seconds, by rank.
 */
async function wholeProcesses() {
  const figures: Record<number, Record<string, number | null>> = {};
  const { rows } = byChance(communities(users, items, pairs), 1);
  const at = mkdtempSync(join(folder, 'whole-'));
  write(at, rows);
  await end();
  for (const rank of ranks) {
    writeFileSync(join(at, `start.${rank}.1.f32`), randomStart(items, rank, seeded(1)));
    const seconds: Record<string, number> = {};
    for (const by of ['ours', 'implicit', 'irspack'] as const) {
      const began = performance.now();
      const out = join(at, `${by}.${rank}`);
      await contestant(by).fit({
        ...{ rank, iterations, lambda, alpha, users, items, folder: at, out, seed: 1, solver: 'exact', top: true },
      });
      await end();
      seconds[by] = (performance.now() - began) / 1000;
    }
    figures[rank] = {
      ...Object.fromEntries(Object.entries(seconds).map(([by, value]) => [`${by}S`, round(value)])),
      ratioImplicit: round(seconds.implicit / seconds.ours, 2),
      ratioIrspack: round(seconds.irspack / seconds.ours, 2),
    };
    console.log(`whole processes, rank ${rank}: ${JSON.stringify(figures[rank])}`);
  }
  return figures;
}

/** A score is the sum of the columns' cosines over the user's own pulls. */
function similarTo({ users, items, train }: { users: number; items: number; train: Entry[] }): Recommender {
  const names = { users: Array.from({ length: users }, String), items: Array.from({ length: items }, String) };
  const training = trainingOf(names, train);
  const setting = { kind: 'knn', k: items, shrink: 0, sourcePower: 0.5, targetPower: 0.5 } as const;
  const model = fitSetting({ ...setting, userWeight: 'none', countScale: 'binary' }, training, 1);
  return byServing(servedModel(model), training.byUser);
}

function contestant(by: (typeof entrants)[number]['by']): Contestant {
  const known = running.get(by);
  if (known) return known;
  const started =
    by === 'ours'
      ? new Contestant(process.execPath, ['--expose-gc', join(import.meta.dirname, 'als', 'ours.ts')])
      : new Contestant(python, [join(import.meta.dirname, 'als', 'peers.py'), by]);
  running.set(by, started);
  return started;
}

async function end(): Promise<void> {
  await Promise.all([...running.values()].map((one) => one.end()));
  running.clear();
}

function write(at: string, rows: Rows): void {
  writeMatrix(at, rows);
  if (!withSpark) return;
  const { starts, columns, values } = rows;
  const lines: string[] = [];
  for (let user = 0; user + 1 < starts.length; user++)
    for (let n = starts[user]; n < starts[user + 1]; n++) lines.push(`${user},${columns[n]},${values[n]}\n`);
  writeFileSync(join(at, 'pairs.csv'), lines.join(''));
}

function print(rank: number, of: Map<Name, Result[]>): void {
  console.log(
    `\nrank ${String(rank).padEnd(20)} seconds  processor   top-10    peak MB     AUC  NDCG@10  recall@10  coverage`,
  );
  for (const [name, results] of of) {
    const text = (value: number | undefined, width: number, digits: number) =>
      (value === undefined || Number.isNaN(value) ? '-' : value.toFixed(digits)).padStart(width);
    const seconds = (field: 'seconds' | 'processorS' | 'topS') => warm(results.map((result) => result[field]));
    const peak = Math.max(...results.map(({ peakBytes }) => (peakBytes ?? Number.NaN) / 1e6));
    const score = (field: 'auc' | 'ndcg' | 'recall' | 'coverage') => mean(results.map(({ scores }) => scores[field]));
    console.log(
      `${name.padEnd(24)}${text(seconds('seconds'), 9, 3)}${text(seconds('processorS'), 11, 3)}${text(seconds('topS'), 9, 3)}${text(peak, 11, 0)}${text(score('auc'), 8, 4)}${text(score('ndcg'), 9, 4)}${text(score('recall'), 11, 4)}${text(score('coverage'), 10, 3)}`,
    );
  }
}

function speed(of: Map<Name, Result[]>) {
  const seconds = (name: Name, field: 'seconds' | 'processorS' = 'seconds') =>
    warm((of.get(name) ?? []).map((result) => result[field]));
  const best = (field: 'seconds' | 'processorS') =>
    Math.min(seconds('ours', field), seconds('oursCg', field) || Infinity);
  const lossRatio = (name: Name, peer: Name) =>
    round(Math.max(...(of.get(name) ?? []).map(({ loss = 0 }, at) => loss / (of.get(peer)?.[at].loss ?? 1))), 6);
  const megabytes = (name: Name) =>
    round(Math.max(...of.get(name)!.map(({ peakBytes }) => (peakBytes ?? Number.NaN) / 1e6)), 0);
  return {
    oursS: round(seconds('ours')),
    oursFirstS: round(of.get('ours')![0].seconds!),
    oursCgS: round(seconds('oursCg')),
    implicitCholeskyS: round(seconds('implicit')),
    implicitCgS: round(seconds('implicitCg')),
    sparkS: round(seconds('spark')),
    ratioCholesky: round(seconds('implicit') / seconds('ours'), 2),
    // Our faster solver: both end at the same loss or below.
    ratioCg: round(seconds('implicitCg') / best('seconds'), 2),
    ratioSpark: round(seconds('spark') / seconds('ours'), 1),
    ratioIrspack: round(seconds('irspack') / seconds('ours'), 2),
    ratioIrspackCg: round(seconds('irspackCg') / best('seconds'), 2),
    ratioOnedal: round(seconds('onedal') / seconds('oursWeighted'), 2),
    // Processor time of all threads: the ratio to use when other work shares the machine.
    processor: {
      oursS: round(seconds('ours', 'processorS')),
      ratioCholesky: round(seconds('implicit', 'processorS') / seconds('ours', 'processorS'), 2),
      ratioCg: round(seconds('implicitCg', 'processorS') / best('processorS'), 2),
      ratioSpark: round(seconds('spark', 'processorS') / seconds('ours', 'processorS'), 1),
      ratioIrspack: round(seconds('irspack', 'processorS') / seconds('ours', 'processorS'), 2),
      ratioIrspackCg: round(seconds('irspackCg', 'processorS') / best('processorS'), 2),
      ratioOnedal: round(seconds('onedal', 'processorS') / seconds('oursWeighted', 'processorS'), 2),
    },
    peakMB: { ours: megabytes('ours'), implicit: megabytes('implicit') },
    lossRatio: lossRatio('ours', 'implicit'),
    ...(of.has('oursCg') && { lossRatioCg: lossRatio('oursCg', 'implicitCg') }),
  };
}

function top(of: Map<Name, Result[]>) {
  const seconds = (name: Name) => warm(of.get(name)!.map(({ topS }) => topS));
  const [oursS, implicitS] = [seconds('ours'), seconds('implicit')];
  return { oursS: round(oursS), implicitS: round(implicitS), ratio: round(implicitS / oursS, 2) };
}

/** Means over the seeds; `margin` is ours minus theirs, `error` its standard error. */
function quality(of: Map<Name, Result[]>) {
  const aucs = (name: Name) => of.get(name)?.map(({ scores }) => scores.auc ?? Number.NaN);
  const own = aucs('ours')!;
  const against = (name: Name) => {
    const theirs = aucs(name);
    if (!theirs) return null;
    const margins = own.map((auc, at) => auc - theirs[at]);
    const margin = mean(margins);
    const variance = margins.reduce((sum, one) => sum + (one - margin) ** 2, 0) / (margins.length - 1);
    return { margin: round(margin, 4), error: round(Math.sqrt(variance / margins.length), 4) };
  };
  const auc = (name: Name) => round(mean(aucs(name) ?? []), 4);
  return {
    auc: auc('ours'),
    aucTrained: round(mean((of.get('ours') ?? []).map(({ trainedAuc }) => trainedAuc)), 4),
    aucCg: auc('oursCg'),
    aucWeighted: auc('oursWeighted'),
    aucImplicit: auc('implicit'),
    aucSpark: auc('spark'),
    aucSimilar: auc('similar'),
    aucPopular: auc('popular'),
    marginImplicit: against('implicit'),
    marginSpark: against('spark'),
  };
}

/** The loss of Hu, Koren and Volinsky over all cells; cells without pulls come from the two Gram matrices. */
function loss({ starts, columns, values }: Rows, { rank, users: x, items: y }: Factors): number {
  const gram = (factors: Float32Array) => {
    const total = new Float64Array(rank * rank);
    for (let row = 0; row < factors.length; row += rank)
      for (let i = 0; i < rank; i++)
        for (let j = 0; j < rank; j++) total[i * rank + j] += factors[row + i] * factors[row + j];
    return total;
  };
  const [gx, gy] = [gram(x), gram(y)];
  let sum = gx.reduce((all, value, at) => all + value * gy[at], 0);
  for (let row = 0; row + 1 < starts.length; row++)
    for (let n = starts[row]; n < starts[row + 1]; n++) {
      let score = 0;
      for (let k = 0; k < rank; k++) score += x[row * rank + k] * y[columns[n] * rank + k];
      sum += (1 + alpha * values[n]) * (1 - score) ** 2 - score ** 2;
    }
  for (let i = 0; i < rank; i++) sum += lambda * (gx[i * rank + i] + gy[i * rank + i]);
  return sum;
}

/** Installs the rivals once, into a folder that git ignores. */
function install(): void {
  if (!existsSync(python)) execFileSync('python3', ['-m', 'venv', venv], { stdio: 'inherit' });
  const has = (module: string) => spawnSync(python, ['-c', `import ${module}`]).status === 0;
  const missing = [
    ...(has('implicit') ? [] : ['implicit==0.7.3']),
    ...(has('irspack') ? [] : ['irspack==0.5.2']),
    // daal4py 2024.7 does not work with a newer scikit-learn.
    ...(has('daal4py') ? [] : ['daal4py==2024.7.0', 'scikit-learn<1.6']),
    ...(withSpark && !has('pyspark') ? ['pyspark==4.3.0'] : []),
  ];
  if (missing.length > 0) execFileSync(python, ['-m', 'pip', 'install', '-q', ...missing], { stdio: 'inherit' });
}

/** The median without the first, which was the warm-up; NaN if there is only one. */
function warm(values: (number | undefined)[]): number {
  const known = values.filter((value) => value !== undefined);
  return known.slice(known.length > 1 ? 1 : 0).toSorted((a, b) => a - b)[(known.length - 1) >> 1] ?? Number.NaN;
}

function mean(values: (number | undefined)[]): number {
  return values.reduce<number>((sum, value) => sum + (value ?? Number.NaN), 0) / values.length;
}

/** null for an unknown value. */
function round(value: number, digits = 3): number | null {
  return Number.isFinite(value) ? Number(value.toFixed(digits)) : null;
}
