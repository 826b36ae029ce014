// npm run verify -- --url https://… --token … [--reader …] [--api https://…]: sends hits and notifications to a
// deployment over HTTP and reads map, tiles, history and recommendations back. Used on real accounts, by the deploy
// test, and by test/infra/tools/verify.test.ts.
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { latToY, lonToX, SIZE } from '#core/map/mercator.ts';
import { fixOf } from './errors.ts';

export interface VerifyOptions {
  /** Where to read: the site, or the API. */
  url: string;
  /** Where to send: the API's own address; the same as `url` if left out. */
  api?: string;
  /** The webhook's token. */
  token: string;
  /** An owner's token; omitted if this machine's own user reads. */
  reader?: string;
  /** Sent as X-Forwarded-For, if the caller is a trusted proxy: a visitor's address that has a location. */
  address?: string;
  /** Seconds to wait for each result: more than `exportEvery` and `batchWindow`. */
  seconds?: number;
  log: (line: string) => void;
}

/** Thrown if an argument can't be right, or nothing responds there; the message names the fix. */
class BadCall extends Error {
  override name = 'BadCall';
}

const media = 'application/vnd.docker.distribution.manifest.v2+json';
/** A wait longer than this is announced. */
const quietMs = 3000;
/** A map that is still empty this long after its hits were summed stays empty: the hits had no location. */
const noLocationMs = 20_000;
/** The most characters of a response that an error quotes. */
const shownCharacters = 300;

/**
 * Throws at the first failure. The made-up user and image are forgotten in any case; the two hits stay in the sums and
 * on the map, for the domain `verify-….example`.
 */
