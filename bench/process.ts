// The whole process stage, as Lambda calls it, against JSON.parse + zod + maxmind + Map on the same events.
//   npm run bench -- process [--rounds 25] [--points location]
//
// Events are as Kinesis delivers them: base64 records of newline-delimited hits, 1,000 to a record, 36 records to an
// event, which makes Lambda's 6 MB. There are 20,000 domains, the n-th 1/n as frequent as the first. Every fifth
// address is IPv6; all are random within ranges that have a location. Every twentieth hit has an id; 1 % are a day
// late. Our stage does everything up to the committed delta: base64, lines, validation, look-up, sums, encoding, and
// the commit protocol over stores in memory. The rival makes the same sums in Maps and writes nothing. Each runs in its
// own process on one thread, ours with FLAGS; a round is all events once. A rate is hits per second of processor time,
// helper threads included: what one core achieves however many processes share the machine. Reported are the best
// round, mean and deviation, and the best by the wall clock. `--points location` measures only our stage, with points
// by location, which the TypeScript reference sums. Last line: {recordsPerSecond, baselineRecordsPerSecond, ratio,
// peakRssMb, records, wallRecordsPerSecond, rivals}; a record is a hit. rivals: millions of hits per processor second,
// null for one that is missing, which stderr names. In Rust (bench/rust/process, built by cargo into .cache): a
// hand-written fold with AVX2 (`avx2`) and the usual crates (`sonic`), both over our table, and maxminddb over the City
// databases (`sonicMaxmind`). ClickHouse (chdb), DuckDB and Polars: bench/process-rivals.py, installed from PyPI into
// .venv/bench. Spark's streaming: in .venv/spark, by test/aws/install.sh. Each source says what it leaves out: none
// locates, validates, commits and encodes all that our stage does.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { KinesisStreamEvent } from 'aws-lambda';
import { seeded } from '#core/bytes/random.ts';
import type { Location, PointsBy } from '#core/hits/delta.ts';
import { encodeHit } from '#core/hits/hit.ts';
import { classifier } from '#core/registry/classify.ts';
import type { Checkpoint, CheckpointStore, ObjectStore } from '#core/stores.ts';
import { cityDatabases, type FlatResponse, locationOf } from '#geo/city.ts';
import { keptTable } from '#geo/keep.ts';
import { IpTable } from '#geo/table.ts';
import { processHandler } from '#process/handler.ts';
import { openLocator } from '#process/locate.ts';
import type { ProcessOptions } from '#process/process.ts';
import { bundled } from './bundled.ts';
import { cargo } from './cargo.ts';

const FLAGS = ['--max-semi-space-size=1', '--max-old-space-size=48'];
const EVENTS = 4;
const RECORDS = 36;
const LINES = 1000;
const HITS = EVENTS * RECORDS * LINES;
const DOMAINS = 20_000;
const SEED = 11;
const engineRounds = 5;
/** A JVM compiles code that has run often. */
const sparkRounds = 20;
const environments = join(import.meta.dirname, '..', '.venv');
const now = Date.UTC(2026, 10, 21, 12);

interface Figures {
  best: number;
  mean: number;
  deviation: number;
  /** The best round by the wall clock. */
  wall: number;
  peakRssMb: number;
  check: string;
}

