// A small, seeded world behind the pages: responses with the shapes of the real API, in every state that a page can
// meet.
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import Supercluster from 'supercluster';
import { fromGeojsonVt } from 'vt-pbf';
import { contentSecurityPolicy, pageFile } from '../../web/policy.ts';

export type Mood = 'busy' | 'empty' | 'failing' | 'stale' | 'quiet' | 'private' | 'closed' | 'unwell';

export interface World {
  url: string;
  /** The state of the service from the next request on. */
  mood: Mood;
  /** Puts one more domain on the map: a new snapshot. */
  add(domain: string, lat: number, lon: number): void;
  /** While this is pending, tiles wait for it. */
  tilesWait: Promise<void>;
  /** The bodies posted to /v1/hits, in order. */
  posted: unknown[][];
  /** Status of the next posts to /v1/hits. */
  answer: number;
  /** The requested paths. */
  asked: string[];
  /** The requests that change something: method, path and query. */
  changed: string[];
  close(): Promise<void>;
}

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

const cities: [name: string, lat: number, lon: number][] = [
  ['london', 51.5, -0.1],
  ['berlin', 52.5, 13.4],
  ['tokyo', 35.7, 139.7],
  ['nairobi', -1.3, 36.8],
  ['sydney', -33.9, 151.2],
  ['boston', 42.4, -71.1],
  ['suva', -18.1, 178.4],
];
const repositories = [
  'elk/elasticsearch',
  'elk/kibana',
  'elk/logstash',
  'data/spark',
  'data/zeppelin',
  'web/nginx',
  'a-team.with-a-long-name/and/a-repository/with-several/parts',
];
const people = ['anna', 'bruno', 'a-very-long-name.with.many.parts@engineering.example.com'];

interface Point {
  domain: string;
  lat: number;
  lon: number;
  updatedAt: string;
}

/** A row of the competition of models. */
function candidate(name: string, ndcg: number, auc: number) {
  const random = { people: 25, ndcg, auc, recall: ndcg * 0.9, recall20: ndcg * 1.2, coverage: 0.85 };
  return { name, kind: name, settings: {}, random, byTime: { people: 9, ndcg: ndcg * 0.7 }, seconds: 1, tried: 12 };
}

