// How much a long history costs: the real local run over HTTP, with more and more stored pulls. `npm run import` brings
// pulls of 400 days, whose users and repositories follow Zipf's law, and the pushes before them. Then each read is
// timed alone, and with six readers while pulls come in; at last a user is forgotten.
//   npm run bench -- scale [--sizes 10000,100000,1000000,10000000] [--seconds 10] [--keep DIR]
// --keep: data folders stay in DIR, and existing ones are used again. Last line: {sizes: {N: {importPerSecond, healthy,
// alone: {read: p99 ms}, busy: {read: p99 ms}, forgetSeconds, rssMiB}}, exponents: {read: of p99 alone over N}};
// healthy: whether /v1/health was never 503 while pulls came in.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { processorMs, type Started, startLocal, token } from './server.ts';
import { worldOf } from './worlds/pulls.ts';

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '10000,100000,1000000,10000000' },
    seconds: { type: 'string', default: '10' },
    keep: { type: 'string' },
  },
});
const sizes = values.sizes.split(',').map(Number);
const seconds = Number(values.seconds);
const dayMs = 86_400_000;
const days = 400;
const end = Math.floor(Date.now() / dayMs) * dayMs;
const readers = 6;
const pullsPerSecond = 20;
const asksAlone = 60;
const root = values.keep ? resolve(values.keep) : mkdtempSync(join(tmpdir(), 'whalewatch-scale-'));

const results: Record<string, Awaited<ReturnType<typeof measured>>> = {};
try {
  for (const size of sizes) {
    results[size] = await measured(size);
    console.log(size, JSON.stringify(results[size]));
  }
} finally {
  if (values.keep === undefined) rmSync(root, { recursive: true, force: true });
}
const names = Object.keys(results[sizes[0]].alone);
const exponents = Object.fromEntries(
  names.map((name) => [name, slope(sizes.map((size) => [Math.log(size), Math.log(results[size].alone[name])]))]),
);
console.log(JSON.stringify({ sizes: results, exponents }));

/** The slope of the least-squares line through points; 0 for a single point. */
function slope(points: [number, number][]): number {
  const mean = (at: 0 | 1) => points.reduce((sum, point) => sum + point[at], 0) / points.length;
  const [x, y] = [mean(0), mean(1)];
  const spread = points.reduce((sum, [px]) => sum + (px - x) ** 2, 0);
  return spread === 0
    ? 0
    : Number((points.reduce((sum, [px, py]) => sum + (px - x) * (py - y), 0) / spread).toFixed(3));
}

async function measured(size: number) {
  const folder = join(root, `pulls-${size}`);
  const made = existsSync(folder);
  mkdirSync(folder, { recursive: true });
  const server = await startLocal(folder, ['--train-every', '8760']);
  try {
    const imported = made ? {} : await bring(size, folder, server);
    const reads = await readsOf(server.origin);
    const alone = await asked(server.origin, reads, 1, async (done) => done() >= asksAlone * Object.keys(reads).length);
    const load = traffic(server.origin);
    const ends = performance.now() + seconds * 1000;
    const busy = await asked(server.origin, reads, readers, async () => performance.now() >= ends);
    load();
    const began = performance.now();
    await get(server.origin, '/v1/users?user=user-7', 'DELETE');
    const forgetSeconds = round((performance.now() - began) / 1000);
    const rssMiB = Math.round(
      Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))?.[1]) / 1024,
    );
    return { ...imported, alone, busy, forgetSeconds, rssMiB };
  } finally {
    await server.stop();
  }
}

/** Imports pulls into a server that has started; resolves when their counts are exact. */
async function bring(size: number, folder: string, { child: server, origin }: Started) {
  const file = join(root, `pulls-${size}.csv`);
  await write(file, size);
  const total = async () => {
    const { total } = (await get(origin, '/v1/pulls?interval=month')) as { total: { pulls: number } };
    return total.pulls;
  };
  // Its threads still load code when it responds, and the first count starts one more.
  await total();
  for (let before = Number.NEGATIVE_INFINITY, now = 0; now - before > 10; ) {
    await wait(500);
    [before, now] = [now, processorMs(server)];
  }
  const began = performance.now();
  const child = spawn(
    process.execPath,
    ['-r', './ready.cjs', 'infra/local/commands/import.ts', file, '--data', folder],
    { cwd: join(import.meta.dirname, '..'), stdio: ['ignore', 'ignore', 'inherit'] },
  );
  let healthy = true;
  for (;;) {
    const health = await fetch(`${origin}/v1/health`);
    healthy &&= health.status === 200;
    await health.arrayBuffer();
    if ((await total()) === size) break;
    await wait(100);
  }
  const importPerSecond = Math.round(size / ((performance.now() - began) / 1000));
  if (child.exitCode === null) await once(child, 'exit');
  rmSync(file);
  return { importPerSecond, healthy };
}

