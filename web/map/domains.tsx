// The map's facts as text: the domains with most hits, and the newest.
import { useEffect, useRef, useState } from 'preact/hooks';
import { get, type Leaf } from '../api.ts';
import { Content, Note } from '../components/card.tsx';
import { type Loaded, useLast, useLoad, useNow } from '../load.ts';
import { shownDomain } from '../text/domain.ts';
import { compact, since } from '../text/format.ts';
import { useSteady } from './steady.ts';
import { type DomainHits, listed, mostVisited } from './visited.ts';

/** The coordinates of the public export, read once: when a reader first goes to a domain. */
let coordinates: Promise<Map<string, Leaf>> | undefined;
function locate(domain: string): Promise<Leaf | undefined> {
  coordinates ??= get('/points.json').then(({ points }) => new Map(points.map((point) => [point.domain, point])));
  return coordinates.then((found) => found.get(domain));
}
/** Past this the export is too large to load for one click. */
const mostLocated = 100_000;

const isSame = <T extends { domain: string }>(a: T, b: T) => (a.domain === b.domain ? 0 : Number.POSITIVE_INFINITY);

/** The domains with most hits of some days; `version` changes with the sums. */
export function Visited({
  days,
  version,
  points,
  onGo,
}: {
  days: string[];
  version: unknown;
  points: number;
  onGo: (leaf: Leaf) => void;
}) {
  const [said, setSaid] = useState('');
  const loaded = useLoad(days.join(), (signal) => mostVisited(days, signal));
  const shown = useLast(loaded);
  const { reload } = loaded;
  const asked = useRef(version);
  useEffect(() => {
    if (asked.current !== version) reload();
    asked.current = version;
  }, [version, reload]);
  const { rows, inList } = useSteady<DomainHits>(isSame);
  const large = points > mostLocated;
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
  return (
    <>
      <p class="small muted" role="status">
        {said}
      </p>
      <Content of={shown} what="The list of domains" lines={8}>
        {({ domains, whole }) =>
          domains.length === 0 ? (
            <Note title="No hits.">None was counted in this time.</Note>
          ) : (
            <>
              <ul class="rows" {...inList}>
                {rows(domains).map(({ key, row: { domain, hits } }) => (
                  <li key={key}>
                    <button
                      type="button"
                      class="row"
                      disabled={large}
                      onClick={() => go(domain)}
                      title={large ? domain : `Show ${shownDomain(domain)} on the map`}
                    >
                      <span class="label">
                        <span class="fill" style={{ width: `${(hits / domains[0].hits) * 100}%` }} />
                        {shownDomain(domain)}
                      </span>
                      <span class="value">{compact(hits)}</span>
                    </button>
                  </li>
                ))}
              </ul>
              {!whole && <p class="small muted">Counted from each day's {listed} domains with the most hits.</p>}
            </>
          )
        }
      </Content>
    </>
  );
}

/** Domains of the last hour by their newest hit: the hits of an hour are not counted by domain. */
export function Newest({ of, onGo }: { of: Loaded<{ items: Leaf[] }>; onGo: (leaf: Leaf) => void }) {
  const now = useNow();
  const { rows, inList } = useSteady<Leaf>(isSame);
  return (
    <Content of={useLast(of)} what="The newest domains" lines={8}>
      {({ items }) =>
        items.length === 0 ? (
          <Note title="No hits.">Nobody came within this hour.</Note>
        ) : (
          <ul class="rows" {...inList}>
            {rows(items).map(({ key, row }) => (
              <li key={key}>
                <button type="button" class="row" onClick={() => onGo(row)}>
                  <span class="label">{shownDomain(row.domain)}</span>
                  <span class="value muted small">{since(row.updatedAt, now)}</span>
                </button>
              </li>
            ))}
          </ul>
        )
      }
    </Content>
  );
}
