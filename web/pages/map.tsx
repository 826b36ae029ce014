// /: where the portal's hits come from, right now. /embed is the same map for an <iframe>.
import { named } from 'virtual:basemap';
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { type Clusters, get, items, type Leaf, type ServiceError } from '../api.ts';
import { ago, compact, day, plural, span, utcDay } from '../format.ts';
import { useDark, useLoad, useNow } from '../load.ts';
import { degrees, type NameOf, namer } from '../map/countries.ts';
import { type Live, staleSeconds, sumDays, useLive } from '../map/live.ts';
import { Spark } from '../map/spark.tsx';
import { hasWebGL2, Still } from '../map/still.tsx';
import type { Picked, View } from '../map/view.ts';
import { Content, Failed, MapPage, mount, Segments, Skeleton } from '../shell.tsx';

const embed = location.pathname.startsWith('/embed');
const webgl = hasWebGL2();
const phone = matchMedia('(max-width: 760px)');

type State = 'loading' | 'empty' | 'live' | 'stale' | 'lost';

function stateOf({ latest, error }: Live, now: number): State {
  if (error) return latest ? 'lost' : 'loading';
  if (!latest) return 'loading';
  if (!latest.updatedAt) return 'empty';
  return (now - Date.parse(latest.updatedAt)) / 1000 > staleSeconds ? 'stale' : 'live';
}

/** The state in words; spoken when the state changes, not at each second. */
function Status({ state, updatedAt, now }: { state: State; updatedAt?: string | null; now: number }) {
  const words = {
    loading: 'Loading',
    empty: 'Waiting for the first hit',
    live: 'Live',
    stale: 'Stale',
    lost: 'Connection lost',
  };
  return (
    <p class="status">
      <span class={`dot ${state}`} />
      <span role="status">{words[state]}</span>
      {updatedAt && <span>updated {ago(updatedAt, now)}</span>}
    </p>
  );
}

/** The public export's coordinates, read once, when a reader first asks to be taken to a place. */
let coordinates: Promise<Map<string, Leaf>> | undefined;
function locate(domain: string): Promise<Leaf | undefined> {
  coordinates ??= get<{ points: Leaf[] }>('/points.json').then(
    ({ points }) => new Map(points.map((point) => [point.domain, point])),
  );
  return coordinates.then((found) => found.get(domain));
}
/** Past this the export is too large to load for one click. */
const mostLocated = 100_000;

