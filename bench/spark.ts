// npm run bench -- spark [--pairs 300000,3000000] [--rank 10] [--memory 6g]
// Training by Spark MLlib as `trainer: 'spark'` does it (functions/train/spark: pairs written to the exchange, als.py
// on local[2], factors read back) beside our own fit, on the same seeded pairs and judged by the same code. 30 million
// pairs need --memory 12g. als.py fits the pairs twice: the first fit includes reading them and compiling, the second
// is warm. Last line: {PAIRS: {oursSeconds, oursMB, writeSeconds, startSeconds, sparkSeconds, sparkWarmSeconds,
// readSeconds, sparkMB, ratio, ratioWarm, processor: {oursS, sparkS, sparkWarmS}, aucOurs, aucSpark}, switch}.
// oursSeconds: the fit in a new process, matrix in memory; sparkSeconds: the first fit; processor: seconds of all
// threads in the same time. `switch`: from how many pairs on Spark's warm fit is faster, extrapolated from the two
// largest sizes (null: never), and how many pairs our memory holds.
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { seeded } from '#core/bytes/random.ts';
import { alsDefaults, randomStart } from '#core/recommender/als.ts';
import type { Rows } from '#core/recommender/ratings.ts';
import type { ItemModel } from '#core/recommender/recommend.ts';
import { byFolding } from '#train/evaluate.ts';
import { type PairRow, readFactors, writePairs } from '#train/spark/exchange.ts';
import { bytesOf, Contestant, writeMatrix } from './als/contestant.ts';
import { judging } from './als/judge.ts';
import { byChance, communities } from './als/worlds.ts';
import { files, sparkIsMissing, startSpark } from './worlds/spark.ts';

const { values: flags } = parseArgs({
  options: {
    pairs: { type: 'string', default: '300000,3000000' },
    rank: { type: 'string', default: String(alsDefaults.rank) },
    memory: { type: 'string', default: '6g' },
  },
});
if (sparkIsMissing) throw new Error(sparkIsMissing);
const sizes = flags.pairs.split(',').map(Number);
const als = { ...alsDefaults, rank: Number(flags.rank) };
const seed = 1;
/** What one machine's fit may take: the address space of WebAssembly. */
const mostBytes = 2 ** 32;

const results: Record<string, Awaited<ReturnType<typeof measured>>> = {};
for (const size of sizes) {
  results[size] = await measured(size);
  console.log(`${size} pairs: ${JSON.stringify(results[size])}`);
}
console.log(JSON.stringify({ ...results, switch: switchOf() }));

