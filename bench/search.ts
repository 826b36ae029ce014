// Indexes documents in a real OpenSearch on this machine: by process (registry events become pulls in an embedded
// events store, and documents), and by a bare loop that sends the same bodies that process sent.
//   npm run bench -- search [--events 20000] [--batch 2000] [--rounds 5]
// Needs test/aws/install.sh. Last line: {documents, documentsPerSecond, bareDocumentsPerSecond, ratio}, medians; bare:
// the same bodies, two in flight, as process has batches of two shards. Each round has new indices on both sides.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openSearch } from '#aws/opensearch/search.ts';
import { seeded } from '#core/bytes/random.ts';
import type { RegistryEvent } from '#core/event.ts';
import { inParallel } from '#core/parallel.ts';
import { openEvents } from '#local/stores/events.ts';
import { storeEvents } from '#process/pulls.ts';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '20000' },
    batch: { type: 'string', default: '2000' },
    rounds: { type: 'string', default: '5' },
  },
});
const [count, batch, rounds] = [values.events, values.batch, values.rounds].map(Number);
const [users, repositories] = [2000, 500];
const atOnce = 2;

const scripts = join(import.meta.dirname, '../test/opensearch');
const folder = mkdtempSync(join(tmpdir(), 'whalewatch-search-'));
const port = String(await freePort());
const transport = String(await freePort());
const server = (name: string) =>
  execFileSync(join(scripts, name), [port, join(folder, 'opensearch')], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { HEAP: '1g', ...process.env, TRANSPORT_PORT: transport },
  });

try {
  server('start.sh');
  const endpoint = `http://127.0.0.1:${port}`;
  const events = pulls();
  const bodies = await recorded(events);
  const ours: number[] = [];
  const bare: number[] = [];
  let documents = 0;
  // The first round warms both sides up.
  for (let round = 0; round <= rounds; round++) {
    const sides = [
      async () => {
        const prefix = `ours-${round}`;
        const seconds = await timed(() => byProcess(events, endpoint, prefix));
        documents = await stored(endpoint, `${prefix}-documents`);
        if (round > 0) ours.push(documents / seconds);
      },
      async () => {
        const prefix = `bare-${round}`;
        // Creates the index, with the same mapping as ours.
        await openSearch({ endpoint, prefix }).saveRecommendations([{ user: 'none', model: '', items: [] }]);
        const seconds = await timed(() => send(bodies, `${endpoint}/${prefix}-documents/_bulk`));
        const same = await stored(endpoint, `${prefix}-documents`);
        if (round > 0) bare.push(same / seconds);
      },
    ];
    for (const side of round % 2 ? sides : sides.reverse()) await side();
    console.log(
      `round ${round}: ours ${Math.round(ours.at(-1) ?? 0)}, bare ${Math.round(bare.at(-1) ?? 0)} documents a second`,
    );
  }
  const [documentsPerSecond, bareDocumentsPerSecond] = [median(ours), median(bare)];
  const ratio = Number((documentsPerSecond / bareDocumentsPerSecond).toFixed(2));
  console.log(JSON.stringify({ documents, documentsPerSecond, bareDocumentsPerSecond, ratio }));
} finally {
  server('stop.sh');
  rmSync(folder, { recursive: true, force: true });
}

/** Pulls of named users, each of a manifest of its own. */
function pulls(): RegistryEvent[] {
  const random = seeded(1);
  const start = Date.UTC(2026, 10, 1);
  return Array.from({ length: count }, (_, at) => ({
    ...{
      id: `event-${at}`,
      time: start + at * 1000,
      action: 'pull' as const,
      kind: 'manifest' as const,
      method: 'GET',
    },
    ...{ repository: `team/app-${Math.floor(repositories * random() ** 2)}`, tag: `v${at % 20}` },
    ...{ digest: `sha256:${String(at).padStart(64, '0')}`, user: `user-${Math.floor(users * random())}` },
    ...{ userAgent: 'docker/27.3.1', address: '', source: 'registry' },
  }));
}

/** Batches of two shards, as in a stream: batches of one shard run in sequence. */
async function byProcess(events: RegistryEvent[], endpoint: string, prefix: string): Promise<void> {
  const file = join(folder, `${prefix}.db`);
  const stores = { events: openEvents(file, () => Date.UTC(2026, 10, 2)), search: openSearch({ endpoint, prefix }) };
  const starts = Array.from({ length: Math.ceil(events.length / batch) }, (_, n) => n * batch);
  await inParallel(starts, atOnce, (from) =>
    storeEvents(
      events.slice(from, from + batch).map((event, at) => ({ event, origin: `shard-0:${from + at}:0` })),
      { ...stores, locator: { locate: () => undefined }, classify: () => 'human', pullWindowSeconds: 2 },
    ),
  );
}

/** The bodies that process sends of these events, in order. */
async function recorded(events: RegistryEvent[]): Promise<string[]> {
  const bodies: string[] = [];
  const recorder = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts).toString();
      if (request.url?.includes('-documents/_bulk')) bodies.push(body);
      response.end(JSON.stringify({ items: [] }));
    });
  });
  await new Promise<void>((resolve) => recorder.listen(0, '127.0.0.1', resolve));
  await byProcess(events, `http://127.0.0.1:${(recorder.address() as AddressInfo).port}`, 'recorded');
  recorder.closeAllConnections();
  recorder.close();
  return bodies;
}

async function send(bodies: string[], url: string): Promise<void> {
  await inParallel(bodies, atOnce, async (body) => {
    const response = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/x-ndjson' }, body });
    if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
    await response.json();
  });
}

async function stored(endpoint: string, index: string): Promise<number> {
  await fetch(`${endpoint}/${index}/_refresh`, { method: 'POST' });
  const { count } = (await (await fetch(`${endpoint}/${index}/_count`)).json()) as { count: number };
  return count;
}

async function timed(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

function median(numbers: number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return Math.round(sorted[Math.floor(sorted.length / 2)]);
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
