// /: where the portal's hits come from, right now. /embed is the same map for an <iframe>.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { get, type Leaf, type ServiceError } from '../api.ts';
import { Failed, Note } from '../components/card.tsx';
import { Segments } from '../components/controls.tsx';
import { has, useReader } from '../components/reader.ts';
import { MapPage, mount, SignIn } from '../components/shell.tsx';
import { useDark, useLoad, useNow } from '../load.ts';
import { TimeBone, TimeControl } from '../map/bars.tsx';
import { Newest, Visited } from '../map/domains.tsx';
import { Controls, Credit, Legend, Past, Status, stateOf, Total } from '../map/frame.tsx';
import { useLive } from '../map/live.ts';
import type { Chosen, Opening } from '../map/opened.tsx';
import { hasWebGL2, Still } from '../map/still.tsx';
import {
  now as current,
  daysOf,
  eachDay,
  type Filter,
  filterOf,
  inWords,
  ofDay,
  readTime,
  snapshotOf,
  type Time,
  writeTime,
} from '../map/time.ts';
import type { Bounds, Covered, Picked, View } from '../map/view.ts';
import { citiesZoom, domainZoom, mostZoom } from '../map/zooms.ts';
import { span } from '../text/format.ts';

const embed = location.pathname.endsWith('/embed');
const webgl = hasWebGL2();
/** Where the panel is a sheet below the map; map.css has the same. */
const sheet = matchMedia('(max-width: 600px), (max-width: 900px) and (min-height: 521px)');
/** A cluster of more domains opens only on the map: its list would be too long to read. */
const mostListed = 200;
const newestRows = 50;

type Height = 'peek' | 'half' | 'full';
const nextHeight: Record<Height, Height> = { peek: 'half', half: 'full', full: 'peek' };
/** Pixels of the sheet, as map.css has them. */
const sheetPixels = (height: Height, stage: number) => (height === 'peek' ? 128 : stage * 0.46);

type List = 'most' | 'view';

