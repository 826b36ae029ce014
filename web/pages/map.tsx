// /: where the portal's hits come from, right now. /embed is the same map for an <iframe>.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { Leaf, ServiceError } from '../api.ts';
import { Failed, Note } from '../components/card.tsx';
import { Segments } from '../components/controls.tsx';
import { MapPage, mount } from '../components/shell.tsx';
import { useDark, useNow } from '../load.ts';
import { InView, type List, lists, Visited } from '../map/domains.tsx';
import { Controls, Credit, Legend, type Recent, Status, stateOf, Total } from '../map/frame.tsx';
import { sumDays, useLive } from '../map/live.ts';
import { Opened, type Opening } from '../map/opened.tsx';
import { Spark, SparkBone } from '../map/spark.tsx';
import { hasWebGL2, Still } from '../map/still.tsx';
import type { Picked, View } from '../map/view.ts';
import { compact, span } from '../text/format.ts';

const embed = location.pathname.endsWith('/embed');
const webgl = hasWebGL2();
/** Where the panel is a sheet below the map; map.css has the same. */
const sheet = matchMedia('(max-width: 600px), (max-width: 900px) and (min-height: 521px)');
/** A cluster of more opens on the map alone: its list would be too long to read. */
const mostListed = 200;
/** The zoom at which a single domain is shown. */
const domainZoom = 9;

type Height = 'peek' | 'half' | 'full';
const nextHeight: Record<Height, Height> = { peek: 'half', half: 'full', full: 'peek' };

function LiveMap() {
  const live = useLive();
  const { latest, error } = live;
  const now = useNow(1000);
  const dark = useDark();
  const state = stateOf(live);
  const canvas = useRef<HTMLDivElement>(null);
  const panel = useRef<HTMLElement>(null);
  const legend = useRef<HTMLElement>(null);
  const [view, setView] = useState<View>();
  const [broken, setBroken] = useState<ServiceError>();
  const [attempt, setAttempt] = useState(0);
  const [bounds, setBounds] = useState<ReturnType<View['bounds']>>();
  const [picked, setPicked] = useState<Opening>();
  const [recent, setRecent] = useState<Recent>('');
  const hours = recent ? Number(recent) : undefined;
  const newest = useRef<{ view?: View; snapshot?: string; hours?: number }>({});
  newest.current = { view, snapshot: latest?.snapshot || undefined, hours };
  const [list, setList] = useState<List>('1');
  const [height, setHeight] = useState<Height>('peek');

  const padding = useCallback(() => {
    const covered = panel.current?.getBoundingClientRect();
    if (embed || !covered) return { top: 24, right: 24, bottom: 24, left: 24 };
    // The legend floats on the sheet.
    const floating = 16 + (legend.current?.offsetHeight ?? 0);
    return sheet.matches
      ? { top: 16, right: 16, bottom: Math.min(covered.height, innerHeight / 2) + floating, left: 16 }
      : { top: 24, right: 24, bottom: 24, left: covered.right + 24 };
  }, []);

  const pick = useCallback((next: Picked) => {
    const { view, ...from } = newest.current;
    // A cluster opens into its parts while there are any; one that stays together is shown as a list.
    if (next.point_count && next.point_count > 1 && next.expansion_zoom !== undefined) {
      view?.flyTo(next.lon, next.lat, next.expansion_zoom + 0.2);
      view?.mark();
      if (next.point_count > mostListed) return setPicked(undefined);
    } else view?.mark(next);
    setPicked({ ...next, ...from });
    if (sheet.matches) setHeight('half');
  }, []);

  useEffect(() => {
    if (!webgl || !canvas.current) return;
    const container = canvas.current;
    let opened: View | undefined;
    let gone = false;
    import('../map/view.ts')
      .then(({ openView }) =>
        openView({ container, padding, onPick: pick, onMove: () => opened && setBounds(opened.bounds()) }),
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
    newest.current.view?.mark();
    document.getElementById('domains')?.focus({ preventScroll: true });
  }, []);
  const go = (leaf: Leaf) => {
    view?.flyTo(leaf.lon, leaf.lat, domainZoom);
    view?.mark(leaf);
    setPicked({ domain: leaf.domain, lon: leaf.lon, lat: leaf.lat, updatedAt: leaf.updatedAt });
  };
  const total = live.sums?.days.reduce((sum, { hits }) => sum + hits, 0);

  const body = () => {
    if (picked)
      return <Opened key={`${picked.lon},${picked.lat},${picked.domain}`} picked={picked} onClose={close} onGo={go} />;
    if (state === 'empty')
      return (
        <Note title="No hits yet.">
          Put the beacon on a page, and its visitors show here within seconds. <a href="./setup">How to</a>
        </Note>
      );
    if (!latest && error) return null;
    return (
      <>
        <h2 class="hidden-text">Domains</h2>
        <Segments label="Most hits, or in view" value={list} onChange={setList} options={lists(live)} />
        {list === 'view' ? (
          <InView bounds={bounds} snapshot={latest?.snapshot || 'latest'} hours={hours} onPick={pick} />
        ) : (
          <Visited key={list} days={Number(list)} live={live} onGo={go} />
        )}
      </>
    );
  };

  return (
    <MapPage embed={embed}>
      <h1 class="hidden-text">Live map</h1>
      {webgl ? <div class="map-canvas" ref={canvas} /> : <Still snapshot={latest?.snapshot} />}
      <section class="panel" ref={panel} data-height={height} aria-label="Domains">
        <button
          type="button"
          class="handle"
          aria-label={height === 'full' ? 'Make the list small' : 'Make the list larger'}
          onClick={() => setHeight(nextHeight[height])}
        />
        <div class="panel-top">
          <Status state={state} latest={latest} now={now} />
          {latest && total !== undefined ? (
            <Total hits={compact(total)} days={sumDays} domains={latest.points} />
          ) : (
            !error && <span class="bone" style={{ width: '160px', height: '48px', margin: '16px 0 8px' }} />
          )}
          {state === 'stale' && latest?.updatedAt && (
            <p class="small muted">
              No hits for {span((now - Date.parse(latest.updatedAt)) / 1000)}. <a href="./health">See what is stuck</a>
            </p>
          )}
        </div>
        {error && <Failed what="The newest domains" error={error} retry={live.retry} />}
        {broken && <Failed what="The map" error={broken} retry={() => setAttempt(attempt + 1)} />}
        {!embed && state !== 'empty' && (live.sums ? <Spark days={live.sums.days} /> : !error && <SparkBone />)}
        {!embed && (
          <div class="panel-body" id="domains" tabIndex={-1}>
            {body()}
          </div>
        )}
      </section>
      {view && <Controls view={view} />}
      {!embed && <Legend of={legend} recent={recent} onRecent={setRecent} />}
      <Credit embed={embed} />
    </MapPage>
  );
}

mount(<LiveMap />);