export async function verify({
  url,
  api = url,
  token,
  reader,
  address,
  seconds = 180,
  log,
}: VerifyOptions): Promise<void> {
  const mark = randomUUID().slice(0, 8);
  const domain = `verify-${mark}.example`;
  const user = `verify-${mark}`;
  const people = reader ? { Authorization: `Bearer ${reader}` } : undefined;

  /** The flag that each address came from. */
  const flags = new Map([
    [api, '--api'],
    [url, '--url'],
  ]);
  const ask = (base: string, path: string, init: RequestInit = {}) =>
    fetch(base + path, { signal: AbortSignal.timeout(30_000), ...init }).catch((cause) => {
      throw new BadCall(unreachable(base, flags.get(base) ?? '--url', cause), { cause });
    });
  const send = (path: string, body: unknown, headers: Record<string, string>) =>
    ask(api, path, { method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body) });
  const read = async <T>(path: string, headers = people): Promise<T> => {
    const response = await ask(url, path, { headers });
    if (!response.ok)
      throw new Error(`GET ${path}: ${response.status} ${(await response.text()).slice(0, shownCharacters)}`);
    return (await response.json()) as T;
  };
  const forget = () => ask(url, `/v1/users?user=${user}`, { method: 'DELETE', headers: people });
  const is = (what: string, right: boolean, found: unknown) => {
    if (!right) throw new Error(`${what}: found ${short(found)}`);
    log(`ok  ${what}`);
  };
  const comes = async <T>(what: string, look: () => Promise<T>, right: (value: T) => boolean): Promise<T> => {
    const begin = performance.now();
    const end = begin + seconds * 1000;
    let isReported = false;
    for (;;) {
      const value = await look().catch((cause: Error) => cause);
      if (!(value instanceof Error) && right(value)) {
        log(`ok  ${what}`);
        return value;
      }
      if (performance.now() > end) {
        const last = value instanceof Error ? value.message : short(value);
        throw new Error(`${what}, within ${seconds} s: found ${last}`);
      }
      if (!isReported && performance.now() - begin > quietMs) {
        log(`    waiting, ${seconds} s at most: ${what}`);
        isReported = true;
      }
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
      // A scanner's pull: counted like any other, but no model learns from it and it is recommended to nobody.
      useragent: 'trivy/0 (npm run verify)',
    },
    actor: { name: user },
    source: { addr: 'registry:5000' },
  });

  type History = { items: { repository: string }[] };
  const history = () => read<History>(`/v1/history?user=${user}`, people);
  /** The accepted pulls, which will appear sooner or later. */
  let taken = 0;

  await before();
  try {
    await checks();
  } catch (cause) {
    if (taken > 0) await forgetAnyway();
    throw cause;
  }

  /** Checks, before anything is sent, that this is Whalewatch and that it will forget the test user again. */
  async function before() {
    const health = await ask(url, '/v1/health', { headers: people });
    const { status } = (await health.json().catch(() => ({}))) as { status?: string };
    if (health.status !== 401 && !['ok', 'degraded', 'unhealthy'].includes(status ?? ''))
      throw new BadCall(
        `GET ${url}/v1/health is ${health.status} and not a response of Whalewatch: give --url the output Site or Api`,
      );
    const { status: may } = await forget();
    if (may !== 401) return;
    const hint =
      "an owner's token: the one in the secret that the output OwnerToken names, or one that npm run token -- --name verify --role owner makes";
    throw new BadCall(reader ? `--reader is wrong: give ${hint}` : `--reader is missing: give ${hint}`);
  }

  async function checks() {
    const without = await send('/v1/registry-events', { events: [event('a')] }, {});
    is('a notification without the token is 401', without.status === 401, without.status);
    // With this media type, or none, a body arrives base64-encoded from an HTTP API.
    for (const version of ['v1', 'v2']) {
      const type = `application/vnd.docker.distribution.events.${version}+json`;
      const began = performance.now();
      const response = await send(
        '/v1/registry-events',
        { events: [event(version)] },
        { ...bearer, 'Content-Type': type },
      );
      if (response.status === 401)
        throw new BadCall(
          '--token is wrong: give the webhook token, which npm start prints; on AWS it is in the secret that the output WebhookToken names',
        );
      is(`a notification as ${type} is 202`, response.status === 202, response.status);
      taken++;
      log(`    in ${Math.round(performance.now() - began)} ms`);
    }
    // It names the user, so it is forgotten with them.
    const cut = `{"events": [{"actor": {"name": "${user}"}}`;
    const junk = await send('/v1/registry-events', cut, { ...bearer, 'Content-Type': 'text/plain' });
    is("what can't be understood is 202 and quarantined", junk.status === 202, junk.status);
    const today = new Date().toISOString().slice(0, 10);
    const hits = await send('/v1/hits', [{ domain }, { domain }], {
      'Content-Type': 'text/plain',
      // With a browser's user agent: a page's hits are not counted if the user agent is a bot.
      Origin: 'https://a.example',
      'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/153.0 Safari/537.36',
      ...(address ? { 'X-Forwarded-For': address } : {}),
    });
    is('two hits in one request are 202', hits.status === 202, hits.status);
    const anywhere = hits.headers.get('access-control-allow-origin');
    is('any page may send hits', anywhere === '*', anywhere);

    await comes("both pulls are in the user's history", history, ({ items }) => items.length === 2);
    type Counts = { total: { pulls: number; raw: number } };
    await comes(
      'both pulls are counted',
      () => read<Counts>(`/v1/pulls?repository=verify/${mark}`, people),
      ({ total }) => total.pulls === 2 && total.raw === 2,
    );
    await comes(
      'both hits are summed',
      () => hitsSince(today),
      (found) => found === 2,
    );
    await map();
    type Advice = { items: { repository: string; source: string }[] };
    await comes(
      'recommendations are returned',
      () => read<Advice>(`/v1/recommendations?user=${user}`, people),
      ({ items }) => items.every(({ repository }) => repository !== `verify/${mark}`),
    );
    type Model = { current: { id: string } | null };
    const { current } = await read<Model>('/v1/model', people);
    log(`    by ${current ? `the model ${current.id}` : 'popularity: nothing was trained yet'}`);
    const health = await read<{ status: string; reasons: string[] }>('/v1/health');
    is('health is ok', health.status === 'ok', health.reasons);
    if (reader) {
      const open = await ask(url, `/v1/history?user=${user}`);
      if (open.status === 200) log("    anybody may read a user's history: everyone is team or more");
      else is("a user's history without the owner's token is 401", open.status === 401, open.status);
      const refused = await ask(url, `/v1/users?user=${user}`, { method: 'DELETE' });
      is("forgetting without the owner's token is 401", refused.status === 401, refused.status);
    }
    const forgotten = await forget();
    is('the user is forgotten', forgotten.ok, forgotten.status);
    const { items } = await history();
    is('and nothing is left of the history', items.length === 0, items.length);
  }

  /** Hits of the domain since a day. A day may have more domains than one response. */
  async function hitsSince(day: string): Promise<number> {
    type Sums = { items: { key: string; hits: number }[]; cursor?: string };
    let sum = 0;
    let cursor: string | undefined;
    do {
      const query = new URLSearchParams({ by: 'domain', from: day, limit: '10000', ...(cursor && { cursor }) });
      const page = await read<Sums>(`/v1/hits?${query}`);
      for (const { key, hits } of page.items) if (key === domain) sum += hits;
      cursor = page.cursor;
    } while (cursor !== undefined && sum < 2);
    return sum;
  }

  /** After a failure: waits for pulls that are still on the way, because they would bring the user back. */
  async function forgetAnyway() {
    const end = performance.now() + Math.min(seconds, 30) * 1000;
    const here = async () => (await history().catch(() => ({ items: [] }))).items.length >= taken;
    while (!(await here()) && performance.now() < end) await wait(1000);
    const all = await here();
    const status = await forget().then(
      (response) => response.status,
      () => 0,
    );
    log(
      all && status === 200
        ? `    ${user} and verify/${mark} are forgotten again`
        : `    not sure that ${user} is forgotten: DELETE /v1/users?user=${user} once everything works`,
    );
  }

  /** Checks every route of the map: pointer, points.json, tiles of the newest snapshot, clusters and their leaves. */
  async function map() {
    type Latest = { snapshot: string; points: number };
    type Clusters = { features: { id: number; properties: { domain?: string; point_count?: number } }[] };
    const tile = async (path: string, cached: RegExp) => {
      const response = await ask(url, `/v1/tiles/${path}`, { headers: people });
      const { status, headers } = response;
      is(`the tile ${path} is there`, status === 200 || status === 204, status);
      const control = headers.get('cache-control');
      is('its cache-control is right', cached.test(control ?? ''), control);
      return { status, type: headers.get('content-type'), bytes: new Uint8Array(await response.arrayBuffer()) };
    };
    // Only a hit with a location puts a domain on the map: a private network has none, and without any there is no map
    // yet.
    const enough = performance.now() + Math.min(noLocationMs, seconds * 500);
    const newest = await comes(
      'the pointer is there, if a hit ever had a location',
      async () =>
        (await ask(url, '/v1/points/latest', { headers: people })).status === 404
          ? undefined
          : read<Latest>('/v1/points/latest'),
      (pointer) => pointer !== undefined || (!address && performance.now() > enough),
    );
    if (!newest)
      return log(
        '    no hit had a location (a private network?): the map is empty; give --address to try it, and --api past a proxy that replaces X-Forwarded-For',
      );
    const point = await comes(
      'points.json is there, with the domain if its hits had a location',
      () => pointIn(`${api}/points.json`, domain, people),
      (found) => found !== undefined || !address,
    );
    const { snapshot, points } = await read<Latest>('/v1/points/latest');
    await tile('latest/0/0/0.mvt', /max-age=\d\b/);
    const whole = await tile(`${snapshot}/0/0/0.mvt`, /immutable/);
    is('it is a vector tile unless there are no points', points === 0 || whole.type === mvt, whole.type);
    const refused = await ask(url, `/v1/tiles/${snapshot}/0/1/0.mvt`);
    is("a tile that can't exist is 400", refused.status === 400, refused.status);
    if (!point)
      return log(
        '    the hits had no location (a private network?): not on the map; give --address, and --api past a proxy that replaces X-Forwarded-For',
      );

    const zoom = 16;
    const [x, y] = [lonToX(point.lon), latToY(point.lat)].map((unit) => Math.floor((unit / SIZE) * 2 ** zoom));
    const own = await tile(`${snapshot}/${zoom}/${x}/${y}.mvt`, /immutable/);
    is('the tile where the domain is has something', own.bytes.length > 0, own.status);
    const { features } = await read<Clusters>(`/v1/tiles/${snapshot}/${zoom}/${x}/${y}.json`);
    const domains = features.map(({ properties }) => properties.domain);
    for (const { id, properties } of features)
      if (properties.point_count) {
        type Leaves = { items: { domain: string }[] };
        const { items } = await read<Leaves>(`/v1/clusters/leaves?cluster=${id}&snapshot=${snapshot}&limit=1000`);
        domains.push(...items.map((leaf) => leaf.domain));
      }
    is('the domain is in the tile, or in a cluster of it', domains.includes(domain), domains.slice(0, 20));
    const box = [point.lon - 0.01, point.lat - 0.01, point.lon + 0.01, point.lat + 0.01].join();
    const near = await read<Clusters>(`/v1/clusters?bbox=${box}&zoom=${zoom}`);
    is('there are clusters in a box around it', near.features.length > 0, near.features);
  }
}

