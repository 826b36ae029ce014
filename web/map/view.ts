// The map itself: loaded after the page's first paint, because MapLibre is larger than all the rest.

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
import { readPlaces } from './around.ts';
import { readLand } from './land.ts';
import { happened, pulse, pulseLayer, seen } from './pulse.ts';
import type { Filter } from './time.ts';
import { citiesZoom, mostZoom } from './zooms.ts';

setWorkerUrl(workerUrl);

/** From this zoom on the corners of the coarse coasts are visible. */
const fineZoom = 2.6;

export interface Picked extends ClusterProperties {
  id?: number;
  lon: number;
  lat: number;
}

export interface View {
  /** Shows the domains of a snapshot that the filter keeps; the old ones stay until the new ones have loaded. */
  show(snapshot: string, filter: Filter): Promise<void>;
  recolour(): Promise<void>;
  flyTo(lon: number, lat: number, zoom: number): void;
  zoomBy(steps: number): void;
  world(): void;
  mark(point?: { lon: number; lat: number }): void;
  /** Moves only as far as needed to make the point visible. */
  reveal(lon: number, lat: number): void;
  /** Bounds of the visible part, without what is covered. */
  bounds(): Bounds;
  remove(): void;
}

export interface Bounds {
  west: number;
  south: number;
  east: number;
  north: number;
  zoom: number;
  /** The middle of the visible part. */
  lat: number;
  lon: number;
}

export type Covered = Record<'top' | 'right' | 'bottom' | 'left', number>;

export interface ViewOptions {
  container: HTMLElement;
  /** Pixels that something else covers. */
  covered: () => Covered;
  /** The same, and a margin that keeps discs off the edge. */
  padding: () => PaddingOptions;
  onPick: (picked: Picked) => void;
  onMove: () => void;
}

const count: ExpressionSpecification = ['coalesce', ['get', 'point_count'], 1];
/** Steps of the legend: the numbers of domains at which a cluster gets the next colour. */
const steps = [10, 100, 1000] as const;
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
    cities: { 'text-color': colour('ink'), 'text-halo-color': colour('land') },
    clusters: { 'circle-color': byCount('c'), 'circle-stroke-color': colour('ring') },
    counts: { 'text-color': byCount('t') },
    pulse: { 'circle-stroke-color': colour('accent') },
    marked: { 'circle-stroke-color': colour('warn') },
  };
}

function tiles(snapshot: string, { hours, since }: Filter): string[] {
  const query = hours ? `?hours=${hours}` : since ? `?since=${since}` : '';
  return [`${here('/v1/tiles/')}${encodeURIComponent(snapshot)}/{z}/{x}/{y}.mvt${query}`];
}
const nothing: GeoJSON.FeatureCollection = { type: 'FeatureCollection', features: [] };

