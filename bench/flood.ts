// Floods the real local run (infra/local/start.ts) over HTTP with made-up domains, as anybody could, while a registry
// reports pulls.
//   npm run bench -- flood [--domains 1000000 --connections 4 --settle 120]
// Each request has 1,000 new domains; requests refused with 503 are sent again. Meanwhile pulls are posted one after
// another, each looked for in its user's history, and the newest snapshot and a tile of it are read. Last line:
// {domains, seconds, domainsPerSecond, refused, pulls, pullP50Ms, pullP99Ms, pullMaxMs, mapReads, mapFailures,
// mapP99Ms, liveMaxMs, rssMib, status, reasons, drainSeconds}; rssMib: the server's peak resident memory; liveMaxMs:
// the slowest GET /v1/health/live, which waits only for the main thread; status and reasons: of health after the flood;
// drainSeconds: until all hits are folded.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startLocal, token } from './server.ts';
import { pull } from './worlds/pull.ts';

const { values } = parseArgs({
  options: {
    domains: { type: 'string', default: '1000000' },
    connections: { type: 'string', default: '4' },
    settle: { type: 'string', default: '120' },
  },
});
const perRequest = 1000;
const headers = {
  'Content-Type': 'application/json',
  Authorization: `Bearer ${token}`,
  'X-Forwarded-For': '81.2.69.142',
};

const folder = mkdtempSync(join(tmpdir(), 'whalewatch-flood-'));
const { child, origin, stop } = await startLocal(folder);
try {
  console.log(JSON.stringify(await flood(origin)));
} finally {
  await stop();
  rmSync(folder, { recursive: true, force: true });
}

async function flood(origin: string) {
  const requests = Math.ceil(Number(values.domains) / perRequest);
  let next = 0;
  let refused = 0;
  let isOver = false;
  let rssMib = 0;
  const sampled = setInterval(() => {
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
    rssMib = Math.max(rssMib, Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024);
  }, 250);

  const send = async () => {
    for (let request = next++; request < requests; request = next++) {
      const hits = Array.from({ length: perRequest }, (_, n) => ({ domain: `made-up-${request}-${n}.example` }));
      const body = JSON.stringify(hits);
      while ((await post(origin, '/v1/hits', body)) === 503) {
        refused++;
        await wait(100);
      }
    }
  };
  const pulls: number[] = [];
  const watchPulls = async () => {
    while (!isOver) {
      const user = `puller-${pulls.length}`;
      const began = performance.now();
      const body = JSON.stringify({ events: [pull(user)] });
      if ((await post(origin, '/v1/registry-events', body)) !== 202) throw new Error('a notification was refused');
      while (((await get<{ items: unknown[] }>(origin, `/v1/history?user=${user}`))?.items.length ?? 0) === 0)
        await wait(10);
      pulls.push(performance.now() - began);
      await wait(20);
    }
  };
  const maps: number[] = [];
  let mapFailures = 0;
  const watchMap = async () => {
    while (!isOver) {
      const began = performance.now();
      const latest = await get<{ snapshot?: string }>(origin, '/v1/points/latest');
      if (latest?.snapshot) {
        const tile = await fetch(`${origin}/v1/tiles/${latest.snapshot}/0/0/0.mvt`);
        await tile.arrayBuffer();
        if (!tile.ok) mapFailures++;
        maps.push(performance.now() - began);
      } else mapFailures++;
      await wait(250);
    }
  };
  let liveMaxMs = 0;
  const watchMain = async () => {
    while (!isOver) {
      const began = performance.now();
      await get(origin, '/v1/health/live');
      liveMaxMs = Math.max(liveMaxMs, performance.now() - began);
      await wait(50);
    }
  };

  // One domain is on the map before.
  await post(origin, '/v1/hits', JSON.stringify({ domain: 'portal.example' }));
  while (!(await get<{ snapshot?: string }>(origin, '/v1/points/latest'))?.snapshot) await wait(50);

  const began = performance.now();
  const watched = [watchPulls(), watchMap(), watchMain()];
  await Promise.all(Array.from({ length: Number(values.connections) }, send));
  const seconds = (performance.now() - began) / 1000;
  // Accepted hits are still being processed: waits until all are on the map.
  const end = performance.now() + Number(values.settle) * 1000;
  const sentHits = 1 + requests * perRequest;
  while (((await health(origin)).hits ?? 0) < sentHits && performance.now() < end) await wait(250);
  const drainSeconds = (performance.now() - began) / 1000 - seconds;
  const { status, reasons, hits } = await health(origin);
  isOver = true;
  await Promise.all(watched);
  clearInterval(sampled);
  if (hits !== sentHits) throw new Error(`${hits} hits were counted, not the ${sentHits} that were taken`);
  const quantile = (all: number[], q: number) => Math.round(all.toSorted((a, b) => a - b)[Math.floor(all.length * q)]);
  return {
    ...{ domains: sentHits, seconds: Math.round(seconds), domainsPerSecond: Math.round(sentHits / seconds), refused },
    ...{ pulls: pulls.length, pullP50Ms: quantile(pulls, 0.5), pullP99Ms: quantile(pulls, 0.99) },
    pullMaxMs: Math.round(Math.max(...pulls)),
    ...{ mapReads: maps.length, mapFailures, mapP99Ms: quantile(maps, 0.99), liveMaxMs: Math.round(liveMaxMs) },
    ...{ rssMib: Math.round(rssMib), status, reasons, drainSeconds: Math.round(drainSeconds) },
  };
}

async function health(origin: string): Promise<{ status: string; reasons: string[]; hits: number }> {
  const response = await fetch(`${origin}/v1/health`);
  return (await response.json()) as { status: string; reasons: string[]; hits: number };
}

async function post(origin: string, path: string, body: string): Promise<number> {
  const response = await fetch(origin + path, { method: 'POST', headers, body });
  const text = await response.text();
  if (response.status !== 202 && response.status !== 503) throw new Error(`POST ${path}: ${response.status} ${text}`);
  return response.status;
}

async function get<T>(origin: string, path: string): Promise<T | undefined> {
  const response = await fetch(origin + path);
  const text = await response.text();
  return response.ok ? (JSON.parse(text) as T) : undefined;
}
