// Forgetting a user while their events are on the way leaves nothing of them, whatever the order of steps and failures.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seeded } from '#core/bytes/random.ts';
import type { RegistryEvent, RegistryLine } from '#core/event.ts';
import { forgetPerson } from '#core/forget.ts';
import { classifier } from '#core/registry/classify.ts';
import { pullsOf } from '#core/registry/pull.ts';
import { openAlerts } from '#local/stores/alerts.ts';
import { openCheckpoints } from '#local/stores/checkpoints.ts';
import { openEvents } from '#local/stores/events.ts';
import { openSearch } from '#local/stores/search/search.ts';
import { anyForgotten, withoutForgotten } from '#process/forgotten.ts';
import { notifier } from '#process/notify.ts';
import { type ProcessOptions, processBatch, type ShardRecord } from '#process/process.ts';
import { stored } from '../support/captured.ts';
import { memoryObjects, open } from '../support/memory-stores.ts';

const runs = Number(process.env.WHALEWATCH_RUNS ?? 1000) / 4;
const start = Date.parse('2026-05-20T12:00:00Z');
const people = ['ann', 'bo'];
const repositories = ['a', 'b'];
const whole = [0, Number.MAX_SAFE_INTEGER] as const;
const rules = [
  { name: 'people', when: 'first-pull' as const },
  { name: 'pushes', when: 'pushed' as const, repository: '*' },
];

function event(n: number, random: () => number): RegistryEvent {
  const base = { kind: 'manifest', method: 'GET', userAgent: 'docker/27', source: '', address: '' } as const;
  const action = random() < 0.7 ? 'pull' : 'push';
  const user = people[random() < 0.7 ? 0 : 1];
  const repository = repositories[Math.floor(random() * 2)];
  return { ...base, id: `e${n}`, time: start + n * 700, action, user, repository, tag: '1', digest: 'd' };
}

/** A server: the stores, a clock that advances with every reading, and a stream of one shard. */
function world(random: () => number) {
  let now = start;
  const clock = () => ++now;
  const stores = {
    events: openEvents(':memory:', clock),
    search: openSearch(':memory:'),
    alerts: openAlerts(':memory:', clock),
    checkpoints: openCheckpoints(':memory:'),
    objects: memoryObjects(clock).through(open),
  };
  let ids = 0;
  const newId = () => `id ${ids++}`;
  const records: ShardRecord[] = [];
  let taken = 0;
  const take = (events: RegistryEvent[]) => {
    for (const one of events) {
      const line: RegistryLine = { type: 'registry', receivedAt: clock(), event: one };
      records.push({
        sequenceNumber: `${++taken}`,
        data: Buffer.from(JSON.stringify(line)),
        arrivedAt: clock(),
      });
    }
  };
  const options = (around: <T extends object>(store: T) => T): ProcessOptions => {
    const through = {
      events: around(stores.events),
      search: around(stores.search),
      alerts: around(stores.alerts),
      checkpoints: around(stores.checkpoints),
      objects: around(stores.objects),
    };
    return {
      ...through,
      ...{ locator: { locate: () => undefined }, classify: classifier(), pullWindowSeconds: 2, clock, newId },
      notify: notifier({
        ...{ rules, claims: through.alerts, events: through.events, send: through.alerts.add, newId },
        report: (cause) => {
          throw cause;
        },
      }),
    };
  };
  /** Processes everything in the stream in batches, each repeated until it succeeds. */
  const processAll = async (around: <T extends object>(store: T) => T) => {
    const once = options(around);
    for (let from = 0; from < records.length; ) {
      const to = from + 1 + Math.floor(random() * 6);
      const done = await processBatch('s', records.slice(from, to), once).then(
        () => true,
        () => false,
      );
      if (done) from = to;
    }
  };
  return { stores, records, take, processAll, clock };
}

/**
 * A store whose calls take a seeded number of turns, sometimes very many, and may fail before or after they took
 * effect.
 */
const unreliable = (random: () => number, failing: number) => {
  const turns = async () => {
    for (let left = random() * (random() < 0.1 ? 150 : 4); left > 1; left--) await null;
  };
  return <T extends object>(store: T): T =>
    new Proxy(store, {
      get(target, name) {
        const call = Reflect.get(target, name) as (...parameters: unknown[]) => unknown;
        return async (...parameters: unknown[]) => {
          await turns();
          if (random() < failing) throw new Error('throttled');
          const result = await call.apply(target, parameters);
          await turns();
          if (random() < failing) throw new Error('timed out');
          return result;
        };
      },
    });
};