/** Serves the built pages in `folder` and the world's data on a free port of this machine. */
export async function startWorld(folder: string): Promise<World> {
  const ago = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString();
  // A golden-ratio sequence: evenly scattered, and the same each time.
  const spread = (index: number, step: number) => ((index * step) % 1) - 0.5;
  const points: Point[] = Array.from({ length: 400 }, (_, index) => {
    const [name, lat, lon] = cities[index % cities.length];
    return {
      domain: `${name}-${index}.example`,
      lat: lat + spread(index, 0.618) * 4,
      lon: lon + spread(index, 0.414) * 4,
      updatedAt: ago(index / 10),
    };
  });
  let version = 0;
  let updatedAt = '';
  const index = () => {
    version++;
    updatedAt = new Date().toISOString();
    return load(points);
  };
  const load = (points: Point[]) =>
    new Supercluster<Point, object>({ radius: 64, extent: 512, maxZoom: 14 }).load(
      points.map((point) => ({
        type: 'Feature',
        properties: point,
        geometry: { type: 'Point', coordinates: [point.lon, point.lat] },
      })),
    );
  let clusters = index();
  /** The points that pass a filter, newest first. */
  const matching = (query: URLSearchParams) => {
    const { hours, since } = Object.fromEntries(query);
    const least = since ?? (hours ? ago(Number(hours)) : '');
    return points
      .filter(({ updatedAt }) => updatedAt > least)
      .sort((a, b) => Number(a.updatedAt < b.updatedAt) - Number(a.updatedAt > b.updatedAt));
  };
  const within = (query: URLSearchParams) =>
    query.has('hours') || query.has('since') ? load(matching(query)) : clusters;
  const sumsOf = (name: string, query: URLSearchParams) => {
    const rows: Record<string, [key: string, hits: number][]> = {
      day: [[name, 40_000 + ((name.charCodeAt(9) * 7919) % 30) * 1000]],
      action: [
        ['view', 31_000],
        ['login', 6000],
      ],
      domain: points.slice(0, 60).map(({ domain }, rank) => [domain, 9000 - rank * 100]),
    };
    return rows[query.get('by') ?? 'day']
      .filter(([key]) => !query.has('domain') || key === query.get('domain'))
      .map(([key, hits]) => ({ day: name, key, hits }));
  };

  const expansion = (id: unknown) => clusters.getClusterExpansionZoom(id as number);
  const tile = (z: number, x: number, y: number): Uint8Array | undefined => {
    const features = clusters.getTile(z, x, y)?.features.map(({ tags: { ...tags }, ...feature }) => ({
      ...feature,
      tags:
        'point_count' in tags
          ? { cluster_id: tags.cluster_id, point_count: tags.point_count, expansion_zoom: expansion(tags.cluster_id) }
          : { domain: tags.domain, updatedAt: tags.updatedAt },
    }));
    return features && fromGeojsonVt({ clusters: { features } }, { extent: 512, version: 2 });
  };

  let inService = 'm3';
  const day = (back: number) => new Date(Date.now() - back * 86_400_000).toISOString().slice(0, 10);
  const keepDays = 7;
  const dayNames = Array.from({ length: 60 }, (_, index) => day(59 - index));
  const keptDays = dayNames.slice(-keepDays, -1);
  const data = (path: string, query: URLSearchParams, empty: boolean): unknown => {
    switch (path) {
      case '/v1/points/latest':
        if (empty) return { snapshot: '0', updatedAt: null, points: 0, staleSeconds: null };
        return {
          snapshot: `s${version}`,
          updatedAt: ago(world.mood === 'stale' || world.mood === 'quiet' ? 0.21 : 0),
          points: points.length,
          staleSeconds: 1,
        };
      case '/points.json':
        return { version, updatedAt, keepDays: 7, points };
      case '/v1/points/days':
        return { keepDays, items: empty ? [] : keptDays.map((name) => ({ day: name, snapshot: name, points: 300 })) };
      case '/v1/hits': {
        if (empty) return { items: [] };
        const [from, to] = [query.get('from') ?? '', query.get('to') ?? '9999'];
        const isLong = query.get('by') === 'domain' && !query.has('domain') && to !== day(0);
        const cursor = isLong ? 'more' : undefined;
        return {
          items: dayNames.filter((name) => name >= from && name <= to).flatMap((name) => sumsOf(name, query)),
          cursor,
        };
      }
      case '/v1/clusters': {
        const box = (query.get('bbox') ?? '').split(',').map(Number) as [number, number, number, number];
        const shown = within(query);
        const features = empty ? [] : shown.getClusters(box, Number(query.get('zoom')));
        return {
          type: 'FeatureCollection',
          features: features.map(({ id, geometry, properties }) => ({
            type: 'Feature',
            id,
            geometry,
            properties:
              'point_count' in properties
                ? { point_count: properties.point_count, expansion_zoom: shown.getClusterExpansionZoom(id as number) }
                : properties,
          })),
        };
      }
      case '/v1/clusters/leaves': {
        if (!query.has('cluster')) {
          const found = empty ? [] : matching(query);
          return { total: found.length, items: found.slice(0, Number(query.get('limit'))) };
        }
        return {
          items: clusters
            .getLeaves(Number(query.get('cluster')), Number(query.get('limit')), Number(query.get('offset')))
            .map(({ properties }) => properties),
        };
      }
      case '/v1/users': {
        const search = query.get('search') ?? '';
        return {
          items: people
            .filter((name) => !empty && name.includes(search))
            .map((user, rank) => ({
              ...{ user, kind: rank === 2 ? 'ci' : 'human', pulls: 900 - rank, lastPull: ago(rank) },
              ...{ firstPull: ago(30 + rank * 800), days: Array.from({ length: 30 }, (_, at) => (at * 7 * rank) % 11) },
            }))
            .filter(({ kind }) => [null, kind].includes(query.get('kind'))),
        };
      }
      case '/v1/history': {
        const from = Number(query.get('cursor') ?? 0);
        const to = Math.min(130, from + Number(query.get('limit') ?? 50));
        return {
          items: Array.from({ length: empty ? 0 : to - from }, (_, row) => ({
            id: `pull-${from + row}`,
            time: ago((from + row) * 5),
            action: 'pull',
            repository: repositories[(from + row) % repositories.length],
            tag: `8.${from + row}`,
            class: 'human',
            client: 'docker',
          })),
          cursor: !empty && to < 130 ? String(to) : undefined,
        };
      }
      case '/v1/recommendations':
        if (empty) return { user: query.get('user'), model: null, items: [], unknown: ['elk/elasticsearch'] };
        return {
          user: query.get('user'),
          model: { id: 'm1', trainedAt: ago(1) },
          unknown: ['team/nobody'],
          items: repositories.slice(1).map((repository, rank) => ({
            repository,
            score: 1 - rank / 10,
            source: rank < 4 ? 'als' : 'popular',
            pulledBy: rank === 2 ? 1 : 40 - rank,
            because: rank < 4 ? [{ repository: 'elk/elasticsearch', share: 0.6 }] : [],
          })),
        };
      case '/v1/repositories': {
        const search = query.get('search') ?? '';
        return repositories
          .filter((name) => !empty && name.includes(search))
          .map((repository, rank) => ({
            ...{ repository, pulls: 9000 - rank, raw: 31_000 - rank, pulledBy: 200 - rank },
            lastPull: rank === 6 ? null : ago(rank),
          }));
      }
      case '/v1/pulls': {
        if (empty) return { total: { pulls: 0, raw: 0, pushes: 0 }, buckets: [] };
        const keys: Record<string, string[]> = {
          tag: ['latest', '8.15.0'],
          class: ['human', 'ci', 'scanner'],
          country: ['DE', 'JP', ''],
          client: ['docker', 'skopeo'],
        };
        const named = keys[query.get('by') ?? '']?.map((key, rank) => ({ key, pulls: 90 - rank, raw: 300, pushes: 1 }));
        const dated = Array.from({ length: 30 }, (_, back) => ({
          ...{ from: `${day(29 - back)}T00:00:00.000Z`, pulls: 20 + back, raw: 70 + back * 2, pushes: 0 },
        }));
        const both = dated.flatMap(({ from }, back) => [
          ...(named ?? []).map((row, rank) => ({ ...row, from, pulls: 1 + ((back * (rank + 3)) % 9) })),
          ...(query.has('top') ? [{ from, others: 3, pulls: 2, raw: 6, pushes: 0 }] : []),
        ]);
        const buckets = named ? (query.has('interval') ? both : named) : dated;
        return { total: { pulls: 1432, raw: 4890, pushes: 18 }, buckets };
      }
      case '/v1/images': {
        const from = Number(query.get('cursor') ?? 0);
        const to = Math.min(25, from + Number(query.get('limit')));
        return {
          items: Array.from({ length: empty ? 0 : to - from }, (_, row) => ({
            ...{ repository: query.get('repository'), digest: `sha256:${String(row % 10).repeat(64)}` },
            ...((from + row) % 6 === 5 ? {} : { tag: from + row === 0 ? 'latest' : `8.${25 - from - row}.0` }),
            ...{ size: row === 4 ? null : 61_200_000 + row * 1e6, platforms: row % 3 === 0 ? 2 : undefined },
            lastPush: row === 7 ? null : ago(row * 50),
            lastPull: row === 3 ? null : ago(row * 3),
          })),
          cursor: !empty && to < 25 ? String(to) : undefined,
        };
      }
      case '/v1/unused': {
        const image = { repository: 'elk/kibana', tag: '7.0', lastPush: ago(2000), lastPull: null };
        const why = { size: 12_300_000, reason: 'never pulled', confidence: 'known' };
        const dryRun = 'DELETE /v2/elk/kibana/manifests/sha256:1';
        return { since: ago(720), items: empty ? [] : [{ ...image, ...why, dryRun }] };
      }
      case '/v1/pullers':
        return {
          items: empty
            ? []
            : people.map((user, rank) => ({
                ...{ user, repository: repositories[rank], pulls: 9 - rank, lastPull: ago(rank), tag: `8.${rank}` },
                ...{ digest: `sha256:${String(rank).repeat(64)}`, class: rank === 1 ? 'ci' : 'human' },
                ...{ client: 'docker', country: rank === 2 ? '' : 'DE' },
              })),
        };
      case '/v1/similar':
        return {
          items: empty
            ? []
            : repositories.slice(1, 5).map((repository, rank) => ({
                repository,
                similarity: 0.9 - rank / 10,
                shared: 24 - 5 * rank,
              })),
        };
      case '/v1/model': {
        const why = 'ease is best: NDCG@10 0.541 on 190 held-out pulls, 0.021 ± 0.006 ahead of als';
        const candidates = [
          ...[candidate('ease', 0.541, 0.921), candidate('als', 0.52, 0.91), candidate('knn', 0.487, 0.884)],
          {
            ...candidate('blend', 0, 0),
            random: undefined,
            byTime: undefined,
            skipped: 'its lists take too long here',
          },
          candidate('popular', 0.13, 0.8),
        ];
        const models = ['m3', 'm2', 'm1'].map((id, back) => ({
          ...{ id, trainedAt: ago(back + 1), people: 25, images: 20, pairs: 190 - back, auc: 0.91, popularityAuc: 0.8 },
          ...{ rank: 10, iterations: 15, lambda: 0.01, alpha: 40 },
          evaluation: { random: { als: { auc: 0.91, ndcg: 0.52 }, popular: { auc: 0.8, ndcg: 0.13 } } },
          ...(back === 0 && { winner: 'ease', candidates, why }),
          current: id === inService,
        }));
        const refused = { ...models[0], id: 'm4', auc: 0.6, refused: "its AUC 0.600 is below popularity's 0.800" };
        if (empty) return { current: null, items: [], refused: null };
        return { current: models.find(({ current }) => current), items: models, refused };
      }
      case '/v1/registries':
        return { items: [{ name: 'default' }] };
      case '/v1/registries/tokens':
        return { items: [] };
      case '/v1/alerts':
        return {
          items: empty
            ? []
            : [
                {
                  ...{ id: 'n', time: ago(1), rule: 'new people', text: 'anna pulls for the first time: elk/kibana' },
                  ...{ when: 'first-pull', data: { user: 'anna', repository: 'elk/kibana' } },
                },
              ],
        };
      case '/v1/quarantine': {
        const from = Number(query.get('cursor') ?? 0);
        const to = Math.min(25, from + Number(query.get('limit')));
        return {
          items: Array.from({ length: empty ? 0 : to - from }, (_, row) => ({
            ...{ id: `q${from + row}`, time: ago(1), reason: 'the body is not JSON' },
            ...{ position: 'collect', body: '<html>' },
          })),
          cursor: !empty && to < 25 ? String(to) : undefined,
        };
      }
      case '/v1/health': {
        const unwell = world.mood === 'unwell' || world.mood === 'stale';
        const at = (hours: number) => (empty ? null : { at: ago(hours), seconds: hours * 3600 });
        return {
          status: unwell ? 'unhealthy' : 'ok',
          reasons: unwell ? ['process is 93 s behind in shard-1'] : [],
          warnings: [],
          importing: 0,
          shards: [0, 1].map((shard) => ({ shard: `shard-${shard}`, lagSeconds: unwell ? 93 : 0 })),
          ...{
            hits: empty ? 0 : 912_345,
            registryEvents: empty ? 0 : 4890,
            duplicates: empty ? 0 : 3,
            late: 0,
            future: 0,
          },
          ...{ quarantined: empty ? 0 : 3, unlocatedShare: empty ? 0 : 0.01 },
          quarantine: empty ? { entries: 0, bytes: 0, dropped: 0 } : { entries: 1, bytes: 13, dropped: 0 },
          refused:
            world.mood === 'unwell' ? [{ reason: 'wrong-token', registry: '', posts: 3, lastAt: ago(0.001) }] : [],
          unknownAgents: empty ? [] : [{ client: 'acme.deployer', pulls: 12 }],
          ...{ points: at(0), model: at(1), ipTable: at(3000) },
        };
      }
    }
  };

  const json = (response: ServerResponse, status: number, body: unknown) =>
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://world');
    world.asked.push(pathname);
    const isPrivate =
      /^\/v1\/(users|history|recommendations|pulls|pullers|model|quarantine|alerts|repositories|similar|images|unused|health|registries)/;
    const isMap = /^\/(points|v1\/(points|tiles|clusters|hits|embed))/;
    // Visitors: `private` leaves them the map, `closed` nothing.
    const isVisitor = ['private', 'closed'].includes(world.mood) && request.headers.authorization !== 'Bearer secret';
    if (pathname === '/v1/me')
      return json(response, 200, {
        role: isVisitor ? 'public' : 'owner',
        map: isVisitor ? world.mood === 'private' && 'anonymous' : 'names',
        ...{ signedIn: false, signIn: 'openid' },
      });
    if (isVisitor && (isPrivate.test(pathname) || (world.mood === 'closed' && isMap.test(pathname))))
      return json(response, 401, { error: { code: 'unauthorized', message: 'Send the reader token.' } });
    if (request.method === 'DELETE' || pathname === '/v1/model/rollback') {
      if (world.mood === 'failing')
        return json(response, 503, { error: { code: 'unavailable', message: 'The stores do not answer.' } });
      world.changed.push(`${request.method} ${pathname}?${searchParams}`);
      inService = searchParams.get('id') ?? inService;
      return json(response, 200, { user: searchParams.get('user'), rows: 130 });
    }
    if (request.method === 'POST' && pathname !== '/v1/recommendations') {
      const body = await request.setEncoding('utf8').toArray();
      world.posted.push(JSON.parse(body.join('')));
      return response.writeHead(world.answer, { 'Access-Control-Allow-Origin': '*' }).end();
    }
    if (pathname.startsWith('/v1/') || pathname === '/points.json') {
      if (world.mood === 'failing')
        return json(response, 503, { error: { code: 'unavailable', message: 'The stores do not answer.' } });
      const named = /^\/v1\/tiles\/[^/]+\/(\d+)\/(\d+)\/(\d+)\.mvt$/.exec(pathname);
      if (named) {
        await world.tilesWait;
        const bytes = world.mood === 'empty' ? undefined : tile(Number(named[1]), Number(named[2]), Number(named[3]));
        return bytes ? response.writeHead(200).end(bytes) : response.writeHead(204).end();
      }
      const body = data(pathname, searchParams, world.mood === 'empty');
      const status = pathname === '/v1/health' && world.mood === 'unwell' ? 503 : 200;
      return body
        ? json(response, status, body)
        : json(response, 404, { error: { code: 'unknown', message: 'No such route.' } });
    }
    const file = join(folder, pageFile(pathname));
    if (!existsSync(file)) return response.writeHead(404).end();
    response
      .writeHead(200, { 'Content-Type': types[extname(file)], 'Content-Security-Policy': contentSecurityPolicy() })
      .end(readFileSync(file));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  const world: World = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    mood: 'busy',
    add(domain, lat, lon) {
      points.push({ domain, lat, lon, updatedAt: new Date().toISOString() });
      clusters = index();
    },
    tilesWait: Promise.resolve(),
    posted: [],
    answer: 202,
    asked: [],
    changed: [],
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return world;
}
