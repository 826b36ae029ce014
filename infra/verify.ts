// npm run verify -- --url https://… --token … [--reader …] [--api https://…]: sends a hit and a notification through a
// deployment's front door and reads map, history and recommendations back. Used by the deploy test, and on an account.
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';

export interface VerifyOptions {
  /** Where to read: the site, or the API. */
  url: string;
  /** Where to send: the API's own address; the same as `url` if left out. */
  api?: string;
  /** The webhook's token. */
  token: string;
  /** The reader's token; left out where people's pages are public. */
  reader?: string;
  /** Seconds to wait for each thing to come out: more than `exportEvery` and `batchWindow`. */
  seconds?: number;
  log: (line: string) => void;
}

const media = 'application/vnd.docker.distribution.manifest.v2+json';

/** Throws with the first thing that is not so. */
export async function verify({ url, api = url, token, reader, seconds = 180, log }: VerifyOptions): Promise<void> {
  const mark = randomUUID().slice(0, 8);
  const domain = `verify-${mark}.example`;
  const user = `verify-${mark}`;
  const people = reader ? { Authorization: `Bearer ${reader}` } : undefined;

  const send = async (path: string, body: unknown, headers: Record<string, string>) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return fetch(api + path, { method: 'POST', headers, body: text, signal: AbortSignal.timeout(30_000) });
  };
  const read = async <T>(path: string, headers?: Record<string, string>): Promise<T> => {
    const answer = await fetch(url + path, { headers, signal: AbortSignal.timeout(30_000) });
    if (!answer.ok) throw new Error(`GET ${path}: ${answer.status} ${(await answer.text()).slice(0, 300)}`);
    return (await answer.json()) as T;
  };
  const is = (what: string, right: boolean, found: unknown) => {
    if (!right) throw new Error(`${what}: found ${JSON.stringify(found)}`);
    log(`ok  ${what}`);
  };
  const comes = async <T>(what: string, ask: () => Promise<T>, right: (value: T) => boolean) => {
    const end = performance.now() + seconds * 1000;
    for (;;) {
      const value = await ask().catch((cause: Error) => cause);
      if (!(value instanceof Error) && right(value)) return is(what, true, value);
      const last = value instanceof Error ? value.message : value;
      if (performance.now() > end) return is(`${what}, within ${seconds} s`, false, last);
      await wait(1000);
    }
  };

  const bearer = { Authorization: `Bearer ${token}` };
  const event = (tag: string) => ({
    id: randomUUID(),
    timestamp: new Date().toISOString(),
    action: 'pull',
    target: { mediaType: media, digest: `sha256:${'0'.repeat(64)}`, repository: `verify/${mark}`, tag },
    request: {
      id: randomUUID(),
      addr: '192.0.2.1:5000',
      host: 'registry.example',
      method: 'GET',
      useragent: 'docker/28',
    },
    actor: { name: user },
    source: { addr: 'registry:5000' },
  });

  const without = await send('/v1/registry-events', { events: [event('a')] }, {});
  is('a notification without the token is 401', without.status === 401, without.status);
  // The media type arrives base64 at an HTTP API; so does none at all.
  for (const version of ['v1', 'v2']) {
    const type = `application/vnd.docker.distribution.events.${version}+json`;
    const began = performance.now();
    const taken = await send('/v1/registry-events', { events: [event(version)] }, { ...bearer, 'Content-Type': type });
    is(`a notification as ${type} is 202`, taken.status === 202, taken.status);
    log(`    in ${Math.round(performance.now() - began)} ms`);
  }
  const junk = await send('/v1/registry-events', '{"events": [', { ...bearer, 'Content-Type': 'text/plain' });
  is('what can not be understood is 202, set aside', junk.status === 202, junk.status);
  const hits = await send('/v1/hits', [{ domain }, { domain }], {
    'Content-Type': 'text/plain',
    Origin: 'https://a.example',
  });
  is('two hits in one request are 202', hits.status === 202, hits.status);
  const anywhere = hits.headers.get('access-control-allow-origin');
  is('any page may send hits', anywhere === '*', anywhere);

  type History = { items: { repository: string }[] };
  await comes(
    "both pulls are in the person's history",
    () => read<History>(`/v1/history?user=${user}`, people),
    ({ items }) => items.length === 2,
  );
  type Counts = { total: { pulls: number; raw: number } };
  await comes(
    'both pulls are counted',
    () => read<Counts>(`/v1/pulls?repository=verify/${mark}`, people),
    ({ total }) => total.pulls === 2 && total.raw === 2,
  );
  type Sums = { items: { key: string; hits: number }[] };
  await comes(
    'both hits are summed',
    () => read<Sums>('/v1/hits?by=domain&limit=10000'),
    ({ items }) => items.some(({ key, hits }) => key === domain && hits === 2),
  );
  type Advice = { items: { repository: string; source: string }[] };
  await comes(
    'recommendations are answered',
    () => read<Advice>(`/v1/recommendations?user=${user}`, people),
    ({ items }) => items.every(({ repository }) => repository !== `verify/${mark}`),
  );
  const health = await read<{ status: string; reasons: string[] }>('/v1/health');
  is('health is ok', health.status === 'ok', health.reasons);
  if (reader) {
    const refused = await fetch(`${url}/v1/history?user=${user}`);
    is("a person's history without the reader's token is 401", refused.status === 401, refused.status);
  }
  const forgotten = await fetch(`${url}/v1/users?user=${user}`, { method: 'DELETE', headers: people });
  is('the person is forgotten', forgotten.ok, forgotten.status);
  const { items } = await read<History>(`/v1/history?user=${user}`, people);
  is('and nothing is left of the history', items.length === 0, items.length);
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      url: { type: 'string' },
      api: { type: 'string' },
      token: { type: 'string', default: process.env.WHALEWATCH_TOKEN },
      reader: { type: 'string', default: process.env.WHALEWATCH_READ_TOKEN },
      seconds: { type: 'string', default: '180' },
    },
  });
  const { url, api, token, reader, seconds } = values;
  if (!url || !token) {
    console.error(
      'usage: npm run verify -- --url https://SITE [--api https://API] --token TOKEN [--reader TOKEN] [--seconds 180]',
    );
    process.exit(2);
  }
  try {
    await verify({ url, api, token, reader, seconds: Number(seconds), log: console.log });
  } catch (cause) {
    console.error(`NOT SO: ${(cause as Error).message}`);
    process.exit(1);
  }
}
