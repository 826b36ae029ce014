// Documents a second into OpenSearch: by process (registry events become pulls in an embedded events store, and
// documents), by the search store alone, and by a bare loop that sends the same lines.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { openSearch } from '#aws/opensearch/search.ts';
import { seeded } from '#core/bytes/random.ts';
import type { RegistryEvent } from '#core/event.ts';
import { inParallel, inTurn } from '#core/parallel.ts';
import { classifier } from '#core/registry/classify.ts';
import type { SearchChange, SearchStore } from '#core/stores.ts';
import { openEvents } from '#local/stores/events.ts';
import { storeEvents } from '#process/pulls.ts';
import { processorMs } from '../server.ts';
import type { Cluster } from './cluster.ts';

export interface Indexing {
  documents: number;
  documentsPerSecond: number;
  bareDocumentsPerSecond: number;
  /** Of process and the bare loop in one round; as the rates, the median of the rounds. */
  ratio: number;
  /** The same, of the search store and the bare loop. */
  storeRatio: number;
}

/** One side's turn in a round. */
interface Turn {
  documents: number;
  perSecond: number;
  /** Microseconds of the processor for each document. */
  node: number;
  java: number;
}

const [users, repositories] = [2000, 500];
const warmUps = 2;
/** What the bare loop tries first, to find its best. */
const [bodyMegabytes, bodiesInFlight] = [
  [1, 2, 4, 8],
  [1, 2, 4],
];
/** Batches of one shard run in sequence, those of two side by side. */
const shards = 2;
export const prefix = 'whalewatch';
const bulk = `/${prefix}-documents/_bulk`;

/**
 * First the bare loop looks for its best size of bodies and number in flight. Then all sides take turns, in the opposite
 * order in each second round. Each turn has a new index, and begins when the one before is removed, merged and on disk.
 */
export async function indexing(
  cluster: Cluster,
  { count, batch, rounds }: { count: number; batch: number; rounds: number },
): Promise<Indexing> {
  const events = pulls(count);
  const { changes, lines } = await recorded(events, batch);
  const search = () => openSearch({ endpoint: cluster.endpoint, prefix });
  let turns = 0;

  const turn = async (work: () => Promise<void>): Promise<Turn> => {
    // The first write makes the index.
    await search().saveRecommendations([{ user: 'none', model: '', items: [] }]);
    await cluster.settled();
    const used = () => ({ node: processorMs(process), java: processorMs(cluster) });
    const [before, began] = [used(), performance.now()];
    await work();
    const [after, seconds] = [used(), (performance.now() - began) / 1000];
    await cluster.call('POST', `/${prefix}-documents/_refresh`);
    const { count: documents } = await cluster.call<{ count: number }>('GET', `/${prefix}-documents/_count`);
    await cluster.call('DELETE', `/${prefix}-documents-v1,${prefix}-recommendations-v1`);
    const of = (side: 'node' | 'java') => Math.round(((after[side] - before[side]) * 1000) / documents);
    return { documents, perSecond: Math.round(documents / seconds), node: of('node'), java: of('java') };
  };
  const byProcess = () => turn(() => stored(events, batch, search(), join(cluster.folder, `${turns++}.db`)));
  const byStore = () =>
    turn(async () => {
      const { write } = search();
      await inParallel(changes, shards, write);
    });
  const byLoop = (megabytes: number, inFlight: number) => {
    const bodies = bodiesOf(lines, megabytes * 1024 * 1024);
    return turn(() => sent(bodies, inFlight, cluster.endpoint));
  };

  for (let round = 0; round < warmUps; round++) {
    await byProcess();
    await byStore();
    await byLoop(2, 2);
  }
  let best = { perSecond: 0, megabytes: 0, inFlight: 0 };
  for (const megabytes of bodyMegabytes)
    for (const inFlight of bodiesInFlight) {
      const { perSecond } = await byLoop(megabytes, inFlight);
      console.log(`bare, bodies of ${megabytes} MB, ${inFlight} in flight: ${perSecond} documents a second`);
      if (perSecond > best.perSecond) best = { perSecond, megabytes, inFlight };
    }

  const turnsOf = { process: [] as Turn[], store: [] as Turn[], bare: [] as Turn[] };
  const sides = [
    async () => turnsOf.process.push(await byProcess()),
    async () => turnsOf.store.push(await byStore()),
    async () => turnsOf.bare.push(await byLoop(best.megabytes, best.inFlight)),
  ];
  for (let round = 0; round < rounds; round++) {
    for (const side of sides) await side();
    sides.reverse();
    console.log(
      Object.entries(turnsOf)
        .map(([name, turns]) => `${name} ${text(turns[round])}`)
        .join('; '),
    );
  }
  const rates = (of: Turn[]) => of.map(({ perSecond }) => perSecond);
  const ratios = (of: Turn[]) => of.map(({ perSecond }, round) => perSecond / turnsOf.bare[round].perSecond);
  const numbers = {
    ...{ process: rates(turnsOf.process), store: rates(turnsOf.store), bare: rates(turnsOf.bare) },
    ...{ ratio: ratios(turnsOf.process), storeRatio: ratios(turnsOf.store) },
  };
  for (const [name, all] of Object.entries(numbers))
    console.log(`${name}: ${all.toSorted((a, b) => a - b).map((number) => Number(number.toPrecision(3)))}`);
  return {
    documents: turnsOf.process[0].documents,
    documentsPerSecond: median(numbers.process),
    bareDocumentsPerSecond: median(numbers.bare),
    ratio: Number(median(numbers.ratio).toFixed(2)),
    storeRatio: Number(median(numbers.storeRatio).toFixed(2)),
  };
}