const [task, ...rest] = process.argv.slice(2);
if (task === 'ours' || task === 'rival') await child(task, rest[0], rest[1], Number(rest[2]), rest[3] as PointsBy);
else await main();

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { rounds: { type: 'string', default: '25' }, points: { type: 'string', default: 'domain' } },
  });
  const rounds = Number(values.rounds);
  const table = await keptTable(console.log);
  const start = await bundled(import.meta.filename, ['zod', 'maxmind']);
  // The rival may use any amount of memory.
  const run = (who: 'ours' | 'rival', rounds: number): Figures => {
    const output = start(who === 'ours' ? FLAGS : [], who, table, folder, rounds, values.points);
    return JSON.parse(output.trimEnd().split('\n').at(-1) as string);
  };
  const folder = mkdtempSync(join(tmpdir(), 'whalewatch-process-'));
  try {
    const events = makeEvents(new IpTable(readFileSync(table)));
    for (const [index, event] of events.entries()) writeFileSync(join(folder, `${index}.json`), JSON.stringify(event));
    const ours = run('ours', rounds);
    if (values.points === 'location') {
      report('ours', ours);
      const figures = { recordsPerSecond: Math.round(ours.best), peakRssMb: Math.round(ours.peakRssMb) };
      console.log(JSON.stringify({ ...figures, wallRecordsPerSecond: Math.round(ours.wall) }));
      return;
    }
    const rival = run('rival', Math.max(3, Math.round(rounds / 5)));
    if (ours.check !== rival.check) throw new Error(`the sums differ: ${ours.check} and ${rival.check}`);
    const rivals = { ...rustRivals(table, folder, rounds), ...engineRivals(events, folder) };
    for (const [name, best] of Object.entries(rivals))
      if (best !== null) console.log(`${name.padEnd(12)} ${best} M hits a second of processor at best`);
    report('ours', ours);
    report('rival', rival);
    console.log(`node ${process.version} ${FLAGS.join(' ')}`);
    console.log(
      JSON.stringify({
        recordsPerSecond: Math.round(ours.best),
        baselineRecordsPerSecond: Math.round(rival.best),
        ratio: Number((ours.best / rival.best).toFixed(2)),
        peakRssMb: Math.round(ours.peakRssMb),
        records: HITS,
        wallRecordsPerSecond: Math.round(ours.wall),
        rivals,
      }),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Millions of hits a second of processor. */
function rustRivals(table: string, folder: string, rounds: number) {
  const program = cargo('process');
  if (!program) return { avx2: null, sonic: null, sonicMaxmind: null };
  for (const [name, column] of Object.entries(new IpTable(readFileSync(table)).columns))
    writeFileSync(join(folder, `${name}.bin`), Buffer.from(column.buffer, column.byteOffset, column.byteLength));
  const run = (which: string, ...databases: string[]) => {
    const words = [which, folder, String(EVENTS), String(rounds), ...databases];
    const { status, stdout, stderr } = spawnSync(program, words, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`${which}: ${stderr}`);
    const { best, hits, located } = JSON.parse(stdout);
    if (hits !== HITS || located !== HITS)
      throw new Error(`${which} located ${located} of ${hits} hits, not all ${HITS}`);
    return Number((best / 1e6).toFixed(2));
  };
  return { avx2: run('avx2'), sonic: run('sonic'), sonicMaxmind: run('sonicMaxmind', ...cityDatabases()) };
}

/** Millions of hits a second of processor; each engine is installed when it is missing. */
function engineRivals(events: KinesisStreamEvent[], folder: string) {
  for (const [index, { Records }] of events.entries())
    writeFileSync(join(folder, `${index}.tsv`), Records.map(({ kinesis }) => kinesis.data).join('\n'));
  const run = (engine: string, python: string, rounds: number) => {
    const words = [join(import.meta.dirname, 'process-rivals.py'), engine, folder, String(EVENTS), String(rounds)];
    const { status, stdout, stderr, error } = spawnSync(python, words, { encoding: 'utf8' });
    if (status !== 0) {
      console.error(`the rival ${engine} is missing: ${error?.message ?? stderr.trim().split('\n').at(-1)}`);
      return null;
    }
    const { best, hits } = JSON.parse(stdout.trim().split('\n').at(-1) as string);
    if (hits !== HITS) throw new Error(`${engine} counted ${hits} hits, not ${HITS}`);
    return Number((best / 1e6).toFixed(2));
  };
  const python = join(environments, 'bench/bin/python');
  if (!existsSync(python)) spawnSync('python3', ['-m', 'venv', join(environments, 'bench')], { stdio: 'ignore' });
  const installed = (engine: string, packageName: string) => {
    if (spawnSync(python, ['-c', `import ${packageName}`]).status !== 0)
      spawnSync(python, ['-m', 'pip', 'install', '--quiet', packageName], { stdio: 'ignore' });
    return run(engine, python, engineRounds);
  };
  return {
    clickhouse: installed('clickhouse', 'chdb'),
    duckdb: installed('duckdb', 'duckdb'),
    polars: installed('polars', 'polars'),
    spark: run('spark', join(environments, 'spark/bin/python'), sparkRounds),
  };
}

function report(who: string, { best, mean, deviation, wall, peakRssMb, check }: Figures): void {
  const k = (rate: number) => `${Math.round(rate / 1000)}k`;
  console.log(
    `${who.padEnd(6)} ${k(best)} hits a second of processor at best, ${k(mean)} ± ${k(deviation)}; ${k(wall)} by the wall clock; peak RSS ${Math.round(peakRssMb)} MB; ${check}`,
  );
}

async function child(
  who: 'ours' | 'rival',
  table: string,
  folder: string,
  rounds: number,
  points: PointsBy,
): Promise<void> {
  const stage = who === 'ours' ? await ours(table, points) : await rival();
  const rates: number[] = [];
  let wall = 0;
  let check = '';
  for (let round = -2; round < rounds; round++) {
    let [ms, cpu] = [0, 0];
    for (let index = 0; index < EVENTS; index++) {
      // Parsing the event is the runtime's work, not the stage's.
      const event: KinesisStreamEvent = JSON.parse(readFileSync(join(folder, `${index}.json`), 'utf8'));
      const [start, before] = [performance.now(), process.cpuUsage()];
      await stage.take(event);
      const { user, system } = process.cpuUsage(before);
      ms += performance.now() - start;
      cpu += (user + system) / 1e6;
    }
    if (round === -1) check = stage.check();
    if (round < 0) continue;
    wall = Math.max(wall, HITS / (ms / 1000));
    rates.push(HITS / cpu);
  }
  const mean = rates.reduce((sum, rate) => sum + rate, 0) / rounds;
  const figures: Figures = {
    best: Math.max(...rates),
    mean,
    deviation: Math.sqrt(rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rounds),
    wall,
    peakRssMb: process.resourceUsage().maxRSS / 1024,
    check,
  };
  console.log(JSON.stringify(figures));
}

interface Stage {
  take(event: KinesisStreamEvent): Promise<void>;
  /** A digest of the sums after the warm-up, on which both must agree. */
  check(): string;
}

async function ours(table: string, points: PointsBy): Promise<Stage> {
  const { decodeDelta } = await import('#core/hits/delta.ts');
  let row: Checkpoint | undefined;
  let hits = 0;
  let unlocated = 0;
  let last = new Uint8Array(0);
  const checkpoints = {
    latest: async () => undefined,
    async commit(next: Checkpoint) {
      row = next;
      return true;
    },
  } as Partial<CheckpointStore> as CheckpointStore;
  const objects = {
    async put(_key: string, body: Uint8Array) {
      last = body as Uint8Array<ArrayBuffer>;
      return { etag: '' };
    },
  } as Partial<ObjectStore> as ObjectStore;
  let names = 0;
  const handler = processHandler({
    checkpoints,
    objects,
    events: {},
    search: {},
    locator: await openLocator([table]),
    classify: classifier(),
    points,
    pullWindowSeconds: 2,
    clock: () => now,
    newId: () => String(names++),
  } as Partial<ProcessOptions> as ProcessOptions);
  return {
    async take(event) {
      await handler(event);
      if (!row) throw new Error('nothing was committed');
      const { counters, identified } = decodeDelta(last);
      hits += counters.hits + identified;
      unlocated += counters.unlocated;
    },
    check: () => `${hits} hits, ${unlocated} without a location`,
  };
}

async function rival(): Promise<Stage> {
  const { z } = await import('zod');
  const { default: maxmind } = await import('maxmind');
  const schema = z.object({
    type: z.literal('hit'),
    time: z.number().min(0).max(8.64e15),
    address: z.string().max(45),
    domain: z
      .string()
      .max(253)
      .regex(/^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/),
    action: z.string().min(1).max(64),
    id: z.string().min(1).max(128).optional(),
  });
  const readers = await Promise.all(cityDatabases().map((file) => maxmind.open<FlatResponse & never>(file)));
  let hits = 0;
  let unlocated = 0;
  return {
    async take({ Records }) {
      const days = new Map<string, Map<string, number>>();
      const newest = new Map<string, { location: Location; time: number }>();
      const seen = new Set<string>();
      for (const { kinesis } of Records) {
        for (const line of Buffer.from(kinesis.data, 'base64').toString().split('\n')) {
          const { time, address, domain, action, id } = schema.parse(JSON.parse(line));
          const location = locationOf(readers[address.includes(':') ? 1 : 0].get(address));
          const day = new Date(time).toISOString().slice(0, 10);
          let sums = days.get(day);
          if (!sums) {
            sums = new Map();
            days.set(day, sums);
          }
          for (const key of [`d${domain}`, `c${location?.country}`, `a${action}`])
            sums.set(key, (sums.get(key) ?? 0) + 1);
          hits++;
          if (id) seen.add(id);
          if (!location) unlocated++;
          else if (time > (newest.get(domain)?.time ?? -1)) newest.set(domain, { location, time });
        }
      }
    },
    check: () => `${hits} hits, ${unlocated} without a location`,
  };
}

function makeEvents(table: IpTable): KinesisStreamEvent[] {
  const random = seeded(SEED);
  const below = (limit: number) => Math.floor(random() * limit);
  const actions = ['view', 'view', 'view', 'login', 'download', 'search'];
  // Draws a domain's rank by inverting the harmonic sum.
  const weights = Float64Array.from({ length: DOMAINS }, (_, rank) => 1 / (rank + 1));
  for (let rank = 1; rank < DOMAINS; rank++) weights[rank] += weights[rank - 1];
  const domain = () => {
    const at = random() * weights[DOMAINS - 1];
    let [from, to] = [0, DOMAINS - 1];
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (weights[middle] < at) from = middle + 1;
      else to = middle;
    }
    return `portal-${((from * 7919) % DOMAINS).toString(36)}.customer.example`;
  };
  const v4 = () => {
    for (;;) {
      const address = below(2 ** 32);
      if (table.findV4(address >>> 16, address & 0xffff) >= 0)
        return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
    }
  };
  const { v6Bounds, v6Starts } = table.columns;
  const v6 = () => {
    for (;;) {
      const upper = 0x2000 + below(0x1000);
      const range = v6Bounds[upper] + below(v6Bounds[upper + 1] - v6Bounds[upper]);
      const words = [
        upper,
        v6Starts[range] >>> 16,
        v6Starts[range] & 0xffff,
        ...Array.from({ length: 5 }, () => below(65_536)),
      ];
      if (table.findV6(Uint16Array.from(words)) >= 0) return words.map((word) => word.toString(16)).join(':');
    }
  };
  const hit = (index: number) =>
    encodeHit({
      type: 'hit',
      time: now - below(index % 100 === 0 ? 90_000_000 : 600_000),
      address: index % 5 === 0 ? v6() : v4(),
      domain: domain(),
      action: actions[below(actions.length)],
      ...(index % 20 === 7 ? { id: `${below(2 ** 32).toString(36)}${below(2 ** 32).toString(36)}` } : {}),
    });
  return Array.from({ length: EVENTS }, (_, event) => ({
    Records: Array.from({ length: RECORDS }, (_, record) => ({
      eventID: `shardId-000000000000:${event * RECORDS + record + 1}`,
      kinesis: {
        sequenceNumber: String(event * RECORDS + record + 1),
        approximateArrivalTimestamp: now / 1000,
        data: Buffer.from(Array.from({ length: LINES }, (_, index) => hit(index)).join('\n')).toString('base64'),
      },
    })),
  })) as Partial<KinesisStreamEvent> as KinesisStreamEvent[];
}