test('a user forgotten while their events are being stored is gone; events from afterwards count', {
  timeout: 600_000,
}, async () => {
  const cases = fc.record({ seed: fc.integer({ min: 1 }), before: fc.nat(30), after: fc.nat(8), wait: fc.nat(300) });
  await fc.assert(
    fc.asyncProperty(cases, async ({ seed, before, after, wait }) => {
      const random = seeded(seed);
      const { stores, take, processAll, clock } = world(random);
      const early = Array.from({ length: before }, (_, n) => event(n, random));
      const late = Array.from({ length: after }, (_, n) => event(before + n, random));
      take(early);
      const around = unreliable(random, 0.03);
      const forget = async () => {
        for (let turns = wait; turns > 0; turns--) await null;
        // A caller who is told that not everything was forgotten calls again.
        const through = {
          events: around(stores.events),
          search: around(stores.search),
          alerts: around(stores.alerts),
        };
        for (let done = false; !done; )
          done = await forgetPerson(through, 'ann', clock()).then(
            () => true,
            () => false,
          );
      };
      await Promise.all([processAll(around), forget()]);

      const left = async (events: RegistryEvent[]) => {
        for (const user of people)
          for (const repository of repositories) {
            const own = events.filter((one) => one.user === user && one.repository === repository);
            const want = pullsOf(own.map(stored));
            const held = await stores.events.events(user, repository, ...whole);
            assert.deepEqual(
              held.map(({ id }) => id),
              own.map(({ id }) => id),
            );
            assert.deepEqual(
              (await stores.events.pulls(user, repository, ...whole)).map(({ id, events }) => [id, events]),
              want.map(({ id, events }) => [id, events]),
            );
            const { total } = await stores.search.counts({ user, repository });
            const raw = own.filter(({ action }) => action === 'pull').length;
            assert.deepEqual([total.pulls, total.raw, total.rawPushes], [want.length, raw, own.length - raw]);
          }
      };
      const others = early.filter(({ user }) => user !== 'ann');
      await left(others);
      const told = await stores.alerts.alerts({ limit: 1000 });
      assert.deepEqual(
        told.items.filter(({ data }) => data.user === 'ann'),
        [],
      );
      assert.equal(await stores.alerts.forget('ann'), 0);

      take(late);
      await processAll(around);
      await left([...others, ...late]);
    }),
    { seed: 1, numRuns: runs },
  );
});

test('events of a forgotten user that are put into the stream again stay forgotten, without affecting newer ones', async () => {
  const random = seeded(7);
  const { stores, take, processAll, clock, records } = world(random);
  const around = <T extends object>(store: T) => store;
  const events = Array.from({ length: 6 }, (_, n) => ({ ...event(n, random), user: 'ann', repository: 'a' }));
  take(events.slice(0, 3));
  const [failed] = records.splice(0, 3, ...records.slice(1));
  await forgetPerson(stores, 'ann', clock());
  take(events.slice(3));
  await processAll(around);
  const held = async () => (await stores.events.events('ann', 'a', ...whole)).map(({ id }) => id);
  assert.deepEqual(await held(), ['e3', 'e4', 'e5']);
  records.push({ ...failed, sequenceNumber: '100', arrivedAt: clock() + 3_600_000 });
  await processAll(around);
  assert.deepEqual(await held(), ['e3', 'e4', 'e5']);
});

test('a batch that is stored during a removal leaves nothing', async () => {
  const random = seeded(8);
  const { stores, take, processAll, clock } = world(random);
  const search = {
    forget: async (user: string) => {
      await processAll((store) => store);
      await stores.search.forget(user);
    },
  };
  take(Array.from({ length: 6 }, (_, n) => ({ ...event(n, random), user: 'ann', repository: 'a' })));
  await forgetPerson({ ...stores, search }, 'ann', clock());
  assert.deepEqual(await stores.events.events('ann', 'a', ...whole), []);
  assert.deepEqual(await stores.events.pulls('ann', 'a', ...whole), []);
});

test('what an attempt may have stored before it saw the mark is removed; what came a minute later never was stored', async () => {
  const minute = 60_000;
  for (const [late, removed] of [
    [minute, true],
    [minute + 1, false],
  ] as const) {
    const { stores } = world(seeded(3));
    const mark = start + 5000;
    await stores.events.markForgotten('ann', mark);
    const old = { ...event(0, () => 0.5), user: 'ann', repository: 'a' };
    await stores.events.put([stored(old)]);
    await withoutForgotten([{ event: old, origin: 'shard', receivedAt: mark, arrivedAt: mark + late }], stores);
    assert.equal((await stores.events.events('ann', 'a', ...whole)).length, removed ? 0 : 1, `${late}`);
  }
});

test('what was received up to the millisecond of the mark is forgotten, what came after it counts', async () => {
  const { stores } = world(seeded(3));
  const mark = start + 5000;
  await forgetPerson(stores, 'ann', mark);
  const received = (receivedAt: number, user = 'ann') => ({
    ...{ receivedAt, arrivedAt: receivedAt, origin: 'shard' },
    event: { ...event(receivedAt - start, () => 0.5), user },
  });
  const kept = await withoutForgotten([received(mark - 1), received(mark), received(mark + 1)], stores);
  assert.deepEqual(
    kept.map(({ receivedAt }) => receivedAt),
    [mark + 1],
  );
  assert.equal(await anyForgotten([received(mark)], stores), true);
  assert.equal(await anyForgotten([received(mark + 1), received(mark, 'bo'), received(mark, '')], stores), false);
});