const text = ({ perSecond, node, java }: Turn) => `${perSecond}/s (us a document: Node.js ${node}, Java ${java})`;

/** Pulls of named users, each of a manifest of its own. */
export function pulls(count: number): RegistryEvent[] {
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

/** Stores events in batches, as process does: while search stores one, the pulls of the next are computed. */
export async function stored(events: RegistryEvent[], batch: number, search: SearchStore, file: string): Promise<void> {
  const options = {
    ...{ events: openEvents(file, () => Date.now()), locator: { locate: () => undefined } },
    ...{ classify: classifier(), pullWindowSeconds: 2 },
  };
  const turn = inTurn();
  const starts = Array.from({ length: Math.ceil(events.length / batch) }, (_, n) => n * batch);
  await inParallel(starts, shards, async (from) => {
    const over = await turn();
    const write: SearchStore['write'] = (changes) => {
      over();
      return search.write(changes);
    };
    const delivered = events
      .slice(from, from + batch)
      .map((event, at) => ({ event, origin: `shard-0:${from + at}:0` }));
    await storeEvents(delivered, { ...options, search: { ...search, write } }).finally(over);
  });
}

/** What process writes of these events: the changes of each batch, and the bulk lines, an action and its document each. */
async function recorded(
  events: RegistryEvent[],
  batch: number,
): Promise<{ changes: SearchChange[][]; lines: string[] }> {
  const changes: SearchChange[][] = [];
  const lines: string[] = [];
  const recorder = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part) => parts.push(part));
    request.on('end', () => {
      const text = Buffer.concat(parts).toString();
      if (request.url?.startsWith(bulk)) lines.push(...(text.match(/.+\n.+\n/g) ?? []));
      response.end(JSON.stringify({ items: [] }));
    });
  });
  await new Promise<void>((resolve) => recorder.listen(0, '127.0.0.1', resolve));
  const search = openSearch({ endpoint: `http://127.0.0.1:${(recorder.address() as AddressInfo).port}`, prefix });
  const write = (some: SearchChange[]) => {
    changes.push(some);
    return search.write(some);
  };
  await stored(events, batch, { ...search, write }, ':memory:');
  recorder.closeAllConnections();
  recorder.close();
  return { changes, lines };
}

function bodiesOf(lines: string[], bytes: number): string[] {
  const bodies: string[] = [];
  let body = '';
  for (const line of lines) {
    body += line;
    if (body.length < bytes) continue;
    bodies.push(body);
    body = '';
  }
  return body === '' ? bodies : [...bodies, body];
}

async function sent(bodies: string[], inFlight: number, endpoint: string): Promise<void> {
  const headers = { 'Content-Type': 'application/x-ndjson' };
  await inParallel(bodies, inFlight, async (body) => {
    const response = await fetch(`${endpoint}${bulk}?filter_path=items.*.error`, { method: 'POST', headers, body });
    if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
    await response.arrayBuffer();
  });
}

function median(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
}
