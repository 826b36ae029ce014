// What is in view as text: the larger clusters, and single domains.
import { useEffect, useState } from 'preact/hooks';
import { type ClusterProperties, get } from '../api.ts';
import { Content, Note } from '../components/card.tsx';
import { useLast, useLoad, useNow } from '../load.ts';
import { shownDomain } from '../text/domain.ts';
import { count, since } from '../text/format.ts';
import { centred, useNames } from './around.ts';
import { useSteady } from './steady.ts';
import type { Filter } from './time.ts';
import type { Bounds, Picked } from './view.ts';
import { citiesZoom } from './zooms.ts';

/** Milliseconds without a move after which the list follows the map: a burst of zooms asks once. */
const settleMs = 200;
/** Rows of the list: the larger clusters. */
const mostRows = 60;

interface Row extends Picked {
  number: number;
}

/** Pixels between an earlier row and a present one; Infinity for different domains. */
const moved = (zoom: number) => (before: Row, now: Row) => {
  if (before.number === 1 || now.number === 1) return before.domain === now.domain ? 0 : Number.POSITIVE_INFINITY;
  const pixels = (512 * 2 ** zoom) / 360;
  const away = Math.hypot(before.lon - now.lon, before.lat - now.lat) * pixels;
  return away < clusterPixels ? away : Number.POSITIVE_INFINITY;
};
/** Pixels. Clusters are further apart than this: one that moved by less is the same. */
const clusterPixels = 32;

export function InView({
  bounds,
  snapshot,
  filter,
  onPick,
}: {
  bounds?: Bounds;
  snapshot: string;
  filter: Filter;
  onPick: (picked: Picked) => void;
}) {
  const [area, setArea] = useState(bounds);
  useEffect(() => {
    const timer = setTimeout(() => setArea(bounds), settleMs);
    return () => clearTimeout(timer);
  }, [bounds]);
  const box = boxOf(area);
  const query = { ...box, snapshot, ...filter };
  const now = useNow();
  const nameOf = useNames(box.zoom >= citiesZoom);
  const loaded = useLoad(JSON.stringify(query), async (signal) => {
    const { features } = await get('/v1/clusters', query, { signal });
    return features
      .map(({ id, properties, geometry: { coordinates } }): Row => {
        const carried: ClusterProperties = properties;
        return { ...carried, id, lon: coordinates[0], lat: coordinates[1], number: carried.point_count ?? 1 };
      })
      .sort((a, b) => b.number - a.number)
      .slice(0, mostRows);
  });
  const { rows, inList } = useSteady<Row>(moved(box.zoom));
  return (
    <Content of={useLast(loaded)} what="The domains in view" lines={8}>
      {(found) =>
        found.length === 0 ? (
          <Note title="No domain in view.">Move the map, zoom out, or choose a longer time.</Note>
        ) : (
          <ul class="rows" {...inList}>
            {rows(found).map(({ key, row }) => (
              <li key={key}>
                <button type="button" class="row" onClick={() => onPick(row)}>
                  <span class="label">
                    <span class="fill" style={{ width: `${(row.number / found[0].number) * 100}%` }} />
                    {row.number === 1 ? (
                      shownDomain(row.domain)
                    ) : (
                      <Cluster number={row.number} at={nameOf(row.lat, row.lon)} />
                    )}
                  </span>
                  {row.number === 1 ? (
                    <span class="value muted small">{row.updatedAt && since(row.updatedAt, now)}</span>
                  ) : (
                    <span class="value">{count(row.number)}</span>
                  )}
                </button>
              </li>
            ))}
          </ul>
        )
      }
    </Content>
  );
}

/** The city is shown beside the number; a screen reader reads the whole sentence. */
function Cluster({ number, at }: { number: number; at: string }) {
  const whole = centred(number, at);
  const [, words = '', where = whole] = /^(.* centred (?:in|near|at) )(.*)$/.exec(whole) ?? [];
  return (
    <>
      <span class="hidden-text">{words}</span>
      {where}
    </>
  );
}

/** The visible box as the service takes it: longitudes wrapped, latitudes clamped. */
function boxOf({ west, south, east, north, zoom } = { west: -180, south: -85, east: 180, north: 85, zoom: 1 }) {
  const wrap = (lon: number) => ((((lon + 180) % 360) + 360) % 360) - 180;
  const whole = east - west >= 360;
  const box = [whole ? -180 : wrap(west), Math.max(-90, south), whole ? 180 : wrap(east), Math.min(90, north)];
  return { bbox: box.map((value) => Number(value.toFixed(4))).join(), zoom: Math.max(0, Math.floor(zoom)) };
}
