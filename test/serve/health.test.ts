import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Card, latestKey } from '#core/recommender/model-list.ts';
import { type EventStore, type QuarantineState, type SearchStore, StoreUnavailable } from '#core/stores.ts';
import { healthRoutes } from '#serve/health.ts';
import { modelSource } from '#serve/recommender/models.ts';
import { registriesOf } from '#serve/registries.ts';
import { memoryCheckpoints, memoryObjects, open } from '../support/memory-stores.ts';

const hour = 3_600_000;

/** A search that knows pulls by client. */
const counting = (clients: [string, number][]): Pick<SearchStore, 'counts'> => ({
  async counts({ by }) {
    assert.equal(by, 'client');
    const counts = { raw: 0, pushes: 0, rawPushes: 0 };
    const buckets = clients.map(([key, pulls]) => ({ key, pulls, ...counts }));
    return { total: { pulls: 0, ...counts }, uncertain: 0, buckets };
  },
});

/** An event store that says so of its quarantine. */
const quarantining = (state: Partial<QuarantineState> = {}) =>
  ({ quarantineState: async () => ({ entries: 0, bytes: 0, dropped: 0, ...state }) }) as unknown as EventStore;

test('a quarantine whose entries left for want of room is said for a day', async () => {
  const clock = () => 100 * hour;
  for (const [droppedAt, warns] of [
    [undefined, false],
    [76 * hour - 1, false],
    [76 * hour, true],
  ] as const) {
    const app = healthRoutes(
      {
        ...{ objects: memoryObjects(clock).through(open), clock, checkpoints: memoryCheckpoints().through(open) },
        events: quarantining({ entries: 3, bytes: 9, dropped: 7, ...(droppedAt === undefined ? {} : { droppedAt }) }),
        ...{ lag: async () => [], ipTableBuiltAt: async () => undefined, unhealthyAfterSeconds: 60 },
        ...{ search: counting([]), report: (cause) => assert.fail(String(cause)) },
      },
      registriesOf(),
    );
    const body = (await (await app.request('/v1/health')).json()) as {
      status: string;
      reasons: string[];
      quarantine: object;
    };
    assert.deepEqual(body.quarantine, { entries: 3, bytes: 9, dropped: 7 });
    assert.equal(body.status, warns ? 'degraded' : 'ok');
    assert.equal(/quarantine is full: 7 /.test(body.reasons.join()), warns);
  }
});

test('a model is as old as its training, also when it was put back in service just now', async () => {
  let now = 10 * hour;
  const clock = () => now;
  const objects = memoryObjects(clock).through(open);
  const app = healthRoutes(
    {
      ...{ objects, clock, events: quarantining(), checkpoints: memoryCheckpoints().through(open) },
      ...{ lag: async () => [], ipTableBuiltAt: async () => undefined, unhealthyAfterSeconds: 60 },
      ...{ search: counting([]), report: (cause) => assert.fail(String(cause)) },
    },
    registriesOf(),
  );
  const model = async () => {
    const answer = await app.request('/v1/health');
    assert.equal(answer.status, 200);
    return ((await answer.json()) as { model: unknown }).model;
  };
  const ofHour = (at: number) => ({ at: new Date(at * hour).toISOString(), seconds: (now - at * hour) / 1000 });
  assert.equal(await model(), null);

  const cards = [9, 4].map((at) => ({ id: `m${at}`, trainedAt: at * hour }) as Card);
  await objects.put(latestKey, JSON.stringify({ current: 'm9', cards }));
  now = 12 * hour;
  assert.deepEqual(await model(), ofHour(9));
  await modelSource(objects, clock, (cause) => assert.fail(String(cause))).rollback();
  assert.deepEqual(await model(), ofHour(4));
});

test('clients that no rule knows are listed, most pulls first; a search that fails is no reason to be unhealthy', async () => {
  const clock = () => hour;
  const reported: unknown[] = [];
  const health = async (search: Pick<SearchStore, 'counts'>) => {
    const app = healthRoutes(
      {
        ...{ objects: memoryObjects(clock).through(open), clock, events: quarantining(), search },
        ...{
          checkpoints: memoryCheckpoints().through(open),
          lag: async () => [],
          ipTableBuiltAt: async () => undefined,
        },
        ...{ unhealthyAfterSeconds: 60, report: (cause: unknown) => reported.push(cause) },
      },
      registriesOf(),
    );
    const response = await app.request('/v1/health');
    const body = (await response.json()) as { status: string; reasons: string[]; unknownAgents: unknown };
    return { ...body, body, status: response.status };
  };
  const clients: [string, number][] = [
    ...([
      ['docker', 9],
      ['kitops-cli', 2],
      ['acme-deployer', 5],
      ['kitops-cli', 4],
      ['', 3],
      ['go-http-client', 7],
    ] as const),
    ...([
      ['containerd', 9],
      ['regsync', 1],
      ['regctl', 1],
      ['trivy', 1],
      ['import', 8],
      ['flux', 1],
    ] as const),
  ].map(([client, pulls]) => [client, pulls]);
  const { status, unknownAgents } = await health(counting(clients));
  assert.deepEqual(
    [status, unknownAgents],
    [
      200,
      [
        { client: 'kitops-cli', pulls: 6 },
        { client: 'acme-deployer', pulls: 5 },
      ],
    ],
  );
  const down = await health({ counts: () => Promise.reject(new StoreUnavailable('down')) });
  assert.equal(down.status, 200);
  assert.match(JSON.stringify(down.body), /"status":"degraded","reasons":\["the search store does not respond/);
  reported.length = 0;
  const failed = await health({ counts: () => Promise.reject(new Error('away')) });
  assert.deepEqual([failed.status, failed.unknownAgents, reported.length], [200, [], 1]);
});
