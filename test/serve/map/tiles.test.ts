import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VectorTile } from '@mapbox/vector-tile';
import { Hono } from 'hono';
import { PbfReader } from 'pbf';
import { buildPyramid } from '#core/map/cluster.ts';
import { pointerKey, snapshotKey } from '#core/map/pointer.ts';
import { DEEPEST_ZOOM } from '#core/map/pyramid.ts';
import { encodePyramid } from '#core/map/snapshot.ts';
import type { ObjectStore } from '#core/stores.ts';
import { answerErrors } from '#http/errors.ts';
import { mapRoutes } from '#serve/map/clusters.ts';
import { objectSnapshots, type SnapshotSource } from '#serve/map/snapshots.ts';
import { skewedPoints } from '../../../bench/worlds/points.ts';
import { decode } from '../../support/png.ts';
import { pointsOf, type Row } from '../../support/points-of.ts';

const day = 86_400_000;
const now = Date.UTC(2026, 10, 21);
const rows: Row[] = [
  { domain: 'a.example', lon: 13.4, lat: 52.5, updatedAt: now - 3000, country: 'DE' },
  { domain: 'b.example', lon: 13.5, lat: 52.6, updatedAt: now - 2000, country: 'DE' },
  { domain: 'c.example', lon: 13.4, lat: 52.5, updatedAt: now - 1000, country: 'DE' },
  { domain: 'east.example', lon: 179.9, lat: -17, updatedAt: now - day, country: 'FJ' },
  { domain: 'west.example', lon: -170, lat: -17, updatedAt: now - 2 * day, country: 'WS' },
];

/** The routes in an app with error handlers, as the real app mounts them. */
function mapApp(source: SnapshotSource) {
  const app = new Hono();
  answerErrors(app, (cause) => {
    throw cause;
  });
  return app.route(
    '/',
    mapRoutes(
      () => source,
      () => now,
      7,
    ),
  );
}

function served(have = true) {
  const pyramid = buildPyramid(pointsOf(rows));
  const reads: string[] = [];
  const source: SnapshotSource = {
    latest: async () => {
      reads.push('latest');
      return have ? { snapshot: 's2', updatedAt: now - 5000, points: rows.length } : undefined;
    },
    open: async (snapshot) => {
      reads.push(snapshot);
      return snapshot.startsWith('s') ? pyramid : undefined;
    },
  };
  const app = mapApp(source);
  const get = (path: string, headers: Record<string, string> = {}) => app.request(path, { headers });
  return { get, reads };
}

test('the pointer says which snapshot is newest and how old it is', async () => {
  const { get } = served();
  const reply = await get('/v1/points/latest');
  assert.equal(reply.status, 200);
  assert.match(reply.headers.get('cache-control') ?? '', /max-age=2/);
  assert.deepEqual(await reply.json(), {
    snapshot: 's2',
    updatedAt: '2026-11-20T23:59:55.000Z',
    points: 5,
    staleSeconds: 5,
  });
  assert.equal((await served(false).get('/v1/points/latest')).status, 404);
});

test('a tile of a snapshot is immutable, the same tile of latest is short-lived', async () => {
  const { get } = served();
  const reply = await get('/v1/tiles/s2/0/0/0.mvt');
  assert.equal(reply.status, 200);
  assert.equal(reply.headers.get('content-type'), 'application/vnd.mapbox-vector-tile');
  assert.match(reply.headers.get('cache-control') ?? '', /immutable/);
  const layer = new VectorTile(new PbfReader(new Uint8Array(await reply.arrayBuffer()))).layers.clusters;
  const counts = Array.from({ length: layer.length }, (_, i) => layer.feature(i).properties.point_count ?? 1);
  assert.ok(counts.includes(3));
  const latest = await get('/v1/tiles/latest/0/0/0.mvt');
  assert.equal(latest.status, 200);
  assert.doesNotMatch(latest.headers.get('cache-control') ?? '', /immutable/);
});