function LiveMap() {
  const [turn, setTurn] = useState(0);
  const reader = useReader(turn);
  const isClosed = reader?.map === false;
  const live = useLive(reader);
  const { latest, kept, sums, error } = live;
  const now = useNow(1000);
  const dark = useDark();
  const state = stateOf(live);
  const canvas = useRef<HTMLDivElement>(null);
  const panel = useRef<HTMLElement>(null);
  const [view, setView] = useState<View>();
  const [broken, setBroken] = useState<ServiceError>();
  const [attempt, setAttempt] = useState(0);
  const [bounds, setBounds] = useState<Bounds>();
  const [picked, setPicked] = useState<Opening>();
  const [later, setLater] = useState<typeof import('../map/later.ts')>();
  const [time, setTime] = useState<Time>(() => (embed ? current : readTime(location.search)));
  const [list, setList] = useState<List>('most');
  const [height, setHeight] = useState<Height>('peek');

  const keepDays = kept?.keepDays ?? 1;
  const today = sums?.newest ?? new Date(now).toISOString().slice(0, 10);
  const days = daysOf(time, today, keepDays);
  const words = inWords(time, today, keepDays);
  const chosen: Chosen = { ...days, words };
  // The days are known once the sums have loaded; the whole time needs none.
  const filter = time.span === 'all' || sums ? filterOf(time, today, keepDays) : undefined;
  const snapshot = snapshotOf(time, latest?.snapshot || undefined, kept);
  const newest = useRef<{ view?: View; snapshot?: string; filter?: Filter; height: Height }>({ height });
  Object.assign(newest.current, { view, snapshot, filter });

  const covered = useCallback((): Covered => {
    const box = panel.current?.getBoundingClientRect();
    const stage = canvas.current?.clientHeight ?? innerHeight;
    if (!box) return { top: 0, right: 0, bottom: 0, left: 0 };
    // The world is beside the chip in a low frame, above it in any other.
    if (embed)
      return innerWidth > 3 * innerHeight
        ? { top: 0, right: 0, bottom: 0, left: box.right }
        : { top: 0, right: 0, bottom: innerHeight - box.top, left: 0 };
    return sheet.matches
      ? { top: 0, right: 0, bottom: sheetPixels(newest.current.height, stage), left: 0 }
      : { top: 0, right: 0, bottom: 0, left: box.right };
  }, []);
  const padding = useCallback(() => {
    const { left, bottom } = covered();
    const room = embed ? 8 : sheet.matches ? 16 : 24;
    return { top: room, right: room, bottom: bottom + room, left: left + room };
  }, []);

  const raise = (to: Height) => {
    newest.current.height = to;
    setHeight(to);
  };
  const pick = useCallback((next: Picked) => {
    const { view, ...from } = newest.current;
    // First, because it covers a part of the map, and what was picked must be visible in the rest.
    if (sheet.matches) raise('half');
    // A cluster opens into its parts while there are any; one that stays together is shown as a list.
    if (next.point_count && next.point_count > 1 && (next.expansion_zoom ?? mostZoom + 1) <= mostZoom) {
      view?.flyTo(next.lon, next.lat, Math.min(mostZoom, (next.expansion_zoom ?? 0) + 0.2));
      view?.mark();
      if (next.point_count > mostListed) return setPicked(undefined);
    } else {
      view?.mark(next);
      view?.reveal(next.lon, next.lat);
    }
    setPicked({ ...next, ...from });
  }, []);

  // What a click opens comes after the first paint, like the map.
  useEffect(() => void import('../map/later.ts').then(setLater, setBroken), [attempt]);
  useEffect(() => {
    if (!webgl || !canvas.current) return;
    const container = canvas.current;
    let opened: View | undefined;
    let gone = false;
    import('../map/view.ts')
      .then(({ openView }) =>
        openView({ container, covered, padding, onPick: pick, onMove: () => opened && setBounds(opened.bounds()) }),
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
    if (snapshot && filter) void view?.show(snapshot, filter);
  }, [view, snapshot, JSON.stringify(filter)]);
  // The theme is read from the page's tokens
  useEffect(() => void view?.recolour(), [view, dark]);
  // Another height of the sheet covers another part of the map
  useEffect(() => void (view && setBounds(view.bounds())), [view, height, state]);

  const change = (next: Time) => {
    setTime(next);
    setPicked(undefined);
    view?.mark();
    history.replaceState(null, '', `${location.pathname}${writeTime(next)}${location.hash}`);
  };
  const close = useCallback(() => {
    setPicked(undefined);
    newest.current.view?.mark();
    document.getElementById('domains')?.focus({ preventScroll: true });
  }, []);
  const go = (leaf: Leaf) => {
    if (sheet.matches) raise('half');
    view?.flyTo(leaf.lon, leaf.lat, domainZoom);
    view?.mark(leaf);
    setPicked({ domain: leaf.domain, lon: leaf.lon, lat: leaf.lat, updatedAt: leaf.updatedAt });
  };

  // The number of domains in this time, and for the last hour also their names; the snapshot has the number for the
  // whole time.
  const asked = snapshot && filter && time.span !== 'all' ? { snapshot, ...filter } : undefined;
  const found = useLoad(asked ? JSON.stringify(asked) : null, (signal) =>
    get('/v1/clusters/leaves', { ...asked, limit: time.span === 'hour' ? newestRows : 1 }, { signal }),
  );
  const lastFound = useRef<{ of: string; total: number }>(undefined);
  const of = JSON.stringify([time, filter]);
  if (found.data) lastFound.current = { of, total: found.data.total };
  const domains = latest && 'domains' in latest ? latest.domains : undefined;
  const total =
    time.span !== 'all'
      ? lastFound.current?.of === of
        ? lastFound.current.total
        : undefined
      : time.day === undefined
        ? (domains ?? latest?.points)
        : kept?.items.find(({ day }) => day === time.day)?.points;
  const byLocation = domains !== undefined && !(time.span === 'all' && time.day === undefined);
  const hits = sums && eachDay(days).reduce((sum, day) => sum + (sums.byDay.get(day) ?? 0), 0);
  const isGone = time.day !== undefined && kept !== undefined && snapshot === undefined;

  // What is wrong, and what to do first, must be visible without opening the sheet.
  const shownHeight = height === 'peek' && (state === 'empty' || error || broken) ? 'half' : height;
  newest.current.height = shownHeight;

  const body = () => {
    if (picked && later)
      return (
        <later.Opened
          key={`${picked.lon},${picked.lat},${picked.domain}`}
          picked={picked}
          chosen={chosen}
          onClose={close}
          onGo={go}
        />
      );
    if (state === 'empty')
      return (
        <Note title="No hits yet.">
          Put the beacon on a page, and its visitors show here within seconds.{' '}
          {reader !== undefined && has(reader, 'team') && <a href="./setup">How to</a>}
        </Note>
      );
    if (isGone)
      return (
        <Note title="The map of this day is not kept any more.">
          Maps are kept for {keepDays} days. <a href="./">Go to the current map</a>
        </Note>
      );
    if (!latest && error) return null;
    return (
      <>
        <h2 class="hidden-text">Domains</h2>
        <Segments
          label="List"
          value={list}
          onChange={setList}
          options={[
            ['most', time.span === 'hour' ? 'Newest' : 'Most hits'],
            ['view', 'In view'],
          ]}
        />
        {list === 'view' ? (
          snapshot &&
          filter &&
          later && <later.InView bounds={bounds} snapshot={snapshot} filter={filter} onPick={pick} />
        ) : time.span === 'hour' ? (
          <Newest of={found} onGo={go} />
        ) : sums ? (
          <Visited
            key={`${days.from} ${days.to}`}
            days={eachDay(days)}
            version={sums}
            points={latest?.points ?? 0}
            onGo={go}
          />
        ) : null}
      </>
    );
  };

  return (
    <MapPage embed={embed} reader={reader}>
      <h1 class="hidden-text">Live map</h1>
      {webgl ? <div class="map-canvas" ref={canvas} /> : <Still snapshot={snapshot} filter={filter} />}
      {isClosed ? (
        <section class="panel closed" ref={panel} id="domains" tabIndex={-1} aria-label="Sign in">
          {embed ? (
            <p>
              This map is not public.{' '}
              <a href="./" target="_blank" rel="noopener">
                Sign in
              </a>
            </p>
          ) : (
            <SignIn what="This map is not public" reader={reader} onDone={() => setTurn(turn + 1)} />
          )}
        </section>
      ) : (
        <section
          class="panel"
          ref={panel}
          data-height={shownHeight}
          data-picked={picked !== undefined}
          aria-label="Domains"
        >
          <button
            type="button"
            class="handle"
            aria-label={shownHeight === 'full' ? 'Make the list small' : 'Make the list larger'}
            onClick={() => raise(nextHeight[shownHeight])}
          />
          <div class="panel-top">
            {time.day === undefined || error ? (
              <Status state={state} latest={latest} now={now} />
            ) : (
              <Past day={time.day} onNow={() => change(ofDay(time, undefined))} />
            )}
            {state === 'empty' ? null : latest && hits !== undefined ? (
              <Total time={time} hits={hits} found={total} what={byLocation ? 'point' : 'domain'} words={words} />
            ) : (
              !error && <span class="bone" style={{ width: '160px', height: '48px', margin: '16px 0 8px' }} />
            )}
            {!embed && state === 'stale' && latest?.updatedAt && (
              <p class="small muted">
                No hits for {span((now - Date.parse(latest.updatedAt)) / 1000)}.{' '}
                <a href="./health">See what is stuck</a>
              </p>
            )}
          </div>
          {embed && (error || broken) && (
            <button type="button" class="button" onClick={broken ? () => setAttempt(attempt + 1) : live.retry}>
              Try again
            </button>
          )}
          {!embed && error && <Failed what="The newest domains" error={error} retry={live.retry} />}
          {!embed && broken && <Failed what="The map" error={broken} retry={() => setAttempt(attempt + 1)} />}
          {!embed &&
            state !== 'empty' &&
            (sums && kept ? (
              <TimeControl time={time} sums={sums} kept={kept} onChange={change} />
            ) : (
              !error && <TimeBone />
            ))}
          {!embed && (
            <div class="panel-body" id="domains" tabIndex={-1}>
              {body()}
            </div>
          )}
        </section>
      )}
      {view && !isClosed && <Controls view={view} />}
      {!embed && !isClosed && latest?.updatedAt && <Legend />}
      {!isClosed && later && bounds && bounds.zoom >= citiesZoom + 1 && <later.Where {...bounds} />}
      <Credit embed={embed} />
    </MapPage>
  );
}

mount(<LiveMap />);