function Visited({ live, onGo }: { live: Live; onGo: (place: Leaf) => void }) {
  const [missing, setMissing] = useState('');
  const rows = live.sums?.places ?? [];
  const most = rows[0]?.hits ?? 1;
  const go = async (domain: string) => {
    setMissing('');
    const place = await locate(domain).catch(() => undefined);
    place ? onGo(place) : setMissing(`${domain} is not on the map any more.`);
    if (!place) coordinates = undefined;
  };
  if (!live.sums) return live.error ? null : <Skeleton lines={8} height={32} />;
  return (
    <>
      <p class="small muted list-note" role="status">
        {missing}
      </p>
      <p class="small muted list-note">
        {live.sums.newest === utcDay(Date.now()) ? 'Hits today (UTC)' : `Hits on ${day(live.sums.newest)} (UTC)`}
      </p>
      <ul class="rows">
        {rows.map(({ domain, hits }) => (
          <li key={domain}>
            <button
              type="button"
              class="row"
              disabled={(live.latest?.points ?? 0) > mostLocated}
              onClick={() => go(domain)}
              title={`Show ${domain} on the map`}
            >
              <span class="fill" style={{ width: `${(hits / most) * 100}%` }} />
              <span class="label">{domain}</span>
              <span class="value">{compact(hits)}</span>
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}

function InView({
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
  const area = bounds ?? { west: -180, south: -85, east: 180, north: 85, zoom: 1 };
  const wrap = (lon: number) => ((((lon + 180) % 360) + 360) % 360) - 180;
  const whole = area.east - area.west >= 360;
  const box = [
    whole ? -180 : wrap(area.west),
    Math.max(-90, area.south),
    whole ? 180 : wrap(area.east),
    Math.min(90, area.north),
  ].map((value) => Number(value.toFixed(4)));
  const query = { bbox: box.join(), zoom: Math.max(0, Math.floor(area.zoom)), snapshot, hours };
  const now = useNow();
  const nameOf = useNames();
  const loaded = useLoad(JSON.stringify(query), (signal) => get<Clusters>('/v1/clusters', query, { signal }));
  // The list stays while the next is on its way.
  const last = useRef(loaded.data);
  last.current = loaded.data ?? last.current;
  return (
    <Content of={{ ...loaded, data: last.current }} what="The places in view" lines={8}>
      {({ features }) => {
        const rows = features
          .map(({ id, properties, geometry }) => ({
            ...properties,
            id: properties.cluster_id ?? (typeof id === 'number' ? id : undefined),
            lon: geometry.coordinates[0],
            lat: geometry.coordinates[1],
            number: properties.point_count ?? 1,
          }))
          .sort((a, b) => b.number - a.number)
          .slice(0, 60);
        if (rows.length === 0)
          return (
            <div class="note">
              <strong>No place in view.</strong>
              <p>Move the map, or zoom out.</p>
            </div>
          );
        const most = rows[0].number;
        return (
          <ul class="rows">
            {rows.map((row) => (
              <li key={`${row.lon},${row.lat}`}>
                <button type="button" class="row" onClick={() => onPick(row)}>
                  <span class="fill" style={{ width: `${(row.number / most) * 100}%` }} />
                  <span class="label">
                    {row.number === 1 ? row.domain : around(row.number, nameOf(row.lat, row.lon))}
                  </span>
                  {row.number === 1 && row.updatedAt && <span class="muted small">{ago(row.updatedAt, now)}</span>}
                </button>
              </li>
            ))}
          </ul>
        );
      }}
    </Content>
  );
}

let names: Promise<NameOf> | undefined;
/** Names of countries once they have come, which is when a list first needs them; degrees until then. */
function useNames(): NameOf {
  const [nameOf, setNameOf] = useState<NameOf>(() => (lat: number, lon: number) => `at ${degrees(lat, lon)}`);
  useEffect(() => {
    names ??= fetch(named)
      .then((response) => response.json())
      .then(namer);
    names.then(
      (found) => setNameOf(() => found),
      () => {
        names = undefined;
      },
    );
  }, []);
  return nameOf;
}

/** A cluster's middle lies in a country; its places need not. */
const around = (number: number, where: string) =>
  `${plural(number, 'place')} ${where.replace(/^(in|near) /, 'around ')}`;
const sentence = (text: string) => `${text[0].toUpperCase()}${text.slice(1)}`;

const leavesAPage = 100;

/** What a click opened: one place, or the places of a cluster, newest first. */
function Opened({
  picked,
  snapshot,
  hours,
  onClose,
  onGo,
}: {
  picked: Picked;
  /** The one the cluster's id came from. */
  snapshot?: string;
  hours?: number;
  onClose: () => void;
  onGo: (place: Leaf) => void;
}) {
  const now = useNow();
  const nameOf = useNames();
  const heading = useRef<HTMLHeadingElement>(null);
  const number = picked.point_count ?? 1;
  const read = (offset: number, signal?: AbortSignal) =>
    get<{ items: Leaf[] }>(
      '/v1/clusters/leaves',
      { cluster: picked.id, snapshot, hours, limit: leavesAPage, offset },
      { signal },
    ).then(items);
  const first = useLoad(number > 1 ? `${snapshot} ${picked.id} ${hours}` : null, (signal) => read(0, signal));
  const [more, setMore] = useState<Leaf[]>([]);
  const [failed, setFailed] = useState<ServiceError>();
  const next = (offset: number) =>
    read(offset).then(
      (leaves) => {
        setFailed(undefined);
        setMore((shown) => [...shown, ...leaves]);
      },
      (cause) => setFailed(cause),
    );
  // Each new pick moves the reader to its heading.
  useEffect(() => heading.current?.focus({ preventScroll: true }), [picked]);
  return (
    <section
      aria-labelledby="opened"
      onKeyDown={(event) => {
        if (event.key === 'Escape') onClose();
      }}
    >
      <div class="card-head">
        <h2 id="opened" ref={heading} tabIndex={-1}>
          {number > 1 ? around(number, nameOf(picked.lat, picked.lon)) : picked.domain}
        </h2>
        <button type="button" class="quiet" onClick={onClose}>
          Close
        </button>
      </div>
      {number === 1 ? (
        <p class="muted list-note">
          {sentence(nameOf(picked.lat, picked.lon))}
          {picked.updatedAt && `, last hit ${ago(picked.updatedAt, now)}`}.
        </p>
      ) : (
        <Content of={first} what="The places of this cluster" lines={8}>
          {(page) => {
            const leaves = [...page, ...more];
            return (
              <>
                <ul class="rows">
                  {leaves.map((leaf) => (
                    <li key={leaf.domain}>
                      <button type="button" class="row" onClick={() => onGo(leaf)}>
                        <span class="label">{leaf.domain}</span>
                        <span class="muted small when">{ago(leaf.updatedAt, now)}</span>
                      </button>
                    </li>
                  ))}
                </ul>
                {failed && <Failed what="The rest" error={failed} retry={() => next(leaves.length)} />}
                {leaves.length < number && !failed && (
                  <button type="button" class="quiet list-more" onClick={() => next(leaves.length)}>
                    Show more
                  </button>
                )}
              </>
            );
          }}
        </Content>
      )}
    </section>
  );
}

const spans = [
  ['', 'All time'],
  ['24', 'Last day'],
  ['1', 'Last hour'],
] as const;
/** Hours back from the newest hit within which a place must have been hit to be shown; '' shows all. */
type Recent = (typeof spans)[number][0];

function Legend({ recent, onRecent }: { recent: Recent; onRecent: (next: Recent) => void }) {
  return (
    <section class="legend" aria-label="Legend">
      <h2>In a cluster</h2>
      <ul>
        {[
          ['2-9', 10, 'c1'],
          ['10-99', 14, 'c2'],
          ['100-999', 18, 'c3'],
          ['1,000+', 22, 'c4'],
        ].map(([text, size, colour]) => (
          <li key={text}>
            <i style={{ width: `${size}px`, height: `${size}px`, background: `var(--${colour})` }} />
            {text}
          </li>
        ))}
      </ul>
      <Segments label="Places hit" options={spans} value={recent} onChange={onRecent} />
    </section>
  );
}

type Height = 'peek' | 'half' | 'full';

function LiveMap() {
  const live = useLive();
  const { latest, error } = live;
  const now = useNow(1000);
  const dark = useDark();
  const state = stateOf(live, now);
  const canvas = useRef<HTMLDivElement>(null);
  const panel = useRef<HTMLElement>(null);
  const [view, setView] = useState<View>();
  const [broken, setBroken] = useState<ServiceError>();
  const [attempt, setAttempt] = useState(0);
  const [bounds, setBounds] = useState<ReturnType<View['bounds']>>();
  const [picked, setPicked] = useState<Picked & { snapshot?: string; hours?: number }>();
  const [recent, setRecent] = useState<Recent>('');
  const hours = recent ? Number(recent) : undefined;
  const newest = useRef<{ snapshot?: string; hours?: number }>({});
  newest.current = { snapshot: latest?.snapshot || undefined, hours };
  const [list, setList] = useState<'visited' | 'view'>('visited');
  const [height, setHeight] = useState<Height>('peek');

  const padding = useCallback(() => {
    const covered = panel.current?.getBoundingClientRect();
    if (embed || !covered) return { top: 24, right: 24, bottom: 24, left: 24 };
    return phone.matches
      ? { top: 24, right: 16, bottom: Math.min(covered.height, innerHeight / 2) + 16, left: 16 }
      : { top: 24, right: 24, bottom: 24, left: covered.right + 24 };
  }, []);

  const pick = useCallback((next: Picked) => {
    // A cluster opens into its parts while there are any; what stays together is shown as a list.
    if (next.point_count && next.point_count > 1 && next.expansion_zoom !== undefined) {
      viewNow.current?.flyTo(next.lon, next.lat, next.expansion_zoom + 0.2);
      if (next.point_count > 200) return;
    }
    setPicked({ ...next, ...newest.current });
    viewNow.current?.mark(next);
    if (phone.matches) setHeight('half');
  }, []);
  const viewNow = useRef<View | undefined>(undefined);
  viewNow.current = view;

  useEffect(() => {
    if (!webgl || !canvas.current) return;
    let opened: View | undefined;
    let gone = false;
    import('../map/view.ts')
      .then(({ openView }) =>
        openView({
          container: canvas.current as HTMLElement,
          padding,
          onPick: pick,
          onMove: () => opened && setBounds(opened.bounds()),
          onTileError: () => {},
        }),
      )
      .then(
        (next) => {
          if (gone) return next.remove();
          opened = next;
          setView(next);
          setBounds(next.bounds());
          setBroken(undefined);
        },
        (cause) => setBroken(cause),
      );
    return () => {
      gone = true;
      opened?.remove();
      setView(undefined);
    };
  }, [attempt]);
  useEffect(() => {
    if (latest) void view?.show(latest.snapshot, hours);
  }, [view, latest?.snapshot, hours]);
  // The theme is read from the page's tokens
  useEffect(() => void view?.recolour(), [view, dark]);

  const close = useCallback(() => {
    setPicked(undefined);
    viewNow.current?.mark();
    document.getElementById('places')?.focus({ preventScroll: true });
  }, []);
  const go = (place: Leaf) => {
    view?.flyTo(place.lon, place.lat, 9);
    view?.mark(place);
    setPicked({ domain: place.domain, lon: place.lon, lat: place.lat, updatedAt: place.updatedAt });
  };
  const total = live.sums?.days.reduce((sum, { hits }) => sum + hits, 0);
  const heights: Record<Height, Height> = { peek: 'half', half: 'full', full: 'peek' };

  return (
    <MapPage embed={embed}>
      <h1 class="hidden-text">Live map</h1>
      {webgl ? <div class="map-canvas" ref={canvas} /> : <Still snapshot={latest?.snapshot} />}
      <section class="panel" ref={panel} data-height={height} aria-label="Places">
        <button
          type="button"
          class="handle"
          aria-label={height === 'full' ? 'Make the list small' : 'Make the list larger'}
          onClick={() => setHeight(heights[height])}
        />
        <div class="panel-top">
          <Status state={state} updatedAt={latest?.updatedAt} now={now} />
          {total === undefined && !error ? (
            <span class="bone" style={{ width: '120px', height: '34px', margin: '12px 0 8px' }} />
          ) : (
            total !== undefined && <p class="big">{compact(total)} hits</p>
          )}
          {latest && total !== undefined && (
            <p>
              in {sumDays} days, {plural(latest.points, 'place')} on the map
            </p>
          )}
          {state === 'stale' && latest?.updatedAt && (
            <p class="small muted">
              No news for {span((now - Date.parse(latest.updatedAt)) / 1000)}. <a href="/health">See what stands</a>
            </p>
          )}
        </div>
        {error && (
          <div style={{ padding: '0 20px' }}>
            {<Failed what="The newest places" error={error} retry={live.retry} />}
          </div>
        )}
        {broken && (
          <div style={{ padding: '0 20px' }}>
            <Failed what="The map" error={broken} retry={() => setAttempt(attempt + 1)} />
          </div>
        )}
        {!embed && live.sums && state !== 'empty' && <Spark days={live.sums.days} />}
        {!embed && (
          <div class="panel-body" id="places" tabIndex={-1}>
            {picked ? (
              <Opened
                key={`${picked.lon},${picked.lat},${picked.domain}`}
                picked={picked}
                snapshot={picked.snapshot}
                hours={picked.hours}
                onClose={close}
                onGo={go}
              />
            ) : state === 'empty' ? (
              <div class="note">
                <strong>No hits yet.</strong>
                <p>
                  Put the beacon on a page, and its visitors show here within seconds. <a href="/setup">How to</a>
                </p>
              </div>
            ) : (
              (latest || !error) && (
                <>
                  <div class="card-head">
                    <h2>Places</h2>
                    <Segments
                      label="Which places"
                      value={list}
                      onChange={setList}
                      options={[
                        ['visited', 'Most visited'],
                        ['view', 'In view'],
                      ]}
                    />
                  </div>
                  {list === 'visited' ? (
                    <Visited live={live} onGo={go} />
                  ) : (
                    <InView bounds={bounds} snapshot={latest?.snapshot || 'latest'} hours={hours} onPick={pick} />
                  )}
                </>
              )
            )}
            <Legend recent={recent} onRecent={setRecent} />
          </div>
        )}
      </section>
      {view && (
        // biome-ignore lint/a11y/useSemanticElements: a fieldset would bring its own box
        <div class="controls" role="group" aria-label="Map controls">
          <button type="button" class="icon" aria-label="Zoom in" onClick={() => view.zoomBy(1)}>
            <svg width="18" height="18" viewBox="0 0 18 18" aria-hidden="true">
              <path d="M9 3v12M3 9h12" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" />
            </svg>
          </button>
          <button type="button" class="icon" aria-label="Zoom out" onClick={() => view.zoomBy(-1)}>
            <svg width="18" height="18" viewBox="0 0 18 18" aria-hidden="true">
              <path d="M3 9h12" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" />
            </svg>
          </button>
          <button type="button" class="icon" aria-label="Show the whole world" onClick={() => view.world()}>
            <svg
              width="18"
              height="18"
              viewBox="0 0 18 18"
              aria-hidden="true"
              fill="none"
              stroke="currentColor"
              stroke-width="1.5"
            >
              <circle cx="9" cy="9" r="6.5" />
              <path d="M2.5 9h13M9 2.5c4 4.3 4 8.7 0 13M9 2.5c-4 4.3-4 8.7 0 13" />
            </svg>
          </button>
        </div>
      )}
      {!embed && <Legend recent={recent} onRecent={setRecent} />}
      <p class="credit">
        Map: Natural Earth. Places: <a href="https://db-ip.com">IP Geolocation by DB-IP</a>
        {embed && (
          <>
            {' · '}
            <a href="/" target="_top">
              Whalewatch
            </a>
          </>
        )}
      </p>
    </MapPage>
  );
}

mount(<LiveMap />);
