// The link to the alerts, which shows whether there are unread ones.
import { useEffect, useState } from 'preact/hooks';
import { get, type Me } from '../api.ts';

const key = 'whalewatch.alerts';
const everyMs = 60_000;

/** The time of the newest alert that this browser has shown. */
function seen(): string {
  try {
    return localStorage.getItem(key) ?? '';
  } catch {
    return '';
  }
}

/** Marks all alerts up to this time as read. */
export function alertsSeen(time: string): void {
  try {
    localStorage.setItem(key, time);
  } catch {
    // Storage is off: they stay unread.
  }
  dispatchEvent(new Event(key));
}

export function Bell({ reader, here }: { reader?: Me | null; here: string }) {
  const [newest, setNewest] = useState<string>();
  const [last, setLast] = useState(seen);
  const may = reader?.role === 'team' || reader?.role === 'owner';
  useEffect(() => {
    if (!may) return;
    const ask = () =>
      document.hidden ||
      get('/v1/alerts', { limit: 1 }, { revalidate: true }).then(
        ({ items }) => setNewest(items[0]?.time),
        () => {},
      );
    ask();
    const timer = setInterval(ask, everyMs);
    const look = () => setLast(seen());
    addEventListener(key, look);
    return () => {
      clearInterval(timer);
      removeEventListener(key, look);
    };
  }, [may]);
  if (reader && !may) return null;
  const rings = newest !== undefined && newest > last;
  const name = rings ? 'Alerts, some are new' : 'Alerts';
  return (
    <a
      class="icon bell"
      href="./alerts"
      aria-label={name}
      title={name}
      aria-current={here === './alerts' ? 'page' : undefined}
    >
      <svg
        width="20"
        height="20"
        viewBox="0 0 20 20"
        aria-hidden="true"
        fill="none"
        stroke="currentColor"
        stroke-width="1.6"
      >
        <path
          d="M10 2.6a4.8 4.8 0 0 0-4.8 4.8c0 4.6-1.8 6-1.8 6h13.2s-1.8-1.4-1.8-6A4.8 4.8 0 0 0 10 2.6Z"
          stroke-linejoin="round"
        />
        <path d="M8.2 16.2a2 2 0 0 0 3.6 0" stroke-linecap="round" />
      </svg>
      {rings && <i class="dot bad" />}
    </a>
  );
}
