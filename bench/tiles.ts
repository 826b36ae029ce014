// The rasterizer against supercluster 9.1 (+ vt-pbf 3.1) on the same skewed points and the same tiles, z0-16, radius 64
// of 512 pixels.
//   npm run bench -- tiles [--points 20000,1000000,10000000] [--rust-only]
// Last line: {n: {buildRatio, buildMs, buildWallMs, tileRatio, servedRatio, servedSameWriterRatio, servedUs, p99us,
// memoryRatio, coldMs, rustBuildRatio, rustTileRatio, rust}}; a ratio is the rival's figure divided by the
// rasterizer's. rust: the ports supercluster 3 and supercluster-rs, built by cargo into .cache, on the same points and
// tiles, each in its own process; ratios are against the faster one, null if neither could be built. --rust-only skips
// supercluster, whose ratios are then null. tile = the clusters alone; served = clusters + vector tile, by the rival's
// usual writer (vt-pbf) or by ours; p99us = our 99th percentile of one served tile by the wall clock, the median of
// five passes over all tiles. memory = peak resident growth over the build, input aside, each in a process of its own;
// cold = a fresh process from opening the file to the bytes of its first tile, imports aside, the median of nine.
import { fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fstatSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { freemem, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import Supercluster, { type AnyProps, type PointFeature, type TileFeature } from 'supercluster';
import { fromGeojsonVt } from 'vt-pbf';
import { seeded } from '#core/bytes/random.ts';
import { buildPyramid, type Points } from '#core/map/cluster.ts';
import { latToY, lonToX, SIZE } from '#core/map/mercator.ts';
import { encodeTile, tileBytes } from '#core/map/mvt.ts';
import { type Pyramid, SINGLE, TileItems } from '#core/map/pyramid.ts';
import { encodePyramid, openInPart, openPyramid } from '#core/map/snapshot.ts';
import { cargo } from './cargo.ts';
import { skewedPoints } from './worlds/points.ts';

const OPTIONS = { radius: 64, extent: 512, maxZoom: 16 };
const SEED = 5;
const ROUNDS = 5;
/** With this many points or more, a rival builds only once, because it takes most of a minute. */
const LARGE = 2e6;
/** Memory that features and index of ten million points take in Rust. */
const RUST_BYTES = 12e9;
const NODE_FLAGS = ['--expose-gc', '--max-old-space-size=16000'];
/** Latency and throughput of an object store in the same region, for one function. */
const LATENCY_MS = 20;
const MEGABYTES_PER_SECOND = 80;
type Tile = [z: number, x: number, y: number];
interface Site {
  domain: string;
  updatedAt: string;
  row: number;
}

const [task, ...rest] = process.argv.slice(2);
const sampled = (size: number) => (size < 1e5 ? 5_000 : 20_000);
const tasks: Record<string, () => void> = {
  oursServing: () => oursServing(Number(rest[0]), rest[1]),
  theirsServing: () => theirsServing(Number(rest[0])),
  points: () => writePoints(Number(rest[0]), rest[1]),
  ours: () => memory(Number(rest[0]), (points) => points, buildPyramid),
  theirs: () => memory(Number(rest[0]), features, (input) => new Supercluster<Site>(OPTIONS).load(input)),
  distant: () => void distant(rest[0], rest[1]),
  cold: () => void cold(rest[0], rest[1], rest.slice(2).map(Number) as Tile),
};
if (task in tasks) tasks[task]();
else await main();

async function main(): Promise<void> {
  const flag = process.argv.indexOf('--points');
  const sizes = (flag < 0 ? '20000,1000000,10000000' : process.argv[flag + 1]).split(',').map(Number);
  if (!sizes.every((size) => size > 0))
    throw new RangeError(`--points ${process.argv[flag + 1]}: give counts, as 20000,1000000`);
  const rustOnly = process.argv.includes('--rust-only');
  const folder = mkdtempSync(join(tmpdir(), 'whalewatch-tiles-'));
  const table: Record<string, object> = {};
  try {
    for (const size of sizes) {
      const file = join(folder, `${size}.bin`);
      const timed = await inTurns(size, file, rustOnly);
      const { first } = timed;
      const start = (way: string) =>
        Array.from({ length: 9 }, () => child('cold', way, file, ...first)).sort((a, b) => a.ms - b.ms)[4];
      const [part, whole] = [start('part'), start('whole')];
      const ours = child('ours', size);
      const theirs = rustOnly ? { megabytes: Number.NaN } : child('theirs', size);
      console.log(`${size} points, file ${(timed.fileBytes / 1e6).toFixed(1)} MB`);
      console.log(
        `  build       ${ms(timed.of('build.ours'))} against ${ms(timed.of('build.theirs'))}, by the wall clock ${ms(timed.of('buildWall.ours'))} against ${ms(timed.of('buildWall.theirs'))}; encoding the file ${ms(timed.encode)}`,
      );
      console.log(
        `  tile        ${us(timed.of('tile.ours'))} against ${us(timed.of('tile.theirs'))} us, ${timed.items.toFixed(1)} items`,
      );
      console.log(
        `  served      ${us(timed.of('served.ours'))} against ${us(timed.of('served.theirs'))} (vt-pbf), ${us(timed.of('sameWriter.theirs'))} (our writer) us; p99 ${us(timed.of('p99.ours'))} us`,
      );
      console.log(
        `  memory      ${ours.megabytes} against ${Number.isNaN(theirs.megabytes) ? '-' : theirs.megabytes} MB at the peak of the build`,
      );
      console.log(
        `  cold        ${part.ms.toFixed(1)} ms to the first tile in ${part.reads} reads of ${(part.bytes / 1e6).toFixed(2)} MB; ${whole.ms.toFixed(1)} ms by reading the whole file`,
      );
      const [far, farWhole] = [child('distant', 'part', file), child('distant', 'whole', file)];
      console.log(
        `  new file    ${ms(far.first)} to a reader's first tile, ${ms(far.next)} to one at zoom 12, of ${(far.bytes / 1e6).toFixed(2)} MB; ${ms(farWhole.first)} had the function to load all (${LATENCY_MS} ms a read, ${MEGABYTES_PER_SECOND} MB/s)`,
      );
      const rust = rustPorts(size, join(folder, 'points.bin'));
      const faster = (figure: 'buildMs' | 'tileMs', ours: string) => {
        const all = Object.values(rust).flatMap((figures) => (figures ? [figures[figure]] : []));
        return all.length === 0 ? null : round(Math.min(...all) / timed.of(ours));
      };
      table[size] = {
        buildRatio: round(timed.of('build.theirs') / timed.of('build.ours')),
        buildMs: round(timed.of('build.ours')),
        buildWallMs: round(timed.of('buildWall.ours')),
        tileRatio: round(timed.of('tile.theirs') / timed.of('tile.ours')),
        servedRatio: round(timed.of('served.theirs') / timed.of('served.ours')),
        servedSameWriterRatio: round(timed.of('sameWriter.theirs') / timed.of('served.ours')),
        servedUs: round(timed.of('served.ours') * 1000),
        p99us: round(timed.of('p99.ours') * 1000),
        memoryRatio: round(theirs.megabytes / ours.megabytes),
        coldMs: round(part.ms),
        rustBuildRatio: faster('buildMs', 'build.ours'),
        rustTileRatio: faster('tileMs', 'tile.ours'),
        rust,
      };
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(JSON.stringify(table));
}

/** Runs one task in a process of its own; its last line is JSON. */
// biome-ignore lint/suspicious/noExplicitAny: each task's own figures, read right where they are asked for
function child(...args: (string | number)[]): any {
  const run = spawnSync(process.execPath, [...NODE_FLAGS, import.meta.filename, ...args.map(String)], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  if (run.status !== 0) throw new Error(`${args.join(' ')}: ${run.stderr}`);
  return JSON.parse(run.stdout.trim().split('\n').at(-1) ?? '');
}

interface RustFigures {
  buildMs: number;
  buildWallMs: number;
  tileMs: number;
}

/** By Rust port; null for one that is missing. */
function rustPorts(size: number, file: string): Record<string, RustFigures | null> {
  const program = cargo('tiles');
  if (program) child('points', size, file);
  const run = (port: string) => {
    if (!program) return null;
    const builds = size > LARGE ? 1 : ROUNDS;
    const { status, stdout, stderr } = spawnSync(program, [port, file, String(builds)], { encoding: 'utf8' });
    if (status === 0) {
      const figures: RustFigures = JSON.parse(stdout);
      const { buildMs, buildWallMs, tileMs } = figures;
      console.log(
        `  ${port.padEnd(15)} build ${ms(buildMs)}, by the wall clock ${ms(buildWallMs)}, tile ${us(tileMs)} us (Rust)`,
      );
      return figures;
    }
    console.error(`the rival ${port} is missing: ${stderr.trim().split('\n').at(-1)}`);
    return null;
  };
  const fits = size <= LARGE || freemem() > RUST_BYTES;
  if (!fits)
    console.error(`the rival supercluster is missing: ${size} features take ${RUST_BYTES / 1e9} GB of free memory`);
  return { 'supercluster-rs': run('supercluster-rs'), supercluster: fits ? run('supercluster') : null };
}

/** The points and tiles as the Rust ports read them (bench/rust/tiles). */
function writePoints(size: number, file: string): void {
  const points = skewedPoints(size, SEED);
  const tiles = sampleTiles(points, sampled(size));
  const bytes = (column: Float64Array | Uint32Array) =>
    Buffer.from(column.buffer, column.byteOffset, column.byteLength);
  const parts = [Uint32Array.of(size, tiles.length), points.lon, points.lat, Uint32Array.from(tiles.flat())];
  writeFileSync(file, Buffer.concat(parts.map(bytes)));
  print({ points: size });
}

/** A side's measures by name, in milliseconds for a build or a tile. */
type Measures = Record<string, () => number | object>;

/**
 * Each side runs in its own process, so that collecting the rival's millions of objects costs us nothing. They take
 * turns at each measure, so that both see the same machine.
 */
async function inTurns(size: number, file: string, rustOnly: boolean) {
  const ours = side('oursServing', size, file);
  const sides = { ours, theirs: rustOnly ? undefined : side('theirsServing', size) };
  const spent = new Map<string, number[]>();
  const note = (key: string, value: number) => spent.set(key, [...(spent.get(key) ?? []), value]);
  const ask = async (name: string, rounds: number, warmUp: number, of: ('ours' | 'theirs')[] = ['ours', 'theirs']) => {
    for (let round = 0; round < rounds + warmUp; round++)
      for (const whose of of) {
        const answer = await sides[whose]?.(name);
        if (round < warmUp || answer === undefined) continue;
        if (typeof answer === 'number') note(`${name}.${whose}`, answer);
        else for (const [figure, value] of Object.entries(answer as object)) note(`${figure}.${whose}`, value);
      }
  };
  if (size <= LARGE) await ask('build', ROUNDS, 0);
  else {
    await ask('build', 1, 0);
    await ask('build', ROUNDS - 1, 0, ['ours']);
  }
  const { fileBytes, items, first, encode } = (await ours('write')) as never as Written;
  await ask('tile', ROUNDS, 1);
  await ask('served', ROUNDS, 1);
  await ask('sameWriter', ROUNDS, 1);
  await ask('p99', ROUNDS, 0);
  for (const whose of Object.values(sides)) await whose?.('end');
  return { of: (name: string) => median(spent.get(name) ?? []), fileBytes, items, first, encode };
}

interface Written {
  fileBytes: number;
  /** Items of a tile, on average. */
  items: number;
  first: Tile;
  encode: number;
}

/** Starts a side. The returned function runs a measure by name; undefined if the side does not have it. */
function side(...args: (string | number)[]): (measure: string) => Promise<unknown> {
  const process = fork(import.meta.filename, args.map(String), { execArgv: NODE_FLAGS });
  const answers: ((answer: { value?: unknown }) => void)[] = [];
  process.on('message', (answer: { value?: unknown }) => answers.shift()?.(answer));
  const ended = once(process, 'exit').then(([code]) => {
    if (code !== 0) throw new Error(`${args.join(' ')}: exit ${code}`);
    return { value: undefined };
  });
  return async (measure) => {
    const answered = new Promise<{ value?: unknown }>((resolve) => answers.push(resolve));
    process.send(measure);
    return (await Promise.race([answered, ended])).value;
  };
}

function answering(measures: Measures): void {
  process.on('message', (name: string) => {
    if (name === 'end') process.exit();
    process.send?.({ value: measures[name]?.() });
  });
}

function oursServing(size: number, file: string): void {
  const points = skewedPoints(size, SEED);
  const sample = sampleTiles(points, sampled(size));
  buildPyramid(skewedPoints(20_000, 1));
  let built: Pyramid;
  let opened: Pyramid;
  const served = (tile: Tile) => tileBytes(opened, ...tile).length;
  answering({
    build: () => afterCollection(() => (built = buildPyramid(points))),
    write: () => {
      let bytes = new Uint8Array(0);
      const encode = time(() => (bytes = encodePyramid(built)));
      writeFileSync(file, bytes);
      opened = openPyramid(bytes);
      const items = sample.reduce((sum, tile) => sum + opened.tile(...tile).length, 0) / sample.length;
      return { fileBytes: bytes.length, items, first: sample.find(([z]) => z === 4), encode };
    },
    tile: () => perTile(sample, (tile) => opened.tile(...tile).length),
    served: () => perTile(sample, served),
    p99: () => {
      const single = new Float64Array(sample.length);
      sample.forEach((tile, i) => {
        const start = performance.now();
        served(tile);
        single[i] = performance.now() - start;
      });
      return single.sort()[Math.floor(single.length * 0.99)];
    },
  });
}

function theirsServing(size: number): void {
  const points = skewedPoints(size, SEED);
  const sample = sampleTiles(points, sampled(size));
  const input = features(points);
  // Names and times for our writer, in typed arrays, which garbage collection does not scan.
  const written = buildPyramid(points);
  new Supercluster(OPTIONS).load(features(skewedPoints(20_000, 1)));
  let index: Supercluster<Site>;
  const found = (tile: Tile) => index.getTile(...tile) ?? { features: [] };
  answering({
    build: () => afterCollection(() => (index = new Supercluster<Site>(OPTIONS).load(input))),
    tile: () => perTile(sample, (tile) => found(tile).features.length),
    served: () =>
      perTile(sample, (tile) => fromGeojsonVt({ clusters: found(tile) }, { version: 2, extent: 512 }).length),
    sameWriter: () => perTile(sample, (tile) => encodeTile(written, rivalItems(found(tile).features)).length),
  });
}

function afterCollection(build: () => unknown): { build: number; buildWall: number } {
  gc();
  const start = performance.now();
  const spent = time(build);
  return { build: spent, buildWall: performance.now() - start };
}

/** Milliseconds a tile, over the sample. */
function perTile(sample: Tile[], answer: (tile: Tile) => number): number {
  let sink = 0;
  gc();
  const spent = time(() => {
    for (const tile of sample) sink += answer(tile);
  });
  if (sink === 0) throw new Error('no tile had anything in it');
  return spent / sample.length;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** Tiles that have points: zooms spread evenly over 0..16, each the tile of a random point. */
function sampleTiles({ lon, lat }: Points, count: number): Tile[] {
  const random = seeded(9);
  return Array.from({ length: count }, () => {
    const z = Math.floor(random() * 17);
    const i = Math.floor(random() * lon.length);
    return [z, Math.floor((lonToX(lon[i]) / SIZE) * 2 ** z), Math.floor((latToY(lat[i]) / SIZE) * 2 ** z)];
  });
}

/** The rival's input: GeoJSON, with times already as texts. */
function features({ lon, lat, updatedAt }: Points): PointFeature<Site>[] {
  return Array.from(lon, (_, row) => ({
    type: 'Feature',
    geometry: { type: 'Point', coordinates: [lon[row], lat[row]] },
    properties: { domain: `site-${row}.example`, updatedAt: new Date(updatedAt[row]).toISOString(), row },
  }));
}

/**
 * The rival's features in the encoding that our writer takes; a leaf is a row of our pyramid, with the same name and
 * time.
 */
function rivalItems(found: TileFeature<AnyProps, Site>[]): TileItems {
  const words = new Int32Array(found.length * 4);
  for (let i = 0; i < found.length; i++) {
    const { geometry, tags } = found[i];
    words[4 * i] = geometry[0][0] * 8;
    words[4 * i + 1] = geometry[0][1] * 8;
    if (tags && 'cluster_id' in tags) {
      words[4 * i + 2] = (tags.point_count << 5) | ((tags.cluster_id as number) & 15);
      words[4 * i + 3] = i;
    } else {
      words[4 * i + 2] = (1 << 5) | SINGLE;
      words[4 * i + 3] = (tags as unknown as Site).row;
    }
  }
  return new TileItems(words);
}

/** Megabytes by which the process grows from the input to the build's peak; a thread samples every 2 ms. */
function memory<Input>(size: number, prepare: (points: Points) => Input, build: (input: Input) => unknown) {
  const input = prepare(skewedPoints(size, SEED));
  const peak = new Float64Array(new SharedArrayBuffer(8));
  const watcher = new Worker(
    `const { workerData } = require('node:worker_threads');
     setInterval(() => { workerData[0] = Math.max(workerData[0], process.memoryUsage.rss()); }, 2);`,
    { eval: true, workerData: peak },
  );
  watcher.once('online', () => {
    setTimeout(() => {
      gc();
      const before = process.memoryUsage.rss();
      peak[0] = before;
      const built = build(input);
      const most = Math.max(peak[0], process.memoryUsage.rss());
      print({ megabytes: Math.round((most - before) / 1e6), built: built !== undefined });
      process.exit();
    }, 100);
  });
}

/**
 * A fresh function opens the file and serves a tile; it reads only the parts it needs, as in service, or the whole
 * file.
 */
async function cold(way: string, file: string, tile: Tile) {
  const start = performance.now();
  const handle = openSync(file, 'r');
  let [reads, bytes] = [0, 0];
  const read = (from: number, to: number) => {
    const part = new Uint8Array(to - from);
    let length = 0;
    for (let got = -1; got !== 0 && length < part.length; length += got)
      got = readSync(handle, part, length, part.length - length, from + length);
    reads++;
    bytes += length;
    return part.subarray(0, length);
  };
  const pyramid =
    way === 'part'
      ? await openInPart(async (from, to) => read(from, to))
      : openPyramid(read(0, fstatSync(handle).size));
  const { length } = await pyramid.load(() => tileBytes(pyramid, ...tile));
  print({ ms: performance.now() - start, length, reads, bytes });
}

/**
 * Time that the first reader of a new snapshot waits, in a function that reads it from an object store: the first tile
 * at zoom 4, then one with points at zoom 12.
 */
async function distant(way: string, file: string) {
  const handle = openSync(file, 'r');
  let bytes = 0;
  const read = async (from: number, to: number) => {
    const part = new Uint8Array(Math.min(to, fstatSync(handle).size) - from);
    readSync(handle, part, 0, part.length, from);
    bytes += part.length;
    await new Promise((done) => setTimeout(done, LATENCY_MS + part.length / MEGABYTES_PER_SECOND / 1000));
    return part;
  };
  const start = performance.now();
  const pyramid = way === 'part' ? await openInPart(read) : openPyramid(await read(0, fstatSync(handle).size));
  const tileOf = (z: number): Tile => [z, ...([0.53, 0.35].map((at) => Math.floor(at * 2 ** z)) as [number, number])];
  await pyramid.load(() => pyramid.tile(...tileOf(4)));
  const first = performance.now() - start;
  const town = pyramid.size >> 1;
  await pyramid.load(() => {
    const { lon, lat } = pyramid.leaf(town);
    return pyramid.tile(12, lonToX(lon) >>> 16, latToY(lat) >>> 16);
  });
  print({ first, next: performance.now() - start - first, bytes });
}

/** Milliseconds of this thread's processor time: what others do on the machine does not count. */
function time(run: () => unknown): number {
  const start = process.threadCpuUsage();
  run();
  const { user, system } = process.threadCpuUsage(start);
  return (user + system) / 1000;
}

function gc(): void {
  globalThis.gc?.();
}

function print(figures: object): void {
  console.log(JSON.stringify(figures));
}

function ms(value: number): string {
  return Number.isNaN(value) ? '-' : `${value.toFixed(0)} ms`;
}

function us(milliseconds: number): string {
  return Number.isNaN(milliseconds) ? '-' : (milliseconds * 1000).toFixed(2);
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}
