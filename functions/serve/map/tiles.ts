// The map's two hot routes: the pointer and the tiles. Everything is checked before anything is read.
//
// On AWS they are a separate function and load no schema library (docs/decisions/0004-tiles-are-a-function.md):
// tileParameters defines each parameter, and clusters.ts documents them from it.
import { deflateSync } from 'node:zlib';
import { type Context, Hono } from 'hono';
import { LAND_ZOOM } from '#core/map/coast.ts';
import { tileFeatures } from '#core/map/geojson.ts';
import { tileBytes } from '#core/map/mvt.ts';
import { clear, drawLand, drawTile, encodePng, type Picture, type Theme } from '#core/map/png.ts';
import { DEEPEST_ZOOM } from '#core/map/pyramid.ts';
import { wrongParameter } from '#http/errors.ts';
import { cacheControl, isDay } from '../replies.ts';
import { mapHeaders, noSnapshot, packed, shownOf } from './replies.ts';
import { SNAPSHOT_NAME, SnapshotGone, type SnapshotSource } from './snapshots.ts';

export type { LatestPoints } from './snapshots.ts';

/** The snapshots that a caller may see. */
export type SourceOf = (c: Context) => SnapshotSource;

/** The pattern of each parameter, and what an error says it must be. */
export const tileParameters = {
  snapshot: [SNAPSHOT_NAME, 'must be "latest" or a name from /v1/points/latest'],
  z: [/^\d{1,2}$/, 'must be an integer'],
  x: [/^\d{1,8}$/, 'must be an integer'],
  file: [/^\d{1,8}\.(mvt|json|png)$/, 'must be Y.mvt, Y.json or Y.png'],
  hours: [/^\d{1,5}$/, 'must be an integer from 1 to 99999, such as 24'],
  since: [/^\d{4}-\d{2}-\d{2}$/, 'must be a day, such as 2026-11-21'],
  country: [/^[A-Za-z]{2}$/, 'must be a two-letter country code'],
  theme: [/^(light|dark)$/, 'must be light or dark'],
  size: [/^(256|512|1024)$/, 'must be 256, 512 or 1024'],
  background: [/^(map|none)$/, 'must be map or none'],
} satisfies Record<string, [RegExp, string]>;
type Name = keyof typeof tileParameters;

/** The pointer and the tiles; mount it with app.route('/', ...). clock: milliseconds since the epoch. */
export function tileRoutes(sourceOf: SourceOf, clock: () => number): Hono {
  const app = new Hono();
  // Listed one by one: a '*' here would open the routes about people, which are mounted beside, to every site.
  for (const path of ['/v1/points/*', '/v1/tiles/*']) app.use(path, mapHeaders);

  app.get('/v1/points/latest', async (c) => {
    const latest = await sourceOf(c).latest();
    if (!latest) throw noSnapshot();
    c.header('Cache-Control', cacheControl.newest);
    const { days: _, ...pointer } = latest;
    return c.json({
      ...pointer,
      updatedAt: new Date(latest.updatedAt).toISOString(),
      staleSeconds: Math.max(0, Math.round((clock() - latest.updatedAt) / 1000)),
    });
  });

  app.get('/v1/tiles/:snapshot/:z/:x/:file', async (c) => {
    const { snapshot: wanted, z, x: column, file } = c.req.param();
    const { hours, since, country, theme = 'light', size = '512', background = 'map' } = c.req.query();
    const look = { theme, size, background };
    const given: Partial<Record<Name, string>> = {
      snapshot: wanted,
      z,
      x: column,
      file,
      hours,
      since,
      country,
      ...look,
    };
    for (const [name, value] of Object.entries(given) as [Name, string | undefined][]) {
      const [pattern, must] = tileParameters[name];
      if (value !== undefined && !pattern.test(value)) throw wrongParameter(name, value, must);
    }
    if (hours !== undefined && Number(hours) < 1) throw wrongParameter('hours', hours, tileParameters.hours[1]);
    if (since !== undefined && !isDay(since)) throw wrongParameter('since', since, tileParameters.since[1]);
    const [zoom, x] = [Number(z), Number(column)];
    const [row, format] = file.split('.');
    const y = Number(row);
    if (zoom > DEEPEST_ZOOM) throw wrongParameter('z', z, `must be from 0 to ${DEEPEST_ZOOM}`);
    if (x >= 2 ** zoom || y >= 2 ** zoom)
      throw wrongParameter('x/y', `${column}/${row}`, `must be below ${2 ** zoom} at zoom ${zoom}`);

    const source = sourceOf(c);
    const snapshot = wanted === 'latest' ? (await source.latest())?.snapshot : wanted;
    if (!snapshot) throw noSnapshot();
    const filter = { hours: hours === undefined ? undefined : Number(hours), since, country: country?.toUpperCase() };
    const drawn = format === 'png' ? Object.values(look) : [];
    const etag = `W/"${[snapshot, zoom, x, file, filter.hours, since, filter.country, ...drawn].join('/')}"`;
    const held = c.req.header('If-None-Match')?.split(/,\s*/).includes(etag);
    const pyramid = held ? undefined : await source.open(snapshot);
    if (!held && !pyramid) throw new SnapshotGone(snapshot);
    c.header('ETag', etag);
    c.header('Cache-Control', wanted === 'latest' ? cacheControl.newest : cacheControl.immutable);
    if (!pyramid) return c.body(null, 304);
    const shown = await shownOf(pyramid, filter);
    if (format === 'mvt') {
      const bytes = await pyramid.load(() => tileBytes(shown, zoom, x, y));
      return bytes.length === 0 ? c.body(null, 204) : packed(c, bytes, 'application/vnd.mapbox-vector-tile');
    }
    const tile = await pyramid.load(() => shown.tile(zoom, x, y));
    const land = background === 'map' && zoom <= LAND_ZOOM;
    if (format === 'json') {
      const features = tileFeatures(shown, tile, zoom, x, y);
      const body = JSON.stringify({ type: 'FeatureCollection', snapshot, zoom, features });
      return packed(c, body, 'application/geo+json');
    }
    const under = land ? drawLand(zoom, x, y, Number(size), theme as Theme) : clear(Number(size));
    return picture(c, drawTile(tile, under, theme as Theme));
  });

  return app;
}

function picture(c: Context, drawn: Picture) {
  c.header('Content-Type', 'image/png');
  return c.body(encodePng(drawn, (rows) => deflateSync(rows, { level: 4 })));
}
