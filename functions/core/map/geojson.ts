// Clusters as GeoJSON (RFC 7946) and in the form Yandex Maps' RemoteObjectManager reads.

import { SIZE, xToLon, yToLat } from './mercator.ts';
import type { Cluster, Pyramid, TileItems } from './pyramid.ts';
import { EXTENT } from './pyramid.ts';

export interface ClusterFeature {
  type: 'Feature';
  id: number;
  geometry: { type: 'Point'; coordinates: [lon: number, lat: number] };
  /**
   * A cluster has point_count and, when it can split, expansion_zoom; a single point its domain, updatedAt and, by
   * location, its hits.
   */
  properties: { point_count: number; expansion_zoom?: number } | { domain: string; updatedAt: string; hits?: number };
}

export function clusterFeature(pyramid: Pyramid, cluster: Cluster): ClusterFeature {
  return {
    type: 'Feature',
    id: cluster.id,
    geometry: { type: 'Point', coordinates: [degrees(xToLon(cluster.x)), degrees(yToLat(cluster.y))] },
    properties: properties(pyramid, cluster.count, cluster.expansionZoom, cluster.leafStart),
  };
}

/** The items of a tile, at the positions of its vector form, including the margin. */
export function tileFeatures(pyramid: Pyramid, tile: TileItems, z: number, x: number, y: number): ClusterFeature[] {
  const unit = SIZE / (EXTENT * 2 ** z);
  return Array.from({ length: tile.length }, (_, i) => {
    const formed = tile.formed(i);
    const lon = xToLon((tile.x(i) + EXTENT * x) * unit);
    const lat = yToLat((tile.y(i) + EXTENT * y) * unit);
    return {
      type: 'Feature',
      id: pyramid.idOf(tile.leafStart(i), formed),
      geometry: { type: 'Point', coordinates: [degrees(lon), degrees(lat)] },
      properties: properties(
        pyramid,
        tile.count(i),
        formed <= pyramid.maxZoom ? formed + 1 : undefined,
        tile.leafStart(i),
      ),
    };
  });
}

/** The form that RemoteObjectManager reads: single points as Feature, others as Cluster; coordinates are lat, lon. */
export function yandexCollection(pyramid: Pyramid, clusters: Cluster[]): object {
  return {
    type: 'FeatureCollection',
    features: clusters.map((cluster) => {
      const coordinates = [degrees(yToLat(cluster.y)), degrees(xToLon(cluster.x))];
      const geometry = { type: 'Point', coordinates };
      if (cluster.count === 1) {
        const domain = pyramid.domain(cluster.leafStart);
        return {
          type: 'Feature',
          id: cluster.id,
          geometry,
          properties: { hintContent: domain, updatedAt: new Date(pyramid.updatedAt(cluster.leafStart)).toISOString() },
        };
      }
      // The bounds that Yandex zooms to on a click.
      const [west, south, east, north] = pyramid.bounds(cluster).map(degrees);
      return {
        type: 'Cluster',
        id: cluster.id,
        number: cluster.count,
        bbox: [
          [south, west],
          [north, east],
        ],
        geometry,
        properties: { iconContent: String(cluster.count) },
      };
    }),
  };
}

function properties(pyramid: Pyramid, count: number, expansionZoom: number | undefined, leafStart: number) {
  if (count === 1)
    return {
      domain: pyramid.domain(leafStart),
      updatedAt: new Date(pyramid.updatedAt(leafStart)).toISOString(),
      ...pyramid.hitsOf(leafStart),
    };
  return expansionZoom === undefined ? { point_count: count } : { point_count: count, expansion_zoom: expansionZoom };
}

/** 6 decimals are 0.11 m, below the grid's unit. */
function degrees(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
