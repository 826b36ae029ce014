import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Pull, StoredEvent } from '#core/event.ts';
import { type Alert, alertReachMs, fits, type Rule } from '#core/rules.ts';
import { openAlerts } from '#local/stores/alerts.ts';
import { type Batch, notifier } from '#process/notify.ts';

const now = Date.parse('2026-05-20T15:04:30Z');
const rules: Rule[] = [
  { name: 'pushes', when: 'pushed', repository: 'team/*' },
  { name: 'people', when: 'first-pull' },
  { name: 'countries', when: 'new-country', domain: '*.example' },
  { name: 'rush', when: 'hits-per-minute', over: 100 },
];

/** Runs of process that share claims and a history, as retries, zombies and other shards do. */
function world(pulled: Pick<Pull, 'id' | 'user'>[] = []) {
  const sent: Alert[] = [];
  const claims = openAlerts(':memory:', () => now);
  let claimants = 0;
  const stored: StoredEvent[] = [];
  const start = (options: { failing?: boolean; rules?: Rule[] } = {}) => {
    const notify = notifier({
      rules: options.rules ?? rules,
      claims,
      events: {
        history: async (user, { limit }) => ({
          items: pulled.filter((pull) => pull.user === user).slice(0, limit) as Pull[],
        }),
        events: async (user, repository, from, to) =>
          stored.filter(
            (event) => event.user === user && event.repository === repository && event.time >= from && event.time <= to,
          ),
      },
      send: async (alert) => {
        if (options.failing) throw new Error('down');
        sent.push(alert);
      },
      newId: () => `claimant ${claimants++}`,
      report: () => {},
    });
    assert.ok(notify);
    // A batch is stored before its alerts are sent.
    return async (batch: Batch) => {
      const fresh = batch.events.filter(({ id }) => !stored.some((event) => event.id === id));
      stored.push(...fresh);
      pulled.unshift(
        ...(fresh.filter(
          ({ action, id }) => action === 'pull' && !pulled.some((pull) => pull.id === id),
        ) as object[] as Pull[]),
      );
      await notify(batch);
    };
  };
  return { sent, start, texts: () => sent.map(({ text }) => text) };
}

function batch(change: Partial<Batch>): Batch {
  return {
    shard: 's',
    previous: '0',
    arrivedAt: now,
    events: [],
    locations: () => [],
    hitsByMinute: new Map(),
    ...change,
  };
}

function event(change: Partial<StoredEvent>): StoredEvent {
  return {
    id: 'e',
    time: now - 1000,
    action: 'pull',
    kind: 'manifest',
    method: 'GET',
    repository: 'team/app',
    tag: '1',
    user: 'ann',
    userAgent: '',
    source: '',
    addressDigests: [],
    country: '',
    client: '',
    class: 'human',
    origin: '',
    ...change,
  };
}

const push = (id: string, change: Partial<StoredEvent> = {}) => event({ id, action: 'push', method: 'PUT', ...change });

test('a push to a matching repository is one alert; its untagged platforms and old pushes are none', async () => {
  const { start, texts } = world();
  const notify = start();
  const events = [
    push('1'),
    push('2', { tag: undefined }),
    push('3', { repository: 'other/app' }),
    push('4', { time: now - 2 * 3_600_000 }),
    push('5', { kind: 'blob' }),
    push('6', { time: now, userAgent: '' }),
    push('7', { tag: `sha256-${'a'.repeat(64)}.sig`, class: 'signature' }),
  ];
  await notify(batch({ events }));
  await notify(batch({ events }));
  assert.deepEqual(texts(), ['team/app:1 was pushed by ann']);
});

test('a rule of pushes may be about one registry, or about all', async () => {
  const { start, sent } = world();
  const rules: Rule[] = [
    { name: 'all', when: 'pushed', repository: 'team/*' },
    { name: 'east', when: 'pushed', repository: 'team/*', registry: 'east' },
    { name: 'unnamed', when: 'pushed', repository: 'team/*', registry: 'default' },
  ];
  const repositories = ['team/app', 'east//team/app', 'west//team/app', 'east//other/app'];
  const events = repositories.map((repository, at) => push(`${at}`, { repository }));
  await start({ rules })(batch({ events }));
  assert.deepEqual(
    sent.map(({ rule, text }) => `${rule}: ${text}`),
    [
      'all: team/app:1 was pushed by ann',
      'all: team/app:1 in east was pushed by ann',
      'all: team/app:1 in west was pushed by ann',
      'east: team/app:1 in east was pushed by ann',
      'unnamed: team/app:1 was pushed by ann',
    ],
  );
});

