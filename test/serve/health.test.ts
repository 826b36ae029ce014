import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyManifest, type Manifest, manifestKey } from '#core/hits/manifest.ts';
import { type Card, latestKey } from '#core/recommender/model-list.ts';
import { type EventStore, type QuarantineState, type SearchStore, StoreUnavailable } from '#core/stores.ts';
import { answerErrors } from '#http/errors.ts';
import { type HealthOptions, healthRoutes } from '#serve/health.ts';
import { modelSource } from '#serve/recommender/models.ts';
import { registriesOf } from '#serve/registries.ts';
import { memoryCheckpoints, memoryObjects, open } from '../support/memory-stores.ts';

const hour = 3_600_000;

/** A search store that returns only pulls by client. */
const counting = (clients: [string, number][]): Pick<SearchStore, 'counts'> => ({
  async counts({ by }) {
    assert.equal(by, 'client');
    const counts = { raw: 0, pushes: 0, rawPushes: 0 };
    const buckets = clients.map(([key, pulls]) => ({ key, pulls, ...counts }));
    return { total: { pulls: 0, ...counts }, uncertain: 0, buckets };
  },
});

/** An event store whose quarantine has these sizes. */
const quarantining = (state: Partial<QuarantineState> = {}) =>
  ({ quarantineState: async () => ({ entries: 0, bytes: 0, dropped: 0, ...state }) }) as unknown as EventStore;

test('a quarantine that dropped entries for lack of room is reported for a day', async () => {
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
        ...{ importing: () => 5, search: counting([]), report: (cause) => assert.fail(String(cause)) },
      },
      registriesOf(),
    );
    const body = (await (await app.request('/v1/health')).json()) as {
      status: string;
      importing: number;
      reasons: string[];
      quarantine: object;
    };
    assert.deepEqual(body.quarantine, { entries: 3, bytes: 9, dropped: 7 });
    assert.equal(body.status, warns ? 'degraded' : 'ok');
    assert.equal(body.importing, 5);
    assert.equal(/quarantine is full: 7 /.test(body.reasons.join()), warns);
  }
});