function style(): StyleSpecification {
  const font = ['Inter Variable'];
  return {
    version: 8,
    sources: {
      base: { type: 'geojson', data: nothing, tolerance: 0.2, attribution: '' },
      cities: { type: 'geojson', data: nothing },
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
      {
        id: 'cities',
        type: 'symbol',
        source: 'cities',
        minzoom: citiesZoom,
        filter: ['>=', ['zoom'], ['get', 'zoom']],
        layout: {
          'text-field': ['get', 'name'],
          'text-font': font,
          'text-size': ['interpolate', ['linear'], ['zoom'], 4, 11, 10, 15],
          'text-max-width': 8,
          'text-padding': 6,
          // Larger cities come first in the file.
          'symbol-sort-key': ['get', 'rank'],
          'text-anchor': 'top',
          'text-offset': [0, 0.2],
        },
        paint: { 'text-halo-width': 1.4, 'text-opacity': 0.82 },
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

/** Whether the world is narrower than the map. It is then drawn once: a copy beside it would show its domains twice. */
const isNarrow = ({ clientWidth }: HTMLElement, zoom: number) => 512 * 2 ** zoom < clientWidth;

/**
 * Lets the world fill at least the map's shorter side. MapLibre itself fills the longer one, so that an upright phone
 * could never show America and Asia at once. Above and below there is sea.
 */
function constrained(container: HTMLElement, { lng, lat }: LngLat, zoom: number) {
  const { clientWidth, clientHeight } = container;
  const least = Math.log2(Math.max(1, Math.min(clientWidth, clientHeight)) / 512);
  const held = Math.max(least, Math.min(mostZoom, zoom));
  const middle = MercatorCoordinate.fromLngLat({ lng, lat });
  // Half of the visible height, as a share of the world's. If the world is higher, the poles don't come past the edges.
  const half = clientHeight / 2 / (512 * 2 ** held);
  const [top, bottom] = half < 0.5 ? [half, 1 - half] : [0.3, 0.7];
  const y = Math.max(top, Math.min(bottom, middle.y));
  const center = new LngLat(lng, new MercatorCoordinate(0, y).toLngLat().lat);
  if (isNarrow(container, held)) {
    const wide = clientWidth / 2 / (512 * 2 ** held);
    const x = Math.max(1 - wide, Math.min(wide, middle.x - Math.floor(middle.x)));
    center.lng = new MercatorCoordinate(x, y).toLngLat().lng;
  }
  return { center, zoom: held };
}

/** Pixels from the edge at which a disc is whole. */
const edge = 24;

const still = matchMedia('(prefers-reduced-motion: reduce)');

export async function openView(options: ViewOptions): Promise<View> {
  const coarseLand = readLand(coarse);
  // Labels are drawn in the page's font, which must have loaded before the first of them.
  await document.fonts.load('12px "Inter Variable"').catch(() => undefined);
  const painted = <Layer extends LayerSpecification>(layer: Layer): Layer => ({
    ...layer,
    paint: { ...layer.paint, ...paint()[layer.id] },
  });
  const bare = style();
  // Read before the map is made, because it writes its own.
  const [named, zoom, where] = /^#(-?[\d.]+)(\/-?[\d.]+\/-?[\d.]+)/.exec(location.hash) ?? [];
  // MapLibre ignores an address whose zoom is too deep, as that of an old link may be.
  if (Number(zoom) > mostZoom) history.replaceState(null, '', `#${mostZoom}${where}`);
  const map = new MapLibre({
    container: options.container,
    style: { ...bare, layers: bare.layers.map(painted) },
    hash: true,
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    maxZoom: mostZoom,
    minZoom: -3,
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
  let hasCities = false;
  const nameCities = () => {
    if (hasCities || map.getZoom() < citiesZoom) return;
    hasCities = true;
    readPlaces().then(
      (found) =>
        (map.getSource('cities') as GeoJSONSource | undefined)?.setData({
          type: 'FeatureCollection',
          features: found.map(({ name, lon, lat, zoom }, rank) => ({
            type: 'Feature',
            properties: { name, zoom, rank },
            geometry: { type: 'Point', coordinates: [lon, lat] },
          })),
        }),
      () => {
        hasCities = false;
      },
    );
  };
  map.once('style.load', async () => {
    const land = await coarseLand;
    if (!isFine) lay(land);
    refine();
    nameCities();
    map.on('zoom', refine);
    map.on('zoom', nameCities);
  });
  const copies = () => {
    const isWhole = !isNarrow(options.container, map.getZoom());
    if (map.getRenderWorldCopies() !== isWhole) map.setRenderWorldCopies(isWhole);
  };
  copies();
  map.on('zoom', copies);
  map.on('resize', copies);
  map.on('moveend', options.onMove);
  // If a tile fails, the old one stays, and polling the pointer reports what is wrong.
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

  /** The part that is not covered, in pixels of the canvas. */
  const clear = () => {
    const { clientWidth, clientHeight } = options.container;
    const covered = options.covered();
    const least = 40;
    return {
      left: Math.min(covered.left, clientWidth - least),
      top: covered.top,
      right: clientWidth - covered.right,
      bottom: Math.max(covered.top + least, clientHeight - covered.bottom),
    };
  };
  const fly = (lon: number, lat: number, zoom: number) => {
    const target = { center: [lon, lat] as [number, number], zoom, padding: options.padding(), retainPadding: false };
    still.matches ? map.jumpTo(target) : map.flyTo({ ...target, speed: 1.6 });
  };
  let shown: string[] = [];
  let shownFilter = '';
  const styled = map.loaded() ? Promise.resolve() : map.once('style.load');
  return {
    async show(snapshot, filter) {
      const next = tiles(snapshot, filter);
      if (next[0] === shown[0] || snapshot === '') return;
      const sameFilter = shownFilter === JSON.stringify(filter);
      [shown, shownFilter] = [next, JSON.stringify(filter)];
      await styled;
      const source = map.getSource('clusters') as VectorTileSource | undefined;
      if (source) return sameFilter ? follow(source) : void source.setTiles(shown);
      map.addSource('clusters', { type: 'vector', tiles: shown, minzoom: 0, maxzoom: mostZoom });
      for (const layer of clusterLayers) map.addLayer(painted(layer), 'marked');
      // Read by `npm run bench -- map`.
      map.once('idle', () => performance.mark('clusters'));
    },
    async recolour() {
      await styled;
      for (const [layer, properties] of Object.entries(paint()))
        for (const [name, value] of Object.entries(properties))
          map.setPaintProperty(layer, name as 'circle-color', value as string);
    },
    flyTo: fly,
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
    reveal(lon, lat) {
      const { left, top, right, bottom } = clear();
      // In the copy of the world that is nearest to the middle.
      const middle = map.getCenter().lng;
      const near = lon + 360 * Math.round((middle - lon) / 360);
      const { x, y } = map.project([near, lat]);
      if (x > left + edge && x < right - edge && y > top + edge && y < bottom - edge) return;
      fly(near, lat, map.getZoom());
    },
    bounds() {
      const { left, top, right, bottom } = clear();
      const [northWest, southEast] = [map.unproject([left, top]), map.unproject([right, bottom])];
      const middle = map.unproject([(left + right) / 2, (top + bottom) / 2]);
      return {
        ...{ west: northWest.lng, south: southEast.lat, east: southEast.lng, north: northWest.lat },
        ...{ zoom: map.getZoom(), lat: middle.lat, lon: middle.wrap().lng },
      };
    },
    remove: () => map.remove(),
  };
}
