import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VectorTile } from '@mapbox/vector-tile';
import { PbfReader } from 'pbf';
import { buildPyramid } from '#core/map/cluster.ts';
import { tileFeatures } from '#core/map/geojson.ts';
import { encodeTile } from '#core/map/mvt.ts';
import { encodePyramid, openPyramid } from '#core/map/snapshot.ts';
import { skewedPoints } from '../../../bench/worlds/points.ts';
import { pointsOf } from '../../support/points-of.ts';

test("a vector tile decodes to the same items as the tile's GeoJSON form", () => {
  const built = buildPyramid(skewedPoints(20_000, 1));
  for (const pyramid of [built, openPyramid(encodePyramid(built))]) {
    for (const [z, x, y] of [
      [0, 0, 0],
      [1, 1, 0],
      [3, 4, 2],
      [6, 33, 20],
      [17, 70_000, 45_000],
    ]) {
      const tile = pyramid.tile(z, x, y);
      const bytes = encodeTile(pyramid, tile);
      if (tile.length === 0) {
        assert.equal(bytes.length, 0);
        continue;
      }
      const layer = new VectorTile(new PbfReader(bytes)).layers.clusters;
      assert.deepEqual([layer.version, layer.extent, layer.length], [2, 4096, tile.length]);
      const features = tileFeatures(pyramid, tile, z, x, y);
      for (let i = 0; i < layer.length; i++) {
        const feature = layer.feature(i);
        assert.equal(feature.type, 1);
        assert.equal(feature.id, features[i].id);
        assert.deepEqual({ ...feature.properties }, features[i].properties);
        const [[point]] = feature.loadGeometry();
        assert.deepEqual([point.x, point.y], [tile.x(i), tile.y(i)]);
        const { coordinates } = feature.toGeoJSON(x, y, z).geometry as { coordinates: number[] };
        const [lon, lat] = features[i].geometry.coordinates;
        assert.ok(Math.abs(coordinates[0] - lon) < 2e-6 && Math.abs(coordinates[1] - lat) < 2e-6);
      }
    }
  }
});

test('names of any length and script, times before 1970 and points at one location are encoded', () => {
  const row = { lon: 10, lat: 50, updatedAt: -86_400_001, country: '' };
  const long = `${'ü'.repeat(400)}.example`;
  const alone = buildPyramid(pointsOf([{ ...row, domain: long }]));
  const single = new VectorTile(new PbfReader(encodeTile(alone, alone.tile(0, 0, 0)))).layers.clusters.feature(0);
  assert.deepEqual({ ...single.properties }, { domain: long, updatedAt: '1969-12-30T23:59:59.999Z' });

  const shared = buildPyramid(pointsOf(Array.from({ length: 5000 }, (_, i) => ({ ...row, domain: `${i}` }))));
  const cluster = new VectorTile(new PbfReader(encodeTile(shared, shared.tile(0, 0, 0)))).layers.clusters.feature(0);
  assert.deepEqual({ ...cluster.properties }, { point_count: 5000 });
});