async function measured(pairs: number) {
  const folder = mkdtempSync(join(tmpdir(), 'whalewatch-spark-'));
  try {
    // As many pairs a user as in bench als.
    const world = communities(Math.ceil(pairs / 28.4), Math.max(10_000, Math.ceil(pairs / 600)), pairs);
    const split = byChance(world, seed);
    const { rows } = split;
    console.log(
      `\n${rows.columns.length} pairs of ${world.users} users and ${world.items} repositories, rank ${als.rank}`,
    );
    const { known, score } = judging(world, split, seed);

    writeMatrix(folder, rows);
    writeFileSync(join(folder, `start.${als.rank}.${seed}.f32`), randomStart(world.items, als.rank, seeded(seed)));
    const ours = new Contestant(process.execPath, ['--expose-gc', join(import.meta.dirname, 'als', 'ours.ts')]);
    const out = join(folder, 'ours');
    const counts = { users: world.users, items: world.items };
    const fitted = await ours.fit({ ...als, ...counts, folder, out, seed, solver: 'exact', top: false });
    await ours.end();
    const oursSeconds = fitted.seconds;
    const oursMB = Math.round((fitted.peakBytes ?? Number.NaN) / 1e6);
    const factors = new Float32Array(bytesOf(`${out}.items.f32`));
    const aucOurs = score(byFolding({ rank: als.rank, items: factors }, known, als)).auc;
    console.log(`ours: ${oursSeconds.toFixed(2)} s, at most ${oursMB} MB, AUC ${aucOurs?.toFixed(4)}`);

    const objects = files(folder);
    mkdirSync(join(folder, 'run'));
    const writeSeconds = await timed(() => writePairs(objects, 'run', pairRows(rows)));
    console.log(`exchange: written in ${writeSeconds.toFixed(2)} s`);
    const { processor, ...spark } = await bySpark(join(folder, 'run'));
    const images = { items: Array.from({ length: world.items }, String) };
    let model: ItemModel = { rank: als.rank, items: new Float32Array() };
    const readSeconds = await timed(async () => {
      model = await readFactors(objects, 'run', 'all', images, als.rank);
    });
    const aucSpark = score(byFolding(model, known, als)).auc;
    console.log(`exchange: factors read in ${readSeconds.toFixed(2)} s, AUC ${aucSpark?.toFixed(4)}`);
    return {
      ...{ pairs: rows.columns.length, oursSeconds: round(oursSeconds), oursMB, writeSeconds: round(writeSeconds) },
      processor: { oursS: round(fitted.processorS ?? Number.NaN), ...processor },
      ...{ ...spark, readSeconds: round(readSeconds), ratio: round(spark.sparkSeconds / oursSeconds) },
      ...{ ratioWarm: round(spark.sparkWarmSeconds / oursSeconds) },
      ...{ aucOurs: round(aucOurs ?? Number.NaN, 4), aucSpark: round(aucSpark ?? Number.NaN, 4) },
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The random split learns from all pairs, so that als.py fits them a second time; the split by time from none. */
function* pairRows({ starts, columns, values }: Rows): Generator<PairRow> {
  for (let user = 0; user + 1 < starts.length; user++)
    for (let at = starts[user]; at < starts[user + 1]; at++) yield [user, columns[at], values[at], 1, 0, 0];
}

async function bySpark(folder: string) {
  const began = performance.now();
  const heap = ['spark.driver.extraJavaOptions=-XX:+UseParallelGC', `spark.driver.memory=${flags.memory}`];
  const job = startSpark(folder, heap, als);
  const ended = once(job, 'exit');
  const errors = text(job.stderr!);
  const seconds: number[] = [];
  const processor: number[] = [];
  let startSeconds = Number.NaN;
  let sparkMB = Number.NaN;
  for await (const line of createInterface({ input: job.stdout! })) {
    console.log(`Spark: ${line}`);
    processor.push(processorOf(job.pid));
    if (line === 'started') startSeconds = (performance.now() - began) / 1000;
    const fitted = /fitted in ([\d.]+) s/.exec(line);
    if (!fitted) continue;
    seconds.push(Number(fitted[1]));
    sparkMB = Math.round(Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${job.pid}/status`, 'utf8'))?.[1]) / 1e3);
  }
  const [code] = await ended;
  if (code !== 0) throw new Error(`Spark ended with ${code}:\n${(await errors).slice(-4000)}`);
  const [sparkSeconds, sparkWarmSeconds] = seconds;
  const [started, first, warm] = processor;
  return {
    ...{ startSeconds: round(startSeconds), sparkSeconds, sparkWarmSeconds, sparkMB },
    processor: { sparkS: round(first - started), sparkWarmS: round(warm - first) },
  };
}

/** Processor seconds that a process has used: fields 14 and 15 of /proc/PID/stat (proc(5)), in hundredths. */
function processorOf(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/**
 * At how many pairs the lines through the two largest sizes cross, and how many pairs our memory holds; null if they
 * never cross, or only one size was measured.
 */
function switchOf() {
  const [less, most] = Object.values(results)
    .sort((a, b) => a.pairs - b.pairs)
    .slice(-2);
  if (most === undefined) return { fasterFromPairs: null, memoryPairs: null };
  const lineOf = (field: 'oursSeconds' | 'sparkWarmSeconds' | 'oursMB') => {
    const slope = (most[field] - less[field]) / (most.pairs - less.pairs);
    return { slope, base: less[field] - slope * less.pairs };
  };
  const [ours, spark, memory] = [lineOf('oursSeconds'), lineOf('sparkWarmSeconds'), lineOf('oursMB')];
  const meet = (spark.base - ours.base) / (ours.slope - spark.slope);
  return {
    fasterFromPairs: spark.slope < ours.slope && meet > 0 ? Math.round(meet) : null,
    memoryPairs: Math.round((mostBytes / 1e6 - memory.base) / memory.slope),
  };
}

async function timed(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}
