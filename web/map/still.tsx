// The map without WebGL 2: the same clusters as a picture.

import { coarse } from 'virtual:basemap';
import { useEffect, useState } from 'preact/hooks';
import { get } from '../api.ts';
import { readLand } from './land.ts';
import type { Filter } from './time.ts';

const [width, height] = [1000, 640];
const x = (lon: number) => ((lon + 180) / 360) * width;
const y = (lat: number) => {
  const sine = Math.sin((Math.max(-85, Math.min(85, lat)) * Math.PI) / 180);
  return (0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)) * width - 120;
};

export function Still({ snapshot, filter }: { snapshot?: string; filter?: Filter }) {
  const [land, setLand] = useState('');
  const [clusters, setClusters] = useState<{ coordinates: number[]; number: number }[]>([]);
  useEffect(() => {
    readLand(coarse).then(
      ({ features }) => {
        const shape = features.find((feature) => feature.properties?.kind === 'land')?.geometry as GeoJSON.MultiPolygon;
        const ring = (line: GeoJSON.Position[]) =>
          `M${line.map(([lon, lat]) => `${x(lon).toFixed(1)} ${y(lat).toFixed(1)}`).join('L')}Z`;
        setLand(shape.coordinates.flat().map(ring).join(''));
      },
      () => setLand(''),
    );
  }, []);
  // A new snapshot is what asks again
  useEffect(() => {
    if (!snapshot || !filter) return;
    const controller = new AbortController();
    const query = { bbox: '-180,-85,180,85', zoom: 1, snapshot, ...filter };
    get('/v1/clusters', query, { signal: controller.signal }).then(
      ({ features }) =>
        setClusters(
          features.map(({ geometry: { coordinates }, properties }) => ({
            coordinates,
            number: 'point_count' in properties ? properties.point_count : 1,
          })),
        ),
      // The last picture stays; the next snapshot asks again.
      () => {},
    );
    return () => controller.abort();
  }, [snapshot, JSON.stringify(filter)]);
  return (
    <div class="still">
      <svg
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="xMidYMid slice"
        role="img"
        aria-label="World map of domains"
      >
        <path d={land} fill="var(--land)" stroke="var(--border)" stroke-width="0.6" fill-rule="evenodd" />
        {clusters.map(({ coordinates, number }) => (
          <circle
            key={coordinates.join()}
            cx={x(coordinates[0])}
            cy={y(coordinates[1])}
            r={number === 1 ? 4 : 7 + Math.log10(number) * 4}
            fill="var(--c2)"
            stroke="var(--c3)"
          />
        ))}
      </svg>
    </div>
  );
}

export function hasWebGL2(): boolean {
  try {
    return document.createElement('canvas').getContext('webgl2') !== null;
  } catch {
    return false;
  }
}