/** A found value as an error quotes it. */
function short(found: unknown): string {
  const text = JSON.stringify(found) ?? String(found);
  return text.length > shownCharacters ? `${text.slice(0, shownCharacters)}… (${text.length} characters)` : text;
}

function unreachable(base: string, flag: string, cause: Error & { cause?: unknown }): string {
  if (cause.name === 'TimeoutError') return `${flag} ${base} took more than 30 s to respond: is it running?`;
  const { code, message } = (cause.cause ?? cause) as NodeJS.ErrnoException;
  const hints: Record<string, string> = {
    ECONNREFUSED: 'nothing listens there: is it running, and is the port right?',
    ENOTFOUND: 'no such host: is the name right?',
  };
  return `${flag} ${base} can't be reached, ${hints[code ?? ''] ?? message}`;
}

const mvt = 'application/vnd.mapbox-vector-tile';

/** Finds a domain in points.json, which may have gigabytes: reads it in pieces. Throws if it is not a points.json. */
async function pointIn(
  url: string,
  domain: string,
  headers?: Record<string, string>,
): Promise<{ lat: number; lon: number } | undefined> {
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(300_000) });
  if (!response.ok || !response.body) throw new Error(`GET ${url}: ${response.status}`);
  let text = '';
  let began = false;
  let found: { lat: number; lon: number } | undefined;
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
    text += piece;
    if (!began && text.length > 12) {
      if (!text.startsWith('{"version":1,')) throw new Error(`${url} begins with ${text.slice(0, 40)}`);
      began = true;
    }
    const point = /"lat":(-?[\d.e-]+),"lon":(-?[\d.e-]+)[,}]/.exec(text.split(`"domain":"${domain}",`)[1] ?? '');
    if (point) found ??= { lat: Number(point[1]), lon: Number(point[2]) };
    // Keeps enough text that no point is split.
    text = text.slice(-2000);
  }
  if (!text.endsWith(']}')) throw new Error(`${url} ends with ${text.slice(-40)}`);
  return found;
}

