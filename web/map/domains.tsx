// The map's facts as text: the domains with most hits, and those in view.
import { useEffect, useRef, useState } from 'preact/hooks';
import { type ClusterProperties, get, type Leaf } from '../api.ts';
import { Content, Note, Skeleton } from '../components/card.tsx';
import { useLoad, useNow } from '../load.ts';
import { shownDomain } from '../text/domain.ts';
import { compact, day, since, utcDay } from '../text/format.ts';
import { around, useNames } from './around.ts';
import type { Live } from './live.ts';
import type { Picked, View } from './view.ts';
import { listed, mostVisited } from './visited.ts';

/** The public export's coordinates, read once, when a reader first asks to be taken to a domain. */
let coordinates: Promise<Map<string, Leaf>> | undefined;
function locate(domain: string): Promise<Leaf | undefined> {
  coordinates ??= get('/points.json').then(({ points }) => new Map(points.map((point) => [point.domain, point])));
  return coordinates.then((found) => found.get(domain));
}
/** Past this the export is too large to load for one click. */
const mostLocated = 100_000;

/** The domains with most hits of so many days, or those in view. */
export type List = '1' | '7' | '30' | 'view';
export const lists = ({ sums }: Live): [List, string][] => [
  ['1', !sums || sums.newest === utcDay(Date.now()) ? 'Today' : day(sums.newest)],
  ['7', '7 days'],
  ['30', '30 days'],
  ['view', 'In view'],
];

export function Visited({ days, live, onGo }: { days: number; live: Live; onGo: (leaf: Leaf) => void }) {
  const [said, setSaid] = useState('');
  // The sums of one day come with the page's own; longer spans are asked for when they are wanted, and with each new day's sum.
  const longer = useLoad(days === 1 || !live.sums ? null : `${days} days`, (signal) => mostVisited(days, signal));
  const { reload } = longer;
  const asked = useRef(live.sums);
  useEffect(() => {
    if (asked.current && asked.current !== live.sums) reload();
    asked.current = live.sums;
  }, [live.sums, reload]);
  if (!live.sums) return live.error ? null : <Skeleton lines={8} height={32} />;

  const { domains } = live.sums;
  const large = (live.latest?.points ?? 0) > mostLocated;
  const go = async (domain: string) => {
    setSaid('');
    try {
      const leaf = await locate(domain);
      if (leaf) return onGo(leaf);
      setSaid(`${shownDomain(domain)} is not on the map any more.`);
    } catch {
      setSaid('The list of coordinates could not be loaded: try again.');
    }
    coordinates = undefined;
  };
  const shown = days === 1 ? { data: { domains, whole: true }, reload: live.retry } : longer;
  return (
    <>
      <p class="small muted" role="status">
        {said}
      </p>
      <Content of={shown} what="The list of domains" lines={8}>
        {({ domains: rows, whole }) => (
          <>
            <ul class="rows">
              {rows.map(({ domain, hits }) => (
                <li key={domain}>
                  <button
                    type="button"
                    class="row"
                    disabled={large}
                    onClick={() => go(domain)}
                    title={large ? domain : `Show ${shownDomain(domain)} on the map`}
                  >
                    <span class="label">
                      <span class="fill" style={{ width: `${(hits / rows[0].hits) * 100}%` }} />
                      {shownDomain(domain)}
                    </span>
                    <span class="value">{compact(hits)}</span>
                  </button>
                </li>
              ))}
            </ul>
            {!whole && <p class="small muted">Counted from each day's {listed} most visited.</p>}
          </>
        )}
      </Content>
    </>
  );
}

/** Milliseconds without a move after which the list follows the map: a burst of zooms asks once. */
const settleMs = 200;
/** Rows of the list: the larger clusters. */
const mostRows = 60;

export function InView({
  bounds,
  snapshot,
  hours,
  onPick,
}: {
  bounds?: ReturnType<View['bounds']>;
  snapshot: string;
  hours?: number;
  onPick: (picked: Picked) => void;
}) {
  const [area, setArea] = useState(bounds);
  useEffect(() => {
    const timer = setTimeout(() => setArea(bounds), settleMs);
    return () => clearTimeout(timer);
  }, [bounds]);
  const query = { ...boxOf(area), snapshot, hours };
  const now = useNow();
  const nameOf = useNames();
  const loaded = useLoad(JSON.stringify(query), (signal) => get('/v1/clusters', query, { signal }));
  // The list stays while the next is on its way.
  const last = useRef(loaded.data);
  last.current = loaded.data ?? last.current;
  return (
    <Content of={{ ...loaded, data: last.current }} what="The domains in view" lines={8}>
      {({ features }) => {
        const rows = features
          .map(({ id, properties, geometry: { coordinates } }) => {
            const carried: ClusterProperties = properties;
            return { ...carried, id, lon: coordinates[0], lat: coordinates[1], number: carried.point_count ?? 1 };
          })
          .sort((a, b) => b.number - a.number)
          .slice(0, mostRows);
        if (rows.length === 0) return <Note title="No domain in view.">Move the map, or zoom out.</Note>;
        return (
          <ul class="rows">
            {rows.map((row) => (
              <li key={`${row.lon},${row.lat}`}>
                <button type="button" class="row" onClick={() => onPick(row)}>
                  <span class="label">
                    <span class="fill" style={{ width: `${(row.number / rows[0].number) * 100}%` }} />
                    {row.number === 1 ? shownDomain(row.domain) : around(row.number, nameOf(row.lat, row.lon))}
                  </span>
                  <span class="value muted small">
                    {row.number === 1 && row.updatedAt && since(row.updatedAt, now)}
                  </span>
                </button>
              </li>
            ))}
          </ul>
        );
      }}
    </Content>
  );
}

/** What is seen, as the service asks for it: longitudes wrapped, latitudes held to the poles. */
function boxOf({ west, south, east, north, zoom } = { west: -180, south: -85, east: 180, north: 85, zoom: 1 }) {
  const wrap = (lon: number) => ((((lon + 180) % 360) + 360) % 360) - 180;
  const whole = east - west >= 360;
  const box = [whole ? -180 : wrap(west), Math.max(-90, south), whole ? 180 : wrap(east), Math.min(90, north)];
  return { bbox: box.map((value) => Number(value.toFixed(4))).join(), zoom: Math.max(0, Math.floor(zoom)) };
}