async function write(file: string, size: number): Promise<void> {
  const out = createWriteStream(file);
  out.write('time,user,repository,tag,digest,userAgent,action\n');
  let text = '';
  for (const { time, user, repository, tag, digest, userAgent, action } of worldOf(size, days, end)) {
    text += `${[new Date(time).toISOString(), user, repository, tag, digest, userAgent, action]}\n`;
    if (text.length < 1_000_000) continue;
    if (!out.write(text)) await once(out, 'drain');
    text = '';
  }
  out.end(text);
  await once(out, 'close');
}

async function readsOf(origin: string): Promise<Record<string, string>> {
  const [{ repository }] = (await get(origin, '/v1/repositories?limit=1')) as { repository: string }[];
  const name = encodeURIComponent(repository);
  return {
    users: '/v1/users',
    usersByPulls: '/v1/users?sort=pulls&limit=100',
    repositories: '/v1/repositories',
    trending: '/v1/repositories?sort=trending',
    pulls: '/v1/pulls',
    pullsOfRepository: `/v1/pulls?repository=${name}&interval=week`,
    pullsByClient: '/v1/pulls?by=client',
    pullsOfUser: '/v1/pulls?user=user-0',
    pullers: `/v1/pullers?repository=${name}`,
    history: '/v1/history?user=user-0',
    unused: '/v1/unused?days=30',
    recommendations: '/v1/recommendations?user=user-1',
  };
}

async function get(origin: string, path: string, method = 'GET'): Promise<unknown> {
  const response = await fetch(origin + path, { method });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

/** Readers repeat the reads, one after another, until `over`; returns the p99 of each read in milliseconds. */
async function asked(
  origin: string,
  reads: Record<string, string>,
  count: number,
  over: (done: () => number) => Promise<boolean>,
): Promise<Record<string, number>> {
  const took = Object.fromEntries(Object.keys(reads).map((name) => [name, [] as number[]]));
  const all = Object.entries(reads);
  // Warm-up: a server caches what it has read once.
  for (const [, path] of all) await get(origin, path);
  let done = 0;
  const one = async (_: unknown, first: number) => {
    for (let turn = first * 2; !(await over(() => done)); turn++) {
      const [name, path] = all[turn % all.length];
      const began = performance.now();
      await get(origin, path);
      took[name].push(performance.now() - began);
      done++;
    }
  };
  await Promise.all(Array.from({ length: count }, one));
  return Object.fromEntries(
    Object.entries(took).map(([name, times]) => [
      name,
      round(times.sort((a, b) => a - b)[Math.floor(times.length * 0.99)]),
    ]),
  );
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}

/** Pulls by people of today, some a second, until the returned function is called. */
function traffic(origin: string): () => void {
  let sent = 0;
  const timer = setInterval(() => {
    const event = {
      id: `traffic-${Date.now()}-${sent}`,
      timestamp: new Date().toISOString(),
      action: 'pull',
      target: {
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        digest: `sha256:${'b'.repeat(64)}`,
        ...{ repository: `team-${sent % 40}/image-${sent % 40}`, tag: 'latest' },
      },
      request: { addr: '81.2.69.142:5000', host: 'registry.example', method: 'GET', useragent: 'docker/28' },
      actor: { name: `user-${sent++ % 300}` },
      source: { addr: 'registry:5000' },
    };
    const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` };
    fetch(`${origin}/v1/registry-events`, { method: 'POST', headers, body: JSON.stringify({ events: [event] }) })
      .then((response) => response.arrayBuffer())
      .catch((cause) => console.error(cause));
  }, 1000 / pullsPerSecond);
  return () => clearInterval(timer);
}