test('a caller who already has the tile gets 304 without it being read; an empty tile is 204', async () => {
  const { get, reads } = served();
  const etag = (await get('/v1/tiles/s2/0/0/0.mvt')).headers.get('etag') ?? '';
  reads.length = 0;
  const again = await get('/v1/tiles/s2/0/0/0.mvt', { 'If-None-Match': `"other", ${etag}` });
  assert.equal(again.status, 304);
  assert.deepEqual(reads, []);
  assert.equal((await get('/v1/tiles/latest/0/0/0.mvt', { 'If-None-Match': etag })).status, 304);
  const empty = await get('/v1/tiles/s2/5/0/0.mvt');
  assert.equal(empty.status, 204);
  assert.equal((await empty.arrayBuffer()).byteLength, 0);
});

test('the deepest zoom and its last tile are served', async () => {
  const { get } = served();
  const last = 2 ** DEEPEST_ZOOM - 1;
  for (const [x, y] of [
    [0, 0],
    [last, last],
  ])
    assert.equal((await get(`/v1/tiles/s2/${DEEPEST_ZOOM}/${x}/${y}.mvt`)).status, 204);
  for (const [x, y] of [
    [last + 1, last],
    [last, last + 1],
  ])
    assert.equal((await get(`/v1/tiles/s2/${DEEPEST_ZOOM}/${x}/${y}.mvt`)).status, 400);
});

test('tiles are gzipped only for clients that accept gzip', async () => {
  const { get } = served();
  const plain = new Uint8Array(
    await (await get('/v1/tiles/s2/3/4/2.json', { 'Accept-Encoding': 'br, gzip;q=0' })).arrayBuffer(),
  );
  const reply = await get('/v1/tiles/s2/3/4/2.json', { 'Accept-Encoding': 'gzip, br' });
  assert.equal(reply.headers.get('content-encoding'), 'gzip');
  assert.equal(reply.headers.get('vary'), 'Accept-Encoding');
  const stream = reply.body?.pipeThrough(new DecompressionStream('gzip'));
  assert.deepEqual(new Uint8Array(await new Response(stream).arrayBuffer()), plain);
});

test('the same tile as GeoJSON', async () => {
  const { get } = served();
  const { type, features } = await (await get('/v1/tiles/s2/5/31/17.json')).json();
  assert.equal(type, 'FeatureCollection');
  const domains = features.map((feature: { properties: { domain?: string } }) => feature.properties.domain);
  assert.ok(domains.includes('east.example'));
});

test('an empty tile is an empty collection as GeoJSON, filtered or not', async () => {
  const { get } = served();
  for (const path of ['/v1/tiles/s2/5/0/0.json', '/v1/tiles/s2/3/7/4.json?country=XX']) {
    const reply = await get(path);
    assert.equal(reply.status, 200);
    const { type, features } = await reply.json();
    assert.deepEqual([type, features], ['FeatureCollection', []]);
  }
});

test('clusters of a box, across the antimeridian too', async () => {
  const { get } = served();
  const reply = await get('/v1/clusters?bbox=170,-30,-160,0&zoom=5.7');
  const { snapshot, zoom, features } = await reply.json();
  assert.deepEqual([snapshot, zoom], ['s2', 5]);
  const domains = features.map((feature: { properties: { domain?: string } }) => feature.properties.domain);
  assert.deepEqual(domains.sort(), ['east.example', 'west.example']);
});

test('leaves of a cluster are paged, newest first, with their total', async () => {
  const { get } = served();
  const { features } = await (await get('/v1/clusters?bbox=0,40,30,60&zoom=0')).json();
  assert.deepEqual(features[0].properties.point_count, 3);
  const page = async (query: string) => (await get(`/v1/clusters/leaves?cluster=${features[0].id}${query}`)).json();
  const all = await page('');
  assert.equal(all.total, 3);
  assert.deepEqual(
    all.items.map(({ domain }: { domain: string }) => domain),
    ['c.example', 'b.example', 'a.example'],
  );
  assert.equal(all.items[0].country, 'DE');
  assert.equal(all.items[0].updatedAt, '2026-11-20T23:59:59.000Z');
  assert.deepEqual((await page('&limit=1&offset=1')).items, [all.items[1]]);
  assert.equal((await get('/v1/clusters/leaves?cluster=28800')).status, 404);
});

