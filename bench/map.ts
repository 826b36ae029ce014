// The map page in a real Chromium on the real local run: how long until the first clusters are drawn, the longest task
// that keeps a reader waiting while they zoom, choose a time and read what is in view, and requests that leave the
// origin.
//   npm run bench -- map [--domains 20000,1000000] [--runs 3]
// A task's processor time is its own work, whatever else runs. Its length includes waiting, which is mostly for drawing
// if there is no graphics card. CHROME_PATH names another browser. Last line: [{domains, firstClustersMs,
// firstClustersCpuMs, longestTaskMs, longestTaskCpuMs, tasksOver200Cpu, foreign}]: the first two are medians of the
// runs; tasks are counted over all runs.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Browser, chromium, type Page } from 'playwright-core';
import { packColumns } from '#core/bytes/columns.ts';
import { emptyManifest, manifestKey } from '#core/hits/manifest.ts';
import { PointsState } from '#core/hits/points-state.ts';
import { openObjects } from '#local/stores/objects.ts';
import { publish } from '#process/publish.ts';
import { startLocal } from './server.ts';
import { skewedPoints } from './worlds/points.ts';

const { values } = parseArgs({
  options: { domains: { type: 'string', default: '20000,1000000' }, runs: { type: 'string', default: '3' } },
});
const executablePath = [process.env.CHROME_PATH, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  (path) => path && existsSync(path),
);
if (!executablePath) throw new Error('no browser: set CHROME_PATH to a Chromium');
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--enable-unsafe-swiftshader'] });
const rows = [];
for (const domains of values.domains.split(',').map(Number)) {
  const folder = mkdtempSync(join(tmpdir(), 'whalewatch-map-'));
  try {
    await seed(folder, domains);
    rows.push({ domains, ...(await measure(folder, domains)) });
    console.log(rows.at(-1));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
await browser.close();
console.log(JSON.stringify(rows));

/** The state that export would leave: points, and today's sums. */
async function seed(folder: string, count: number): Promise<void> {
  const objects = openObjects(join(folder, 'objects'));
  const now = Date.now();
  const { domains, lat, lon, country, countries } = skewedPoints(count, 7);
  const updatedAt = lat.map((_, row) => now - (row % 6) * 86_400_000);
  const points = packColumns('points/1', { countries }, { ...domains, lat, lon, updatedAt, country });
  const day = new Date(now).toISOString().slice(0, 10);
  const one = { offsets: Uint32Array.of(0, 4), utf8: new TextEncoder().encode('view'), hits: Float64Array.of(count) };
  const sums = packColumns(
    'hits/1',
    { day },
    {
      ...{ domainOffsets: domains.offsets, domainNames: domains.utf8, domainHits: lat.map((_, row) => count - row) },
      ...{ countryOffsets: one.offsets, countryNames: one.utf8, countryHits: one.hits },
      ...{ actionOffsets: one.offsets, actionNames: one.utf8, actionHits: one.hits },
    },
  );
  await objects.put('state/points-1-a.bin', points);
  await objects.put('state/hits-1-a.bin', sums);
  const manifest = {
    ...emptyManifest,
    ...{ generation: 1, pointsGeneration: 1, updatedAt: now, clock: now },
    ...{ points: 'state/points-1-a.bin', hits: { [day]: 'state/hits-1-a.bin' } },
  };
  await objects.put(manifestKey, JSON.stringify(manifest));
  const options = { objects, keepDays: 7, clock: () => now, privateHostsOn: [] };
  await publish(manifest, PointsState.decode(points), options);
}

async function measure(folder: string, domains: number) {
  const { origin, stop } = await startLocal(folder, ['--most-domains', String(Math.max(1000, domains))]);
  try {
    const runs = [];
    for (let run = 0; run < Number(values.runs); run++) runs.push(await visit(browser, origin));
    const median = (numbers: number[]) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
    const tasks = runs.flatMap(({ tasks }) => tasks);
    return {
      firstClustersMs: median(runs.map(({ firstClustersMs }) => firstClustersMs)),
      firstClustersCpuMs: median(runs.map(({ firstClustersCpuMs }) => firstClustersCpuMs)),
      longestTaskMs: Math.round(Math.max(...tasks.map(({ ms }) => ms))),
      longestTaskCpuMs: Math.round(Math.max(...tasks.map(({ cpuMs }) => cpuMs))),
      tasksOver200Cpu: tasks.filter(({ cpuMs }) => cpuMs > 200).length,
      foreign: runs.flatMap(({ foreign }) => foreign),
    };
  } finally {
    await stop();
  }
}

/** A reader's first minute, in a browser with an empty cache. */
async function visit(browser: Browser, origin: string) {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  page.setDefaultTimeout(180_000);
  const foreign: string[] = [];
  page.on('request', (request) => new URL(request.url()).origin === origin || foreign.push(request.url()));
  const trace = await traced(page);
  await page.goto(origin);
  await page.waitForFunction(() => performance.getEntriesByName('clusters').length > 0);
  const firstClustersMs = await page.evaluate(() => performance.getEntriesByName('clusters')[0].startTime);
  const quiet = () => page.waitForLoadState('networkidle', { timeout: 1500 }).catch(() => {});
  await page.getByRole('button', { name: 'In view' }).click();
  for (let zoom = 0; zoom < 3; zoom++) {
    await page.getByRole('button', { name: 'Zoom in' }).click();
    await quiet();
  }
  await page.getByRole('button', { name: 'Show the whole world' }).click();
  await quiet();
  const filtered = page.waitForResponse(/mvt\?since=/);
  await page.getByRole('button', { name: 'Day', exact: true }).click();
  await filtered;
  await quiet();
  const { tasks, clustersAt } = await trace();
  await page.close();
  const before = tasks.filter(({ at }) => at < clustersAt);
  return {
    firstClustersMs: Math.round(firstClustersMs),
    firstClustersCpuMs: Math.round(before.reduce((sum, { cpuMs }) => sum + cpuMs, 0)),
    tasks,
    foreign,
  };
}

interface Event {
  name: string;
  pid: number;
  tid: number;
  ts: number;
  dur?: number;
  tdur?: number;
  args?: { name?: string };
}

/** Traces the page. The returned function ends the trace and returns the main thread's tasks, in milliseconds. */
async function traced(page: Page) {
  const session = await page.context().newCDPSession(page);
  const events: Event[] = [];
  session.on('Tracing.dataCollected', ({ value }) => void events.push(...(value as unknown as Event[])));
  const categories = 'toplevel,blink.user_timing,__metadata';
  await session.send('Tracing.start', { categories, transferMode: 'ReportEvents' });
  return async () => {
    const done = new Promise<void>((resolve) => session.once('Tracing.tracingComplete', () => resolve()));
    await session.send('Tracing.end');
    await done;
    const mark = events.find(({ name }) => name === 'clusters');
    const main = events.find(
      ({ name, pid, args }) => name === 'thread_name' && pid === mark?.pid && args?.name === 'CrRendererMain',
    );
    if (!mark || !main) throw new Error('the trace has no main thread');
    const tasks = events
      .filter(({ name, pid, tid }) => name.endsWith('RunTask') && pid === main.pid && tid === main.tid)
      .map(({ ts, dur = 0, tdur = 0 }) => ({ at: ts, ms: dur / 1000, cpuMs: tdur / 1000 }));
    return { tasks, clustersAt: mark.ts };
  };
}
