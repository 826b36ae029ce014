import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seeded } from '#core/bytes/random.ts';
import { buildPyramid, type Points } from '#core/map/cluster.ts';
import { fileRoom } from '#core/map/kernel.ts';
import { encodeTile, tileBytes } from '#core/map/mvt.ts';
import { DEEPEST_ZOOM, type Pyramid } from '#core/map/pyramid.ts';
import { encodePyramid, openInPart, openPyramid } from '#core/map/snapshot.ts';

const now = Date.UTC(2026, 10, 21, 12);

/** Points in crowds, at the edges of the world, at one location, and with names and times of many lengths. */
function world(size: number, seed: number): Points {
  const random = seeded(seed);
  const encoder = new TextEncoder();
  const names = Array.from({ length: size }, (_, row) => encoder.encode(`${'é'.repeat(row % 130)}${row}.example`));
  const offsets = new Uint32Array(size + 1);
  for (let row = 0; row < size; row++) offsets[row + 1] = offsets[row] + names[row].length;
  const near = (middle: number, reach: number) => middle + (random() - 0.5) * reach * random() ** 3;
  const lon = Float64Array.from({ length: size }, (_, row) =>
    row % 5 === 0 ? near(180, 9) : row % 7 === 0 ? 13.5 : near(13, 40),
  );
  const lat = Float64Array.from({ length: size }, (_, row) =>
    row % 7 === 0 ? 52.5 : row % 11 === 0 ? near(85, 9) : near(50, 30),
  );
  return {
    domains: { offsets, utf8: Uint8Array.from(names.flatMap((name) => [...name])) },
    lon: lon.map((value) => (value > 180 ? value - 360 : value)),
    lat: lat.map((value) => Math.min(value, 90)),
    updatedAt: Float64Array.from({ length: size }, (_, row) =>
      row % 9 === 0 ? Math.floor(random() * 253_402_300_799_999) : now - Math.floor(random() * 1e9),
    ),
    country: new Uint16Array(size),
    countries: [''],
  };
}

const reference = (pyramid: Pyramid, z: number, x: number, y: number) => encodeTile(pyramid, pyramid.scanTile(z, x, y));

function same(pyramid: Pyramid, z: number, x: number, y: number): number {
  const place = `${z}/${x}/${y}`;
  assert.deepEqual(pyramid.tile(z, x, y).words, pyramid.scanTile(z, x, y).words, place);
  const bytes = pyramid.encodedTile(z, x, y);
  assert.ok(bytes, place);
  assert.deepEqual(Buffer.from(bytes), Buffer.from(reference(pyramid, z, x, y)), place);
  return bytes.length;
}

for (const [size, radius, maxZoom] of [
  [0, 64, 16],
  [1, 64, 16],
  [300, 64, 16],
  [9000, 64, 16],
  [9000, 16, 3],
  [9000, 256, 12],
  [9000, 33.3, 16],
])
  test(`tiles of ${size} points, radius ${radius}, to zoom ${maxZoom} equal the reference's`, () => {
    const pyramid = openPyramid(encodePyramid(buildPyramid(world(size, 3), { radius, maxZoom })));
    let bytes = 0;
    for (let z = 0; z <= 4; z++)
      for (let x = 0; x < 2 ** z; x++) for (let y = 0; y < 2 ** z; y++) bytes += same(pyramid, z, x, y);
    assert.equal(bytes > 0, size > 0);
    fc.assert(
      fc.property(
        fc.nat(Math.max(0, size - 1)),
        fc.integer({ min: 0, max: DEEPEST_ZOOM }),
        fc.integer({ min: -1, max: 1 }),
        (leaf, z, off) => {
          const at = (column: Uint32Array) =>
            Math.max(0, Math.min(2 ** z - 1, Math.floor(((column[leaf] ?? 0) / 2 ** 28) * 2 ** z) + off));
          same(pyramid, z, at(pyramid.leafColumns.x), at(pyramid.leafColumns.y));
        },
      ),
      { seed: 5, numRuns: 400 },
    );
  });

test('a file read in blocks gives the same tiles, and reads no block twice', async () => {
  const file = encodePyramid(buildPyramid(world(20_000, 7)));
  const whole = openPyramid(file);
  for (const blockBytes of [512, 4096, 65_536, 5000]) {
    const asked = new Set<number>();
    const read = async (start: number, end: number) => {
      if (start >= 4096) assert.ok(!asked.has(start), `${start} again`);
      asked.add(start);
      return file.slice(start, end);
    };
    const part = await openInPart(read, blockBytes, 4096);
    for (const [z, x, y] of [
      [0, 0, 0],
      [1, 1, 0],
      [4, 8, 5],
      [9, 274, 168],
      [16, 35225, 21486],
      [20, 563_600, 343_800],
    ]) {
      const bytes = await part.load(() => tileBytes(part, z, x, y));
      assert.deepEqual(Buffer.from(bytes), Buffer.from(reference(whole, z, x, y)), `${blockBytes}: ${z}/${x}/${y}`);
      // Once the whole file is in memory, the kernel makes the tile.
      if (blockBytes !== 5000) assert.ok(part.encodedTile(z, x, y));
    }
  }
});

test("a tile's bytes stay unchanged when later tiles are made", () => {
  const pyramid = openPyramid(encodePyramid(buildPyramid(world(9000, 3))));
  const tiles = Array.from({ length: 3000 }, (_, index) => [5, index % 32, (index >> 5) % 32] as const);
  const made = tiles.map((tile) => tileBytes(pyramid, ...tile));
  for (const [index, tile] of tiles.slice(0, 1024).entries())
    assert.deepEqual(Buffer.from(made[index]), Buffer.from(reference(pyramid, ...tile)));
});

test('a tile too large for the kernel is made by the reference', () => {
  const size = 40_000;
  const points = world(size, 3);
  for (let row = 0; row < size; row++) {
    points.lon[row] = 10 + (row % 200) * 1e-5;
    points.lat[row] = 50 + Math.floor(row / 200) * 1e-5;
  }
  const pyramid = openPyramid(encodePyramid(buildPyramid(points, { radius: 16, maxZoom: 0 })));
  const crowd = [3, 4, 2] as const;
  assert.equal(pyramid.encodedTile(...crowd), undefined);
  assert.ok(pyramid.tile(...crowd).length > 32_768);
  assert.deepEqual(Buffer.from(tileBytes(pyramid, ...crowd)), Buffer.from(reference(pyramid, ...crowd)));
});

test('without SIMD files open without the kernel, which is reported once', () => {
  const told: string[] = [];
  // A module with an unknown section: this is how a platform without SIMD sees a module with SIMD.
  const wasm = btoa('\0asm\x09\0\0\0');
  for (let again = 0; again < 2; again++)
    assert.equal(fileRoom(64, 0, { wasm, report: (text) => told.push(text) }), undefined);
  assert.equal(told.length, 1);
  assert.match(told[0], /SIMD/);
});
