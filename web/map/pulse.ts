// A ring that widens and fades where something happened. It says nothing that the numbers don't, so with reduced motion
// it is not drawn.
import type { GeoJSONSource, LayerSpecification, Map as MapLibre } from 'maplibre-gl';

const lastsMs = 1400;
/** More rings at once would hide each other. */
const most = 24;

export const pulseLayer: LayerSpecification = {
  id: 'pulse',
  type: 'circle',
  source: 'pulse',
  paint: { 'circle-color': 'transparent', 'circle-stroke-width': 2, 'circle-stroke-opacity': 0 },
};

/** What is drawn, by its position: a cluster's number or a single domain's time. */
export type Seen = Map<string, { lon: number; lat: number; what: string }>;

export function seen(map: MapLibre): Seen {
  const found: Seen = new Map();
  for (const { geometry, properties } of map.queryRenderedFeatures({ layers: ['clusters'] })) {
    const [lon, lat] = (geometry as GeoJSON.Point).coordinates;
    const what = `${properties.point_count ?? 1} ${properties.updatedAt ?? ''}`;
    found.set(`${lon.toFixed(2)},${lat.toFixed(2)}`, { lon, lat, what });
  }
  return found;
}

/** Points of the second that the first lacks or has with other data: new, grown or hit again. */
export const happened = (before: Seen, after: Seen) =>
  Array.from(after)
    .filter(([at, { what }]) => before.get(at)?.what !== what)
    .map(([, point]) => point)
    .slice(0, most);

let turn = 0;

/** Draws the rings once; a newer call ends an older one. */
export function pulse(map: MapLibre, points: { lon: number; lat: number }[]): void {
  const mine = ++turn;
  const source = map.getSource('pulse') as GeoJSONSource | undefined;
  if (!source || points.length === 0) return;
  source.setData({
    type: 'FeatureCollection',
    features: points.map(({ lon, lat }) => ({
      type: 'Feature',
      properties: {},
      geometry: { type: 'Point', coordinates: [lon, lat] },
    })),
  });
  let start: number | undefined;
  const step = (now: number) => {
    if (mine !== turn || !map.getLayer('pulse')) return;
    start ??= now;
    const part = Math.min(1, (now - start) / lastsMs);
    map.setPaintProperty('pulse', 'circle-radius', 10 + 26 * (1 - (1 - part) ** 2));
    map.setPaintProperty('pulse', 'circle-stroke-opacity', 0.8 * (1 - part));
    if (part < 1) requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
}
