// /yandex: the domains on Yandex Maps, if the setting yandexMapsKey is set. Only this page loads anything from another
// site.
import { useEffect, useRef, useState } from 'preact/hooks';
import { get, here, ServiceError } from '../api.ts';
import { Failed, Note, Skeleton } from '../components/card.tsx';
import { useReader } from '../components/reader.ts';
import { MapPage, mount, SignIn } from '../components/shell.tsx';
import { useEvery, useLoad } from '../load.ts';

/** The parts of the JavaScript API 2.1 that are used. */
interface Yandex {
  ready(act: () => void): void;
  Map: new (
    container: HTMLElement,
    state: { center: [lat: number, lon: number]; zoom: number; controls: string[] },
    options: { minZoom: number },
  ) => { geoObjects: { add(object: object): void }; destroy(): void };
  RemoteObjectManager: new (template: string, options: object) => { reloadData(): void };
}

const everyMs = 10_000;

/** Loads their script, once a page. */
let loading: Promise<Yandex> | undefined;
function loadYandex(key: string): Promise<Yandex> {
  loading ??= new Promise<Yandex>((resolve, reject) => {
    const script = document.createElement('script');
    script.src = `https://api-maps.yandex.ru/2.1/?lang=en_US&apikey=${encodeURIComponent(key)}`;
    script.onload = () => {
      const { ymaps } = window as unknown as { ymaps?: Yandex };
      if (ymaps) ymaps.ready(() => resolve(ymaps));
      else reject(new ServiceError(0, 'api-maps.yandex.ru sent something that is not their API: is the key right?'));
    };
    script.onerror = () =>
      reject(
        new ServiceError(0, 'api-maps.yandex.ru cannot be reached, or refuses the key: see the setting yandexMapsKey.'),
      );
    document.head.append(script);
  }).catch((cause) => {
    loading = undefined;
    throw cause;
  });
  return loading;
}

async function readKey(signal: AbortSignal): Promise<string | null> {
  const response = await fetch(here('/yandex.json'), { signal, cache: 'no-cache' });
  if (!response.ok) throw new ServiceError(response.status, `The service responded with ${response.status}.`);
  return (await response.json()).key;
}

function YandexMap({ apiKey }: { apiKey: string }) {
  const container = useRef<HTMLDivElement>(null);
  const manager = useRef<{ reloadData(): void }>(undefined);
  const [error, setError] = useState<ServiceError>();
  const [attempt, setAttempt] = useState(0);
  const latest = useLoad('latest', (signal) => get('/v1/points/latest', {}, { signal, revalidate: true }));
  useEvery(everyMs, latest.reload);
  useEffect(() => {
    let map: { destroy(): void } | undefined;
    let gone = false;
    loadYandex(apiKey).then(
      (ymaps) => {
        if (gone || !container.current) return;
        const state = { center: [25, 15] as [number, number], zoom: 2, controls: ['zoomControl', 'typeSelector'] };
        const opened = new ymaps.Map(container.current, state, { minZoom: 1 });
        map = opened;
        manager.current = new ymaps.RemoteObjectManager(here('/v1/clusters/yandex?bbox=%b&zoom=%z'), {
          clusterHasBalloon: false,
          geoObjectOpenBalloonOnClick: false,
        });
        opened.geoObjects.add(manager.current);
        setError(undefined);
      },
      (cause) => gone || setError(cause),
    );
    return () => {
      gone = true;
      map?.destroy();
    };
  }, [apiKey, attempt]);
  // A newer snapshot: what is on the map is asked for again
  useEffect(() => void manager.current?.reloadData(), [latest.data?.snapshot]);
  return (
    <>
      <div class="map-canvas" ref={container} />
      {(error || latest.error) && (
        <section class="panel" aria-label="What failed">
          {error && <Failed what="The map of Yandex" error={error} retry={() => setAttempt(attempt + 1)} />}
          {!error && latest.error && <Failed what="The newest domains" error={latest.error} retry={latest.reload} />}
        </section>
      )}
    </>
  );
}

function YandexPage() {
  const [turn, setTurn] = useState(0);
  const reader = useReader(turn);
  const isClosed = reader?.map === false;
  const key = useLoad('key', readKey);
  return (
    <MapPage embed={false} here="./yandex" reader={reader}>
      <h1 class="hidden-text">Map by Yandex</h1>
      {reader === undefined ? null : isClosed ? (
        <section class="panel closed" aria-label="Sign in">
          <SignIn what="This map is not public" reader={reader} onDone={() => setTurn(turn + 1)} />
        </section>
      ) : key.data ? (
        <YandexMap apiKey={key.data} />
      ) : (
        <section class="panel" aria-label="Map by Yandex">
          {key.error ? (
            <Failed what="The key of this page" error={key.error} retry={key.reload} />
          ) : key.data === null ? (
            <Note title="No key of Yandex Maps is set.">
              This page shows the domains on a map of Yandex. Ask for a key of their JavaScript API, set{' '}
              <code>yandexMapsKey</code>, and start again. Until then nothing is loaded from them; your{' '}
              <a href="./">own map</a> needs no key.
            </Note>
          ) : (
            <Skeleton lines={3} />
          )}
        </section>
      )}
    </MapPage>
  );
}

mount(<YandexPage />);