test('events that are an hour old when they arrive cause no alert, of any kind', async () => {
  for (const [age, alerts] of [
    [alertReachMs - 1, 4],
    [alertReachMs, 0],
  ]) {
    const { start, sent } = world();
    const notify = start();
    const time = now - age;
    const seen = (country: string) => batch({ locations: () => [['shop.example', 0, 0, country, time]] });
    await notify(seen('FR'));
    await notify(seen('JP'));
    await notify(
      batch({
        previous: '1',
        events: [push('1', { time }), event({ id: '2', time })],
        hitsByMinute: new Map([[time, 101]]),
      }),
    );
    assert.equal(sent.length, alerts, `${age}`);
  }
});

test('of a domain with several locations in a country one pair is looked at', async () => {
  const { start, texts } = world();
  const notify = start();
  const rows = ['FR', 'FR', 'JP', 'JP', ''].map((country, at) => ['shop.example', at, 0, country, now] as const);
  await notify(batch({ locations: () => rows.slice(0, 2) as never }));
  await notify(batch({ locations: () => rows as never }));
  assert.deepEqual(texts(), ['shop.example has its first hit from JP']);
});

test('a new user is an alert at the first pull; a user with a history, a machine and an anonymous user are not new', async () => {
  const { start, texts } = world([{ id: 'before', user: 'old' }]);
  await start()(
    batch({
      events: [
        event({ id: '1' }),
        event({ id: '2', repository: 'team/second', time: now }),
        event({ id: '3', user: 'old' }),
        event({ id: '4', user: 'robot', class: 'ci' }),
        event({ id: '5', user: '' }),
      ],
    }),
  );
  assert.deepEqual(texts(), ['ann pulls for the first time: team/app']);
});

test('names with spaces do not mix up pairs of a rule and a user', async () => {
  const { start, sent } = world();
  const rules: Rule[] = ['new', 'new people'].map((name) => ({ name, when: 'first-pull' }));
  await start({ rules })(batch({ events: [event({ id: '1', user: 'people ann' }), event({ id: '2', user: 'ann' })] }));
  assert.equal(sent.length, 4);
});

test('after a crash once the events were stored, the alert is still sent: the history then has only the batch itself', async () => {
  const { start, texts } = world([{ id: '1', user: 'ann' }]);
  await start()(batch({ events: [event({ id: '1' }), event({ id: '2', tag: undefined })] }));
  assert.equal(texts().length, 1);
});

test("a domain's first country is no alert, its second is one, also across processes", async () => {
  const { start, texts } = world();
  const seen = (domain: string, country: string, time = now) =>
    batch({ locations: () => [[domain, 0, 0, country, time]] });
  for (const notify of [start(), start()]) {
    await notify(seen('shop.example', 'FR'));
    await notify(seen('shop.example', 'BR', now - 2 * 3_600_000));
    await notify(seen('shop.example', 'JP'));
    await notify(seen('shop.example', 'BR'));
    await notify(seen('shop.example', ''));
    await notify(seen('shop.test', 'FR'));
    await notify(seen('shop.test', 'JP'));
  }
  assert.deepEqual(texts(), ['shop.example has its first hit from JP']);
});

test('hits of a minute are summed over shards and batches, and a repeated batch counts once', async () => {
  const { start, texts } = world();
  const minute = Date.parse('2026-05-20T15:04:00Z');
  const hits = (shard: string, previous: string, count: number) =>
    batch({ shard, previous, hitsByMinute: new Map([[minute, count]]) });
  const notify = start();
  await notify(hits('a', '0', 60));
  await notify(hits('a', '0', 60));
  await notify(hits('b', '0', 40));
  assert.deepEqual(texts(), []);
  await notify(hits('a', '7', 1));
  await notify(hits('b', '9', 50));
  assert.deepEqual(texts(), ['101 hits so far in the minute 2026-05-20 15:04 UTC, more than 100']);
});