test('a cluster of a filtered map is found with that filter, and the refusal says so', async () => {
  const { get } = served();
  const ask = async (query: string) => {
    const answer = await get(`/v1/clusters/leaves?${query}`);
    return { status: answer.status, body: await answer.json() };
  };
  const { features } = await (await get('/v1/clusters?bbox=0,40,30,60&zoom=0&country=DE')).json();
  const { id } = features[0];
  assert.equal((await ask(`cluster=${id}&country=DE`)).body.total, 3);
  const refused = async (query: string) => {
    const { status, body } = await ask(query);
    assert.equal(status, 404, query);
    return body.error.message;
  };
  const how = ': give the hours, the day and the country it came with';
  assert.equal(await refused(`cluster=${id}`), `cluster "${id}" is not in snapshot s2 with this filter${how}`);
  assert.equal(
    await refused(`cluster=${id}&country=FJ`),
    `cluster "${id}" is not in snapshot s2 with this filter${how}`,
  );
  assert.equal(await refused('cluster=28800'), 'cluster "28800" is not in snapshot s2');
  // Without a cluster: all points.
  assert.equal((await ask('')).body.total, rows.length);
});

test('hours and country filter tiles, boxes and leaves alike', async () => {
  const { get } = served();
  const domains = async (path: string) =>
    (await (await get(path)).json()).features.map(
      ({ properties }: { properties: { domain?: string; point_count?: number } }) =>
        properties.domain ?? properties.point_count,
    );
  const box = '/v1/clusters?bbox=-180,-90,180,90&zoom=3';
  assert.deepEqual((await domains(box)).sort(), [3, 'east.example', 'west.example']);
  assert.deepEqual(await domains(`${box}&country=fj`), ['east.example']);
  assert.deepEqual(await domains(`${box}&hours=1`), [3]);
  assert.deepEqual((await domains(`${box}&hours=25`)).sort(), [3, 'east.example']);
  assert.deepEqual(await domains(`${box}&hours=25&country=WS`), []);
  assert.deepEqual(await domains('/v1/tiles/s2/3/7/4.json?country=FJ'), ['east.example']);
  assert.equal((await get('/v1/tiles/s2/3/7/4.mvt?country=XX')).status, 204);
  const etag = (await get('/v1/tiles/s2/3/7/4.mvt')).headers.get('etag') ?? '';
  assert.equal((await get('/v1/tiles/s2/3/7/4.mvt?country=FJ', { 'If-None-Match': etag })).status, 200);
  const { features } = await (await get(box)).json();
  const id = features.find(({ properties }: { properties: { point_count?: number } }) => properties.point_count).id;
  assert.equal((await (await get(`/v1/clusters/leaves?cluster=${id}&country=DE`)).json()).total, 3);
  assert.equal((await (await get(`/v1/clusters/leaves?cluster=${id}&country=FJ`)).json()).total, 0);
});

test("Yandex Maps' manager gets its own form, as JSONP when it names a function", async () => {
  const { get } = served();
  const reply = await get('/v1/clusters/yandex?bbox=40,0,60,30&zoom=0&callback=id_1.load');
  assert.match(reply.headers.get('content-type') ?? '', /^text\/javascript/);
  assert.equal(reply.headers.get('x-content-type-options'), 'nosniff');
  const text = await reply.text();
  assert.ok(text.startsWith('/**/id_1.load(') && text.endsWith(');'));
  const [cluster] = JSON.parse(text.slice('/**/id_1.load('.length, -2)).features;
  assert.deepEqual([cluster.type, cluster.number, cluster.properties.iconContent], ['Cluster', 3, '3']);
  const [lat, lon] = cluster.geometry.coordinates;
  assert.ok(Math.abs(lat - 52.53) < 0.1 && Math.abs(lon - 13.43) < 0.1);
  const json = await get('/v1/clusters/yandex?bbox=-30,170,0,-160&zoom=9');
  const { features } = await json.json();
  assert.deepEqual(
    features.map(({ type }: { type: string }) => type),
    ['Feature', 'Feature'],
  );
});