const help = `usage: npm run verify -- --url https://SITE --token TOKEN [--api https://API] [--reader TOKEN] [--address VISITOR] [--seconds 180]
       npm run verify -- --stack Whalewatch [--alarms]

Sends hits and pulls to a deployment and reads them back by the calls that the pages make; then forgets the user that it made up.
--token is the webhook's token (or WHALEWATCH_TOKEN), --reader an owner's (or WHALEWATCH_READ_TOKEN). --stack finds the addresses
and tokens of a deployment on AWS. --alarms sets off each alarm of the stack instead, waits for its message, and resets it:
everybody whom the alarms notify gets a test message.`;

if (import.meta.main) await main();

/** Reads the arguments, and sets the exit code. */
export async function main(): Promise<void> {
  try {
    const { values } = parseArgs({
      options: {
        url: { type: 'string' },
        api: { type: 'string' },
        token: { type: 'string', default: process.env.WHALEWATCH_TOKEN },
        reader: { type: 'string', default: process.env.WHALEWATCH_READ_TOKEN },
        address: { type: 'string' },
        seconds: { type: 'string', default: '180' },
        stack: { type: 'string' },
        alarms: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.help) {
      console.log(help);
      return;
    }
    const seconds = Number(values.seconds);
    if (!(seconds > 0)) throw new BadCall(`--seconds is "${values.seconds}": must be a number above 0`);
    // AWS clients are loaded only if they are used.
    if (values.alarms) {
      const { alarmsRing, openAlarmClients } = await import('./alarms.ts');
      await alarmsRing({ stack: values.stack ?? 'Whalewatch', clients: openAlarmClients(), seconds, log: console.log });
      return;
    }
    const { url, api, token, reader, address } = {
      ...(values.stack ? await (await import('./stack.ts')).deployed(values.stack) : {}),
      ...Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)),
    } as Partial<Record<'url' | 'api' | 'token' | 'reader' | 'address', string>>;
    for (const [name, value] of Object.entries({ url, api }))
      if (value !== undefined && !/^https?:\/\/[^/]/.test(value))
        throw new BadCall(`--${name} is "${value}": must be a URL such as https://HOST`);
    if (!url) throw new BadCall(`--url is missing\n\n${help}`);
    if (!token) throw new BadCall(`--token is missing\n\n${help}`);
    const [site, front] = [url, api].map((base) => base?.replace(/\/+$/, ''));
    await verify({ url: site as string, api: front, token, reader, address, seconds, log: console.log });
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (cause instanceof BadCall) console.error(message);
    else
      console.error(
        code?.startsWith('ERR_PARSE_ARGS') ? `${message}\n\n${help}` : `FAILED: ${message}${fixOf(cause as Error)}`,
      );
    process.exitCode = cause instanceof BadCall ? 2 : 1;
  }
}