test('a model’s age counts from its training, also after a rollback to it', async () => {
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

test('clients unknown to all rules are listed, most pulls first; a failing search does not make health unhealthy', async () => {
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

/** Health of stores where nothing is wrong except what `more` sets. */
function healthOver(more: Partial<HealthOptions>, clock = () => 100 * hour) {
  return healthRoutes(
    {
      ...{ objects: memoryObjects(clock).through(open), clock, checkpoints: memoryCheckpoints().through(open) },
      ...{ events: quarantining(), lag: async () => [], ipTableBuiltAt: async () => undefined },
      ...{ unhealthyAfterSeconds: 60, search: counting([]), report: () => {}, ...more },
    },
    registriesOf(),
  );
}
interface Report {
  status: string;
  reasons: string[];
  warnings: string[];
  shards: object[];
}
const reportOf = async (more: Partial<HealthOptions>, clock?: () => number) => {
  const answer = await healthOver(more, clock).request('/v1/health');
  return { code: answer.status, ...((await answer.json()) as Report) };
};

test('live says that the process runs, ready whether events are accepted; the reason why not is only in the log', async () => {
  const reported: unknown[] = [];
  const report = (cause: unknown) => reported.push(cause);
  const live = await healthOver({}).request('/v1/health/live');
  assert.deepEqual([live.status, await live.json()], [200, { status: 'ok' }]);
  assert.equal(live.headers.get('cache-control'), 'no-store');
  const ready = await healthOver({ report, ready: async () => {} }).request('/v1/health/ready');
  assert.deepEqual([ready.status, await ready.json()], [200, { status: 'ok' }]);
  assert.equal(ready.headers.get('cache-control'), 'no-store');
  const full = new Error('the disk of /secret is full');
  const app = healthOver({ report, ready: () => Promise.reject(full) });
  answerErrors(app, report);
  const not = await app.request('/v1/health/ready');
  assert.equal(not.status, 503);
  assert.doesNotMatch(await not.text(), /secret/);
  assert.deepEqual(reported, [full]);
  const objects = memoryObjects(() => 0).through(open);
  const broken = healthOver({ report, objects: { ...objects, get: () => Promise.reject(full) } });
  answerErrors(broken, report);
  assert.equal(
    (await broken.request('/v1/health/ready')).status,
    503,
    "a server whose stores can't be read is not ready",
  );
});

test('a shard behind by just the limit is healthy, a moment more is unhealthy; the same holds for an unfolded commit', async () => {
  for (const [seconds, status] of [
    [60, 'ok'],
    [60.5, 'unhealthy'],
  ] as const) {
    const found = await reportOf({ lag: async () => [{ shard: 's', seconds }] });
    assert.deepEqual([found.status, found.code], [status, status === 'ok' ? 200 : 503]);
    assert.deepEqual(found.shards, [{ shard: 's', lagSeconds: seconds }]);
    assert.equal(found.reasons.length, status === 'ok' ? 0 : 1);
    const checkpoints = memoryCheckpoints().through(open);
    await checkpoints.commit({
      shard: 's',
      previous: '0',
      last: '1',
      delta: 'd',
      committedAt: 100 * hour - seconds * 1000,
    });
    assert.equal((await reportOf({ checkpoints })).status, status);
  }
});

test('a fault that stops a stage is unhealthy, any other is a warning', async () => {
  const faults = async () => [
    { reason: 'stuck', isStuck: true },
    { reason: 'odd', isStuck: false },
  ];
  const found = await reportOf({ faults });
  assert.deepEqual([found.status, found.reasons, found.warnings], ['unhealthy', ['stuck', 'odd'], ['odd']]);
  const odd = await reportOf({ faults: async () => (await faults()).slice(1) });
  assert.deepEqual([odd.status, odd.code, odd.reasons], ['degraded', 200, ['odd']]);
});

test('an IP table of 60 days is fresh, one of 61 is reported, and changes no status', async () => {
  const day = 24 * hour;
  for (const [days, warns] of [
    [60, false],
    [61, true],
  ] as const) {
    const found = await reportOf({ ipTableBuiltAt: async () => 1000 * day - days * day }, () => 1000 * day);
    assert.deepEqual([found.status, found.warnings.length], ['ok', warns ? 1 : 0]);
  }
});

test('the number of new domains in a day, hits counted as other, suspended expiry and a clock set back are each reported', async () => {
  const now = Date.parse('2026-11-28T12:00:00Z');
  const over = async (change: Partial<Manifest>) => {
    const objects = memoryObjects(() => now).through(open);
    await objects.put(manifestKey, JSON.stringify({ ...emptyManifest, ...change }));
    return reportOf({ objects }, () => now);
  };
  const grown = (day: string, rows: number, other = 0) => ({ grown: { day, rows, other } });
  const rows: [Partial<Manifest>, RegExp | undefined][] = [
    [grown('2026-11-28', 100_000), undefined],
    [grown('2026-11-28', 100_001), /^100001 domains are new today/],
    [grown('2026-11-27', 100_001, 5), undefined],
    [grown('2026-11-28', 200_000, 1), /^1 hits of today are counted as "other"/],
    [{ held: { domains: 7, since: now, ranMs: 0 } }, /^7 domains are due to leave/],
    [{ clock: now + 5 * 60_000 }, undefined],
    [{ clock: now + 5 * 60_000 + 1 }, /the clock is behind that of the last export/],
  ];
  for (const [change, says] of rows) {
    const found = await over(change);
    assert.equal(found.status, says ? 'degraded' : 'ok', JSON.stringify(change));
    assert.equal(found.warnings.length, says ? 1 : 0);
    if (says) assert.match(found.warnings[0], says);
  }
});

test('a slow search delays no health check', async () => {
  const search = { counts: () => new Promise<never>(() => {}) };
  assert.equal((await reportOf({ search })).status, 'ok');
});