test('a tile as a picture, and the badge and the embedded page for other sites', async () => {
  const { get } = served();
  const png = await get('/v1/tiles/s2/0/0/0.png?theme=dark&size=256');
  assert.equal(png.headers.get('content-type'), 'image/png');
  const bytes = new Uint8Array(await png.arrayBuffer());
  assert.equal(new DataView(bytes.buffer).getUint32(16), 256);
  assert.notEqual(png.headers.get('etag'), (await get('/v1/tiles/s2/0/0/0.png')).headers.get('etag'));

  // A corner of the world without points: still land and sea, but empty in the theme without a background.
  assert.equal((await get('/v1/tiles/s2/5/0/31.png')).status, 200);
  // A client that needs a picture gets a transparent one.
  for (const path of ['5/0/31.png?background=none', '6/0/63.png', '6/0/63.png?size=256']) {
    const reply = await get(`/v1/tiles/s2/${path}`);
    assert.deepEqual([reply.status, reply.headers.get('content-type')], [200, 'image/png']);
    const picture = decode(new Uint8Array(await reply.arrayBuffer()));
    assert.equal(picture.width, path.endsWith('256') ? 256 : 512);
    assert.ok(picture.pixels.every((value) => value === 0));
  }

  const badge = await get('/v1/embed/badge.svg?label=%3Cb%3E%26');
  assert.equal(badge.headers.get('content-type'), 'image/svg+xml');
  const svg = await badge.text();
  assert.match(svg, />5<\/text>/);
  assert.doesNotMatch(svg, /<b>/);

  // Well-formed whatever the label contains, and wide enough for any script.
  const drawn = async (label: string) => {
    const text = await (await get(`/v1/embed/badge.svg?label=${encodeURIComponent(label)}`)).text();
    assert.doesNotMatch(text, /(?!\n)\p{Cc}|\p{Noncharacter_Code_Point}|\u202e/u);
    return { text, width: Number(/width="(\d+)"/.exec(text)?.[1]) };
  };
  assert.match((await drawn('a\u0000b\u0007\u202ec')).text, /<title>a b c: 5<\/title>/);
  const widths = await Promise.all(['iiiiiiii', 'aaaaaaaa', 'MMMMMMMM', '活跃域名活跃域名'].map(drawn));
  assert.deepEqual(
    widths.map(({ width }) => width),
    widths.map(({ width }) => width).toSorted((a, b) => a - b),
  );
  // A family is one emoji, and a letter with combining marks is one letter.
  assert.equal((await drawn('\u{1f468}\u200d\u{1f469}\u200d\u{1f467}')).width, (await drawn('\u{1f468}')).width);
  assert.equal((await drawn('e\u0301\u0302')).width, (await drawn('e')).width);
  assert.equal((await get('/v1/embed/badge.svg?label=%00%07')).status, 400);

  const page = await get('/v1/embed/map?theme=dark');
  assert.match(page.headers.get('content-security-policy') ?? '', /frame-ancestors \*/);
  const html = await page.text();
  assert.match(html, /5 active domains/);
  assert.match(html, /href="https:\/\/db-ip\.com"[^>]*>IP Geolocation by DB-IP/);
  assert.match(html, /src="\.\.\/tiles\/s2\/1\/0\/0\.png\?theme=dark"/);
  assert.match(await (await served(false).get('/v1/embed/map')).text(), /No hits yet/);
});