test('each rule alerts at most once for an occurrence, whichever processes repeat whatever batches', async () => {
  const happenings = fc.array(
    fc.record({
      process: fc.nat(2),
      push: fc.option(fc.constantFrom('1', '2', '3')),
      user: fc.option(fc.constantFrom('ann', 'bo')),
      country: fc.option(fc.constantFrom('FR', 'JP', 'BR')),
      count: fc.nat(120),
    }),
    { maxLength: 20, size: 'max' },
  );
  await fc.assert(
    fc.asyncProperty(happenings, async (list) => {
      const { sent, start } = world();
      const processes = [start(), start(), start()];
      const all = list.map(({ process, push: id, user, country, count }, at) =>
        processes[process](
          batch({
            previous: String(at % 5),
            events: [
              ...(id ? [push(id, { repository: `team/${id}` })] : []),
              ...(user ? [event({ id: `${user}-${at}`, user })] : []),
            ],
            locations: () => (country ? [['shop.example', 0, 0, country, now]] : []),
            hitsByMinute: new Map([[now - (now % 60_000), count]]),
          }),
        ),
      );
      await Promise.all(all);
      assert.equal(new Set(sent.map(({ id }) => id)).size, sent.length);
      assert.equal(new Set(sent.map(({ rule, text }) => (rule === 'rush' ? rule : text))).size, sent.length);
      const pushes = new Set(list.flatMap(({ push: id }) => id ?? []));
      assert.equal(sent.filter(({ rule }) => rule === 'pushes').length, pushes.size);
    }),
    { seed: 1, numRuns: 100 },
  );
});

test('an alert that could not be stored is not tried again and does not stop the batch', async () => {
  const { start, sent } = world();
  await start({ failing: true })(batch({ events: [push('1')] }));
  await start()(batch({ events: [push('1')] }));
  assert.deepEqual(sent, []);
});

test('without rules there is no notifier', () => {
  assert.equal(notifier({ rules: [] as Rule[] } as Parameters<typeof notifier>[0]), undefined);
});

test('a pattern is literal except for its stars', () => {
  assert.ok(fits('team/*', 'team/a/b') && fits('*', '') && fits('a*c', 'abc') && fits('a.b', 'a.b'));
  assert.ok(!fits('team/*', 'teams/a') && !fits('a.b', 'axb') && !fits('a', 'ab'));
});

test('a pattern of any stars means what the regular expression of it means', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 8, size: 'max' });
  fc.assert(
    fc.property(text, text, (pattern, name) => {
      const expression = new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`);
      assert.equal(fits(pattern, name), expression.test(name), `${pattern} ${name}`);
    }),
    { seed: 16, numRuns: 3000 },
  );
});

/** `count` domains, each seen in these countries. */
const seenIn =
  (count: number, countries: string[], first = 0): Batch['locations'] =>
  () =>
    Array.from({ length: count }, (_, n) =>
      countries.map((country) => [`d${first + n}.example`, 0, 0, country, now - 1000] as never),
    ).flat();

test('strangers can cause a hundred alerts an hour, then one that says there are more; the next hour a hundred again', async () => {
  const { start, sent } = world();
  const notify = start();
  for (let first = 0; first < 160; first += 40) {
    await notify(batch({ locations: seenIn(40, ['DE'], first) }));
    await notify(batch({ previous: '1', locations: seenIn(40, ['FR'], first) }));
    if (first === 0) assert.equal(sent.length, 40);
  }
  assert.equal(sent.length, 101);
  assert.match(sent[100].text, /more/i);
  const hour = 3_600_000;
  const later = { arrivedAt: now + hour };
  await notify(batch({ ...later, locations: () => [['d0.example', 0, 0, 'IT', now + hour - 1000] as never] }));
  assert.equal(sent.length, 102);
});

test('a batch checks at most a thousand pairs of domain and country, a day at most twenty thousand; the next day starts again', async () => {
  const { start } = world();
  let asked = 0;
  const claims = openAlerts(':memory:', () => now);
  const notify = notifier({
    ...{
      rules: [{ name: 'countries', when: 'new-country' }],
      newId: () => 'me',
      report: () => {},
      send: async () => {},
    },
    events: { history: async () => ({ items: [] }), events: async () => [] },
    claims: {
      ...claims,
      claimAll: async (all) => {
        if (all.some(({ key }) => key.includes('home '))) asked += all.length;
        return claims.claimAll(all);
      },
    },
  });
  assert.ok(notify && start);
  await notify(batch({ locations: seenIn(1000, ['DE']) }));
  assert.equal(asked, 1000);
  await notify(batch({ locations: seenIn(1001, ['DE'], 10_000) }));
  assert.equal(asked, 2000, 'the pair beyond the limit is not checked');
  for (let part = 2; part < 22; part++) await notify(batch({ locations: seenIn(1000, ['DE'], 100_000 + part * 1000) }));
  assert.equal(asked, 20_000);
  await notify(batch({ arrivedAt: now + 86_400_000, locations: seenIn(1000, ['DE'], 500_000) }));
  assert.equal(asked, 21_000);
});
