import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '#core/bytes/random.ts';
import { buildPyramid } from '#core/map/cluster.ts';
import { SIZE } from '#core/map/mercator.ts';
import { encodeTile } from '#core/map/mvt.ts';
import type { Box, Pyramid } from '#core/map/pyramid.ts';
import { BadSnapshot, encodePyramid, openInPart, openPyramid } from '#core/map/snapshot.ts';
import { skewedPoints } from '../../../bench/worlds/points.ts';

const file = encodePyramid(buildPyramid(skewedPoints(20_000, 4)));
const whole = openPyramid(file);
/** A tile of zoom 9 that contains a point. */
const tileOf = (unit: number) => Math.floor((unit / SIZE) * 2 ** 9);
const deep: [number, number, number] = [9, tileOf(whole.leafColumns.x[10_000]), tileOf(whole.leafColumns.y[10_000])];

/** A file whose reads are counted. */
function distant(bytes = file) {
  const reads: [start: number, end: number][] = [];
  const read = async (start: number, end: number) => {
    reads.push([start, end]);
    return bytes.slice(start, end);
  };
  return {
    read,
    reads,
    readBytes: () => reads.reduce((sum, [start, end]) => sum + Math.min(end, bytes.length) - start, 0),
  };
}

test('a partly read file gives the same results as the whole file', async () => {
  const { read } = distant();
  const part = await openInPart(read, 1024, 8192);
  const random = seeded(1);
  for (let i = 0; i < 300; i++) {
    const z = Math.floor(random() * 19);
    const [x, y] = [Math.floor((0.3 + 0.4 * random()) * 2 ** z), Math.floor((0.3 + 0.3 * random()) * 2 ** z)];
    const tile = await part.load(() => part.tile(z, x, y));
    assert.deepEqual(encodeTile(part, tile), encodeTile(whole, whole.tile(z, x, y)));
  }
  const ask = (pyramid: Pyramid, box: Box, zoom: number) =>
    pyramid.clusters(box, zoom).map(({ id }) => ({
      total: pyramid.find(id).count,
      leaves: pyramid.leaves(id, 3, 1),
      counted: pyramid.countClusters(box, zoom),
    }));
  for (const [box, zoom] of [
    [[-180, -90, 180, 90], 1],
    [[170, -60, -160, 60], 4],
    [[5, 30, 15, 40], 9],
    [[5, 30, 7, 32], 17],
  ] as [Box, number][]) {
    assert.deepEqual(await part.load(() => ask(part, box, zoom)), ask(whole, box, zoom));
  }
  await assert.rejects(
    part.load(() => part.find(19_999 * 32 + 4)),
    RangeError,
  );
});

test('a tile reads only what it needs, once and in few reads, and a small file is read whole', async () => {
  const { read, reads, readBytes } = distant();
  const part = await openInPart(read, 1024, 8192);
  assert.deepEqual(reads.length, 2);
  const tile = await part.load(() => part.tile(...deep));
  assert.ok(tile.length > 0);
  assert.ok(readBytes() < file.length / 20, `${readBytes()} of ${file.length} bytes`);
  const before = reads.length;
  await part.load(() => part.tile(...deep));
  assert.equal(reads.length, before);
  const bytes = readBytes();
  await Promise.all([5, 5, 5].map((z) => part.load(() => part.tile(z, 16, 11))));
  const alone = distant();
  const other = await openInPart(alone.read, 1024, 8192);
  await other.load(() => other.tile(...deep));
  await other.load(() => other.tile(5, 16, 11));
  assert.equal(readBytes() - bytes, alone.readBytes() - bytes);

  const small = distant();
  const opened = await openInPart(small.read);
  await opened.load(() => opened.tile(...deep));
  assert.deepEqual(small.reads, [
    [0, 1 << 20],
    [1 << 20, file.length],
  ]);
  // Up to eight times what is read first, and no further.
  for (const [first, reads] of [
    [
      file.length / 8,
      [
        [0, file.length / 8],
        [file.length / 8, file.length],
      ],
    ],
    [file.length / 8 - 1, undefined],
  ] as const) {
    const edge = distant();
    await openInPart(edge.read, 1024, first);
    if (reads) assert.deepEqual(edge.reads, reads);
    else assert.ok(edge.readBytes() < file.length / 2);
  }
});

test('a failed or short read is an error, and the next attempt reads again', async () => {
  const { read } = distant();
  let broken = false;
  const part = await openInPart(
    async (start, end) => {
      if (broken) throw new Error('the store is down');
      return read(start, end);
    },
    1024,
    8192,
  );
  broken = true;
  await assert.rejects(
    part.load(() => part.tile(...deep)),
    /the store is down/,
  );
  broken = false;
  assert.ok((await part.load(() => part.tile(...deep))).length > 0);
});

test('a truncated or foreign file is refused when it is opened', async () => {
  const open = (bytes: Uint8Array<ArrayBuffer>) => openInPart(distant(bytes).read, 1024, 8192);
  await assert.rejects(open(file.slice(0, -1000)), BadSnapshot);
  await assert.rejects(open(file.slice(0, 5000)), BadSnapshot);
  await assert.rejects(open(new Uint8Array(20_000)), /not a points\.bin/);
  const other = encodePyramid(buildPyramid(skewedPoints(20_000, 5)));
  const mixed = file.slice();
  mixed.set(other.subarray(other.length - 5000), file.length - 5000);
  await assert.rejects(open(mixed), /its end belongs to another file/);
  // A store that gives less than was asked for, at each of the reads.
  for (const short of [1, 2, 3]) {
    const { read } = distant();
    let reads = 0;
    const less: typeof read = async (start, end) => read(start, ++reads === short ? end - 1 : end);
    const opened = openInPart(less, 1024, 8192).then((pyramid) => pyramid.load(() => pyramid.tile(...deep)));
    await assert.rejects(opened, short < 3 ? BadSnapshot : Error);
  }
  // One whose header is said to be longer than the part that is read first.
  await assert.rejects(openInPart(distant().read, 1024, 256), BadSnapshot);
});
