// The map itself: loaded after the page's first paint, for MapLibre weighs more than all the rest.

import { coarse, fine } from 'virtual:basemap';
import {
  type ExpressionSpecification,
  type GeoJSONSource,
  type LayerSpecification,
  LngLat,
  LngLatBounds,
  Map as MapLibre,
  MercatorCoordinate,
  type PaddingOptions,
  type StyleSpecification,
  setWorkerUrl,
  type VectorTileSource,
} from 'maplibre-gl';
// A worker from a file of its own, so that the content security policy needs no blob:.
import workerUrl from 'maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url';
import { type ClusterProperties, here } from '../api.ts';
import { colour } from '../tokens.ts';
import { readLand } from './land.ts';
import { happened, pulse, pulseLayer, seen } from './pulse.ts';

setWorkerUrl(workerUrl);

/** From this zoom on the coarse coasts show their corners. */
const fineZoom = 2.6;
/** The deepest zoom of the tiles: what is one spot there stays one. */
const mostZoom = 17;

export interface Picked extends ClusterProperties {
  id?: number;
  lon: number;
  lat: number;
}

export interface View {
  /** Shows the domains of a snapshot, all or those hit in its last hours; the old ones stay until the new are there. */
  show(snapshot: string, hours?: number): Promise<void>;
  recolour(): Promise<void>;
  flyTo(lon: number, lat: number, zoom: number): void;
  zoomBy(steps: number): void;
  world(): void;
  mark(point?: { lon: number; lat: number }): void;
  bounds(): { west: number; south: number; east: number; north: number; zoom: number };
  remove(): void;
}

export interface ViewOptions {
  container: HTMLElement;
  /** Pixels that something else covers. */
  padding: () => PaddingOptions;
  onPick: (picked: Picked) => void;
  onMove: () => void;
}

const count: ExpressionSpecification = ['coalesce', ['get', 'point_count'], 1];
/** Steps of the legend: from how many domains on a cluster has the next colour. */
export const steps = [10, 100, 1000] as const;
/** Radius in pixels by number: area grows with the logarithm, so that a million still fits the sea. */
const radius: ExpressionSpecification = [
  'case',
  ['==', count, 1],
  6,
  ['interpolate', ['linear'], ['log10', count], 0.3, 12, 1, 14, 2, 18, 3, 23, 4, 29, 6, 40],
];
const shortCount: ExpressionSpecification = [
  'case',
  ['>=', count, 999_500],
  ['concat', ['to-string', ['/', ['round', ['/', count, 1e5]], 10]], 'M'],
  ['>=', count, 10_000],
  ['concat', ['to-string', ['round', ['/', count, 1000]]], 'k'],
  ['>=', count, 1000],
  ['concat', ['to-string', ['/', ['round', ['/', count, 100]], 10]], 'k'],
  ['to-string', count],
];

/** Paint that follows the theme, by layer. */
function paint(): Record<string, Record<string, unknown>> {
  const byCount = (tokens: string) => [
    'step',
    count,
    colour(`${tokens}1`),
    ...steps.flatMap((step, index) => [step, colour(`${tokens}${index + 2}`)]),
  ];
  return {
    sea: { 'background-color': colour('sea') },
    land: { 'fill-color': colour('land') },
    ice: { 'fill-color': colour('land') },
    borders: { 'line-color': colour('border') },
    names: { 'text-color': colour('muted'), 'text-halo-color': colour('land') },
    clusters: { 'circle-color': byCount('c'), 'circle-stroke-color': colour('ring') },
    counts: { 'text-color': byCount('t') },
    pulse: { 'circle-stroke-color': colour('accent') },
    marked: { 'circle-stroke-color': colour('warn') },
  };
}

const tiles = (snapshot: string, hours?: number) => [
  `${here('/v1/tiles/')}${encodeURIComponent(snapshot)}/{z}/{x}/{y}.mvt${hours ? `?hours=${hours}` : ''}`,
];
const nothing: GeoJSON.FeatureCollection = { type: 'FeatureCollection', features: [] };

