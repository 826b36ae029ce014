// How long it takes until incoming data is visible: a hit as a point in a tile, a pull in its user's history. The real
// local run (infra/local/start.ts --export-every 0.2), over HTTP, at rest and while 1,000 hits a second come in.
//   npm run bench -- fresh [--probes 40]
// A probe sends a new domain (a new user), then looks for it every few milliseconds. Last line: {hitToTileP50Ms,
// hitToTileP99Ms, pullToHistoryP50Ms, pullToHistoryP99Ms, restProcessor, loaded: {the same, processor}}; processor:
// processor seconds a second.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { processorMs, startLocal, token } from './server.ts';
import { pull } from './worlds/pull.ts';

const { values } = parseArgs({ options: { probes: { type: 'string', default: '40' } } });
const probes = Number(values.probes);
const address = '81.2.69.142';
const loadPerSecond = 1000;
const perRequest = 20;
/** Total so far. */
let names = 0;

const folder = mkdtempSync(join(tmpdir(), 'whalewatch-fresh-'));
const { child, origin, stop } = await startLocal(folder, ['--export-every', '0.2']);
try {
  await probe(origin, 3);
  const restProcessor = await processorShare(5000);
  const atRest = await probe(origin, probes);
  const unload = load(origin);
  await wait(2000);
  const loaded = { ...(await probe(origin, probes)), processor: await processorShare(3000) };
  unload();
  console.log(JSON.stringify({ ...atRest, restProcessor, loaded }));
} finally {
  await stop();
  rmSync(folder, { recursive: true, force: true });
}

/** Processor seconds per second of the local run, all threads; 0 if /proc can't be read. */
async function processorShare(ms: number): Promise<number> {
  const before = processorMs(child);
  await wait(ms);
  return Number(((processorMs(child) - before) / ms).toFixed(3));
}

async function post(origin: string, path: string, body: unknown): Promise<void> {
  const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${token}`, 'X-Forwarded-For': address };
  const response = await fetch(origin + path, { method: 'POST', headers, body: JSON.stringify(body) });
  if (response.status !== 202) throw new Error(`POST ${path}: ${response.status} ${await response.text()}`);
  await response.arrayBuffer();
}

async function get<T>(origin: string, path: string): Promise<T | undefined> {
  const response = await fetch(origin + path);
  if (response.ok) return (await response.json()) as T;
  await response.arrayBuffer();
  return undefined;
}

/** Asks until there is a result; returns it and the milliseconds that took. */
async function until<T>(ask: () => Promise<T | undefined>): Promise<[T, number]> {
  const began = performance.now();
  for (;;) {
    const found = await ask();
    if (found !== undefined) return [found, performance.now() - began];
    if (performance.now() - began > 30_000) throw new Error('nothing appeared within 30 s');
    await wait(4);
  }
}

async function probe(origin: string, count: number) {
  const hits: number[] = [];
  const pulls: number[] = [];
  for (let turn = 0; turn < count; turn++) {
    const name = `probe-${names++}`;
    const domain = `${name}.example`;
    const pointsNow = async () =>
      (await get<{ snapshot: string; points: number }>(origin, '/v1/points/latest')) ?? { points: 0 };
    const before = (await pointsNow()).points;
    const posted = performance.now();
    await post(origin, '/v1/hits', { domain });
    await until(async () => {
      const latest = await pointsNow();
      if (!('snapshot' in latest) || latest.points <= before) return undefined;
      const tile = await fetch(`${origin}/v1/tiles/${latest.snapshot}/0/0/0.mvt`);
      return tile.ok && (await tile.arrayBuffer()).byteLength > 0 ? true : undefined;
    });
    hits.push(performance.now() - posted);
    const pulled = performance.now();
    await post(origin, '/v1/registry-events', { events: [pull(name)] });
    await until(async () => {
      const history = await get<{ items: unknown[] }>(origin, `/v1/history?user=${name}`);
      return history && history.items.length > 0 ? history : undefined;
    });
    pulls.push(performance.now() - pulled);
    // Random, so that probes are not in step with the export.
    await wait((turn * 37) % 200);
  }
  const quantile = (all: number[], q: number) => Math.round(all.toSorted((a, b) => a - b)[Math.floor(all.length * q)]);
  return {
    hitToTileP50Ms: quantile(hits, 0.5),
    hitToTileP99Ms: quantile(hits, 0.99),
    pullToHistoryP50Ms: quantile(pulls, 0.5),
    pullToHistoryP99Ms: quantile(pulls, 0.99),
  };
}

/** 1,000 hits a second to 200 domains. */
function load(origin: string): () => void {
  let sent = 0;
  const timer = setInterval(
    () => {
      const hits = Array.from({ length: perRequest }, () => ({
        domain: `load-${sent++ % 200}.example`,
        action: 'open',
      }));
      post(origin, '/v1/hits', hits).catch((cause) => console.error(cause));
    },
    (1000 * perRequest) / loadPerSecond,
  );
  return () => clearInterval(timer);
}