test('an invalid request is refused before anything is read', async () => {
  const { get, reads } = served();
  const bad: [string, RegExp][] = [
    ['/v1/tiles/s2/x/0/0.mvt', /z is "x": must be an integer/],
    ['/v1/tiles/s2/25/0/0.mvt', /z is "25": must be from 0 to 24/],
    ['/v1/tiles/s2/99/0/0.mvt', /z is "99"/],
    ['/v1/tiles/s2/1/2/0.mvt', /x\/y is "2\/0": must be below 2/],
    ['/v1/tiles/s2/1/-1/0.mvt', /x is "-1"/],
    ['/v1/tiles/s2/1/0/0.exe', /file is "0\.exe"/],
    ['/v1/tiles/..%2fs2/1/0/0.mvt', /snapshot is "\.\.\/s2"/],
    ['/v1/clusters?zoom=1', /bbox is missing: give bbox=-10,35,30,60$/],
    [
      '/v1/clusters?bbox=1,2,3,4&bbox=5,6,7,8&zoom=1',
      /^bbox is given 2 times, as "1,2,3,4" and "5,6,7,8": give it once$/,
    ],
    ['/v1/clusters?bbox=1,2,3&zoom=1', /bbox is "1,2,3": must be four numbers/],
    ['/v1/clusters?bbox=1,2,3,x&zoom=1', /bbox/],
    ['/v1/clusters?bbox=1,9,3,4&zoom=1', /bbox is "1,9,3,4": must be W,S,E,N/],
    ['/v1/clusters/yandex?bbox=9,1,4,3&zoom=1', /bbox is "9,1,4,3": must be lat,lon,lat,lon/],
    ['/v1/clusters?bbox=1,2,3,4', /zoom is missing: give zoom=4$/],
    ['/v1/clusters?bbox=1,2,3,4&zoom=deep', /zoom is "deep": must be a number/],
    ['/v1/clusters?bbox=1,2,3,4&zoom=Infinity', /zoom/],
    ['/v1/clusters?bbox=1,2,3,4&zoom=1&snapshot=../x', /snapshot/],
    ['/v1/tiles/s2/0/0/0.mvt?hours=0', /hours is "0": must be an integer from 1 to 99999/],
    ['/v1/clusters?bbox=1,2,3,4&zoom=1&country=DEU', /country is "DEU": must be a two-letter/],
    ['/v1/tiles/s2/0/0/0.png?size=9999', /size is "9999": must be 256/],
    ['/v1/embed/map?theme=blue', /theme is "blue": must be light or dark/],
    ['/v1/clusters/leaves?cluster=abc', /cluster is "abc": must be the id of a cluster, from GET \/v1\/clusters$/],
    ['/v1/clusters/yandex?zoom=1', /bbox is missing: give bbox=35,-10,60,30$/],
    ['/v1/tiles/s2/0/0/0.mvt?hours=x', /hours is "x": must be an integer from 1 to 99999, such as 24$/],
    ['/v1/clusters/leaves?cluster=1&limit=0', /limit is "0": must be an integer from 1 to 1000/],
    ['/v1/clusters/leaves?cluster=1&offset=-1', /offset/],
    [
      '/v1/clusters/yandex?bbox=1,2,3,4&zoom=1&callback=alert(1)',
      /callback is "alert\(1\)": must be the name of a function/,
    ],
    [`/v1/clusters/yandex?bbox=1,2,3,4&zoom=1&callback=${'a'.repeat(200)}`, /callback/],
  ];
  for (const [path, message] of bad) {
    const reply = await get(path);
    assert.equal(reply.status, 400, path);
    const { error } = await reply.json();
    assert.match(error.message, message, path);
    assert.equal(typeof error.code, 'string');
  }
  assert.deepEqual(reads, []);
});

test('an open snapshot that was deleted meanwhile is 404 too', async () => {
  const objects = new Map([
    [pointerKey, new TextEncoder().encode(JSON.stringify({ snapshot: 'old', updatedAt: now, points: 1 }))],
    [snapshotKey('old'), encodePyramid(buildPyramid(skewedPoints(60_000, 1)))],
  ]);
  const store = {
    get: async (key: string, range?: { start: number; end: number }) => {
      const body = objects.get(key);
      return body && { body: body.slice(range?.start, range?.end), etag: '1' };
    },
    head: async (key: string) => (objects.has(key) ? { key, etag: '1', size: 0, modified: 0 } : undefined),
  } as unknown as ObjectStore;
  const source = objectSnapshots(store, () => now);
  const app = mapApp(source);
  assert.equal((await app.request('/v1/tiles/old/0/0/0.mvt')).status, 200);
  objects.delete(snapshotKey('old'));
  const reply = await app.request('/v1/clusters?bbox=-180,-90,180,90&zoom=7&snapshot=old');
  assert.equal(reply.status, 404);
  assert.match((await reply.json()).error.message, /"old" is no longer kept/);
});

test('an unknown snapshot is 404, and must not be cached', async () => {
  const { get } = served();
  const reply = await get('/v1/tiles/gone/0/0/0.mvt');
  assert.equal(reply.status, 404);
  assert.equal(reply.headers.get('cache-control'), 'no-store');
  assert.equal(reply.headers.get('etag'), null);
  assert.match((await reply.json()).error.message, /"gone".*\/v1\/points\/latest/);
});