function style(): StyleSpecification {
  const font = ['Inter Variable'];
  return {
    version: 8,
    sources: {
      base: { type: 'geojson', data: nothing, tolerance: 0.2, attribution: '' },
      marked: { type: 'geojson', data: nothing },
      pulse: { type: 'geojson', data: nothing },
    },
    layers: [
      { id: 'sea', type: 'background' },
      { id: 'land', type: 'fill', source: 'base', filter: ['==', ['get', 'kind'], 'land'] },
      // The world's lower edge runs through Antarctica: it is left out where the edge can be seen.
      { id: 'ice', type: 'fill', source: 'base', minzoom: 0.6, filter: ['==', ['get', 'kind'], 'ice'] },
      {
        id: 'borders',
        type: 'line',
        source: 'base',
        filter: ['==', ['get', 'kind'], 'border'],
        paint: { 'line-width': ['interpolate', ['linear'], ['zoom'], 1, 0.7, 6, 1.4], 'line-dasharray': [3, 2] },
      },
      {
        id: 'names',
        type: 'symbol',
        source: 'base',
        minzoom: 2,
        filter: ['all', ['==', ['get', 'kind'], 'name'], ['>=', ['zoom'], ['get', 'rank']]],
        layout: {
          'text-field': ['get', 'name'],
          'text-font': font,
          'text-size': ['interpolate', ['linear'], ['zoom'], 2, 11, 6, 14],
          'text-max-width': 8,
          'text-letter-spacing': 0.04,
        },
        paint: { 'text-halo-width': 1.2 },
      },
      pulseLayer,
      {
        id: 'marked',
        type: 'circle',
        source: 'marked',
        paint: { 'circle-radius': 18, 'circle-color': 'transparent', 'circle-stroke-width': 2.5 },
      },
    ],
  };
}

const clusterLayers: LayerSpecification[] = [
  {
    id: 'clusters',
    type: 'circle',
    source: 'clusters',
    'source-layer': 'clusters',
    paint: { 'circle-radius': radius, 'circle-stroke-width': 1.5, 'circle-opacity': 0.94 },
  },
  {
    id: 'counts',
    type: 'symbol',
    source: 'clusters',
    'source-layer': 'clusters',
    filter: ['>', count, 1],
    layout: {
      'text-field': shortCount,
      'text-font': ['Inter Semibold'],
      'text-size': 12,
      'text-allow-overlap': true,
      'text-ignore-placement': true,
    },
  },
];

/**
 * The world fills the map's shorter side at least. Left to itself MapLibre fills the longer one, and a phone held upright
 * would never see America and Asia at once; the sea goes on above and below.
 */
function constrained({ clientWidth, clientHeight }: HTMLElement, { lng, lat }: LngLat, zoom: number) {
  const least = Math.log2(Math.max(1, Math.min(clientWidth, clientHeight)) / 512);
  const held = Math.max(least, Math.min(mostZoom, zoom));
  // Half of what is seen, as a part of the world's height; the poles stay at the edges where the world is higher than that.
  const half = clientHeight / 2 / (512 * 2 ** held);
  const [top, bottom] = half < 0.5 ? [half, 1 - half] : [0.3, 0.7];
  const y = Math.max(top, Math.min(bottom, MercatorCoordinate.fromLngLat({ lng, lat }).y));
  return { center: new LngLat(lng, new MercatorCoordinate(0, y).toLngLat().lat), zoom: held };
}

const still = matchMedia('(prefers-reduced-motion: reduce)');

export async function openView(options: ViewOptions): Promise<View> {
  const coarseLand = readLand(coarse);
  // Labels are drawn with the page's own font: it must be there before the first of them is.
  await document.fonts.load('12px "Inter Variable"').catch(() => undefined);
  const painted = <Layer extends LayerSpecification>(layer: Layer): Layer => ({
    ...layer,
    paint: { ...layer.paint, ...paint()[layer.id] },
  });
  const bare = style();
  // Asked before the map is made, for that writes its own.
  const named = /^#[\d.]+\/-?[\d.]+\/-?[\d.]+/.test(location.hash);
  const map = new MapLibre({
    container: options.container,
    style: { ...bare, layers: bare.layers.map(painted) },
    hash: true,
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    maxZoom: mostZoom,
    minZoom: -1,
    transformConstrain: (center, zoom) => constrained(options.container, center, zoom),
    fadeDuration: 0,
    localIdeographFontFamily: 'system-ui, sans-serif',
  });
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  const canvas = map.getCanvas();
  canvas.setAttribute('aria-label', 'Map of domains. The list beside it has the same as text.');

  const inhabited = new LngLatBounds([-126, -46], [179, 68]);
  const world = (animate: boolean) =>
    map.fitBounds(inhabited, { padding: options.padding(), animate: animate && !still.matches, linear: true });
  if (!named) world(false);

  const lay = (land: GeoJSON.FeatureCollection) => (map.getSource('base') as GeoJSONSource | undefined)?.setData(land);
  let isFine = false;
  const refine = () => {
    if (isFine || map.getZoom() <= fineZoom) return;
    isFine = true;
    readLand(fine).then(lay, () => {
      // The coarse coast stays; the next zoom asks again.
      isFine = false;
    });
  };
  map.once('style.load', async () => {
    const land = await coarseLand;
    if (!isFine) lay(land);
    refine();
    map.on('zoom', refine);
  });
  map.on('moveend', options.onMove);
  // A tile that fails leaves the old one standing, and the pointer that is asked for all the time says what is wrong.
  map.on('error', () => {});
  map.on('click', (event) => {
    // A finger is wider than a point: the nearest cluster within a few pixels is meant.
    const { x, y } = event.point;
    if (!map.getLayer('clusters')) return;
    const near = map.queryRenderedFeatures(
      [
        [x - 8, y - 8],
        [x + 8, y + 8],
      ],
      { layers: ['clusters'] },
    );
    const found = near
      .map((feature) => {
        const [lon, lat] = (feature.geometry as GeoJSON.Point).coordinates;
        const at = map.project([lon, lat]);
        return { feature, lon, lat, distance: Math.hypot(at.x - x, at.y - y) };
      })
      .sort((a, b) => a.distance - b.distance)[0];
    if (!found) return;
    const properties = found.feature.properties as ClusterProperties;
    options.onPick({
      ...properties,
      id: typeof found.feature.id === 'number' ? found.feature.id : undefined,
      lon: found.lon,
      lat: found.lat,
    });
  });
  map.on('mousemove', 'clusters', () => {
    canvas.style.cursor = 'pointer';
  });
  map.on('mouseleave', 'clusters', () => {
    canvas.style.cursor = '';
  });

  const camera = () => [...map.getCenter().toArray(), map.getZoom()].join();
  /** Once the tiles of a newer snapshot are there, shows where it differs: unless the map was moved meanwhile. */
  const follow = (source: VectorTileSource) => {
    const [before, where] = [seen(map), camera()];
    source.setTiles(shown);
    map.once('idle', () => {
      if (!still.matches && !document.hidden && camera() === where) pulse(map, happened(before, seen(map)));
    });
  };

  let shown: string[] = [];
  let shownHours: number | undefined;
  const styled = map.loaded() ? Promise.resolve() : map.once('style.load');
  return {
    async show(snapshot, hours) {
      const next = tiles(snapshot, hours);
      if (next[0] === shown[0] || snapshot === '') return;
      const sameFilter = hours === shownHours;
      [shown, shownHours] = [next, hours];
      await styled;
      const source = map.getSource('clusters') as VectorTileSource | undefined;
      if (source) return sameFilter ? follow(source) : void source.setTiles(shown);
      map.addSource('clusters', { type: 'vector', tiles: shown, minzoom: 0, maxzoom: mostZoom });
      for (const layer of clusterLayers) map.addLayer(painted(layer), 'marked');
    },
    async recolour() {
      await styled;
      for (const [layer, properties] of Object.entries(paint()))
        for (const [name, value] of Object.entries(properties))
          map.setPaintProperty(layer, name as 'circle-color', value as string);
    },
    flyTo(lon, lat, zoom) {
      const target = { center: [lon, lat] as [number, number], zoom, padding: options.padding(), retainPadding: false };
      still.matches ? map.jumpTo(target) : map.flyTo({ ...target, speed: 1.6 });
    },
    zoomBy(by) {
      map.zoomTo(map.getZoom() + by, { animate: !still.matches });
    },
    world: () => world(true),
    mark(point) {
      (map.getSource('marked') as GeoJSONSource | undefined)?.setData(
        point
          ? { type: 'Feature', properties: {}, geometry: { type: 'Point', coordinates: [point.lon, point.lat] } }
          : nothing,
      );
    },
    bounds() {
      const bounds = map.getBounds();
      return {
        west: bounds.getWest(),
        south: bounds.getSouth(),
        east: bounds.getEast(),
        north: bounds.getNorth(),
        zoom: map.getZoom(),
      };
    },
    remove: () => map.remove(),
  };
}
