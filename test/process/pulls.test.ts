// Delivered registry events end as the pulls of all events together, in the events store and in search, whatever
// happens on the way.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { RegistryEvent } from '#core/event.ts';
import { classifier } from '#core/registry/classify.ts';
import { pullsOf } from '#core/registry/pull.ts';
import { coveredPushes } from '#core/registry/push.ts';
import type { SearchChange } from '#core/stores.ts';
import { openEvents } from '#local/stores/events.ts';
import { openSearch } from '#local/stores/search/search.ts';
import { type Delivered, storeEvents } from '#process/pulls.ts';
import { stored } from '../support/captured.ts';

const runs = Number(process.env.WHALEWATCH_RUNS ?? 1000) / 4;
const start = Date.parse('2026-05-20T23:57:00Z');
const index = 'application/vnd.oci.image.index.v1+json';

/** Events so similar and close together that they interact in every way, around midnight. */
const traffic = fc
  .array(
    fc.record({
      gap: fc.oneof(fc.constantFrom(0, 1, 19, 20, 21, 599, 600, 601), fc.nat(900)),
      method: fc.constantFrom('HEAD', 'GET'),
      tag: fc.constantFrom(undefined, undefined, '1', '2'),
      digest: fc.constantFrom('root', 'amd', 'arm'),
      references: fc.constantFrom<string[] | undefined>(undefined, [], ['amd', 'arm']),
      user: fc.constantFrom('ann', 'ann', 'bo', ''),
      repository: fc.constantFrom('a/b', 'a/b', 'c'),
      address: fc.constantFrom('192.0.2.1', '192.0.2.1', '2001:db8::1', ''),
      action: fc.constantFrom('pull', 'pull', 'pull', 'push'),
    }),
    { minLength: 1, maxLength: 20 },
  )
  .map((rows) => {
    let time = start;
    return rows.map(({ gap, action, ...row }, at): RegistryEvent => {
      time += gap * 100;
      const base = { kind: 'manifest', mediaType: index, userAgent: 'docker/27', source: '' } as const;
      return { ...base, ...row, action: action as 'pull' | 'push', id: `id${(at * 7) % 31}`, time };
    });
  });

/** A store whose calls take a seeded number of turns, and sometimes fail, before or after they took effect. */
function unreliable<T extends object>(store: T, random: () => number): T {
  return new Proxy(store, {
    get(target, name) {
      const call = Reflect.get(target, name) as (...parameters: unknown[]) => unknown;
      return async (...parameters: unknown[]) => {
        for (let turns = Math.floor(random() * 4); turns > 0; turns--) await null;
        if (random() < 0.05) throw new Error('throttled');
        const result = await call.apply(target, parameters);
        if (random() < 0.05) throw new Error('timed out');
        return result;
      };
    },
  });
}

test('stored pulls and counts equal those of the distinct events', { timeout: 600_000 }, async () => {
  const deliveries = fc.record({ events: traffic, seed: fc.nat(), shuffle: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(deliveries, async ({ events, seed, shuffle }) => {
      let state = seed;
      const random = () => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        return state / 2 ** 32;
      };
      const kept = { events: openEvents(':memory:', () => start), search: openSearch(':memory:') };
      const process = {
        events: unreliable(kept.events, random),
        search: unreliable(kept.search, random),
        locator: { locate: () => undefined },
        classify: classifier(),
        pullWindowSeconds: 2,
      };
      // Every event is delivered once, some twice, in concurrent batches of two shards.
      const order = [...events, ...events.filter(() => random() < 0.3)];
      if (shuffle) order.sort(() => random() - 0.5);
      const delivered = order.map((event, at): Delivered => ({ event, origin: `s:${at}:0` }));
      const shards: Delivered[][] = [[], []];
      for (const delivery of delivered) shards[random() < 0.5 ? 0 : 1].push(delivery);
      await Promise.all(
        shards.map(async (shard) => {
          while (shard.length > 0) {
            const batch = shard.slice(0, 1 + Math.floor(random() * 5));
            // A failed batch is repeated, perhaps with more records than before.
            const done = await storeEvents(batch, process).then(
              () => true,
              () => false,
            );
            if (done) shard.splice(0, batch.length);
          }
        }),
      );

      const groups = Map.groupBy(events, ({ user, repository }) => JSON.stringify([user, repository]));
      for (const group of groups.values()) {
        const [{ user, repository }] = group;
        const want = pullsOf(group.map(stored));
        const all = [user, repository, 0, Number.MAX_SAFE_INTEGER] as const;
        assert.deepEqual(await kept.events.pulls(...all), want.map(plain));
        const raw = group.filter(({ action }) => action === 'pull').length;
        const { total } = await kept.search.counts({ user, repository });
        const pushes = group.length - raw - coveredPushes(group.map(stored)).size;
        assert.deepEqual({ ...total }, { pulls: want.length, raw, pushes, rawPushes: group.length - raw });
      }
    }),
    { seed: 1, numRuns: runs },
  );
});

test('a platform whose document is stored late stays part of its index', async () => {
  const stores = { events: openEvents(':memory:', () => start), search: openSearch(':memory:') };
  const options = { ...stores, locator: { locate: () => undefined }, classify: classifier(), pullWindowSeconds: 2 };
  const base = { action: 'push', kind: 'manifest', mediaType: index, method: 'PUT', userAgent: 'docker/27' } as const;
  const push = (id: string, more: Pick<RegistryEvent, 'digest' | 'tag' | 'references'>): Delivered => ({
    event: { ...base, ...more, id, time: start, user: 'ann', repository: 'a', address: '', source: '' },
    origin: `s:${id}:0`,
  });
  const [reached, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const search = {
    ...stores.search,
    async write(changes: SearchChange[]) {
      reached.resolve();
      await release.promise;
      await stores.search.write(changes);
    },
  };
  const late = storeEvents([push('amd', { digest: 'amd', references: [] })], { ...options, search });
  await reached.promise;
  await storeEvents([push('root', { digest: 'root', tag: '1', references: ['amd'] })], options);
  release.resolve();
  await late;
  const { total } = await stores.search.counts({});
  assert.deepEqual([total.pushes, total.rawPushes], [1, 2]);
});

test('names that hold a line feed keep people and repositories apart', async () => {
  const events = openEvents(':memory:', () => start);
  const options = { events, search: openSearch(':memory:'), locator: { locate: () => undefined } };
  const pairs = [
    ['ann', 'a\nb'],
    ['b\nann', 'a'],
  ];
  const delivered = pairs.map(([user, repository], at): Delivered => {
    const base = { action: 'pull', kind: 'manifest', mediaType: index, method: 'GET', userAgent: 'docker/27' } as const;
    return {
      event: { ...base, id: `id${at}`, time: start, user, repository, tag: '1', address: '', source: '' },
      origin: `s:${at}:0`,
    };
  });
  await storeEvents(delivered, { ...options, classify: classifier(), pullWindowSeconds: 2 });
  for (const [user, repository] of pairs)
    assert.equal((await events.pulls(user, repository, 0, Number.MAX_SAFE_INTEGER)).length, 1, user);
});

test('of two events with one id in a batch the first stays, whoever it names', async () => {
  const events = openEvents(':memory:', () => start);
  const options = { events, search: openSearch(':memory:'), locator: { locate: () => undefined } };
  const base = { action: 'pull', kind: 'manifest', mediaType: index, method: 'GET', userAgent: 'docker/27' } as const;
  const delivered = ['zoe', 'ann'].map(
    (user, at): Delivered => ({
      event: { ...base, id: 'one', time: start, user, repository: 'a', tag: '1', address: '', source: '' },
      origin: `s:${at}:0`,
    }),
  );
  await storeEvents(delivered, { ...options, classify: classifier(), pullWindowSeconds: 2 });
  const of = (user: string) => events.events(user, 'a', 0, Number.MAX_SAFE_INTEGER);
  assert.deepEqual([(await of('zoe')).length, (await of('ann')).length], [1, 0]);
});

test('the locator is opened before the first address is looked up, and not for events without one', async () => {
  const events = openEvents(':memory:', () => start);
  let opened = 0;
  const locator = {
    async open() {
      opened++;
    },
    locate: () => (opened > 0 ? { lat: 1, lon: 2, country: 'DE' } : undefined),
  };
  const options = { events, search: openSearch(':memory:'), locator, classify: classifier(), pullWindowSeconds: 2 };
  const base = { action: 'pull', kind: 'manifest', mediaType: index, method: 'GET', userAgent: 'docker/27' } as const;
  for (const [address, country, times] of [
    ['', '', 0],
    ['192.0.2.1', 'DE', 1],
  ] as const) {
    const event = { ...base, id: address, time: start, user: address, repository: 'a', tag: '1', address, source: '' };
    await storeEvents([{ event, origin: 's:0:0' }], options);
    const [pull] = await events.pulls(address, 'a', 0, Number.MAX_SAFE_INTEGER);
    assert.deepEqual([pull.country, opened], [country, times]);
  }
});

test('neither a redelivery nor a retry replaces anything', async () => {
  const events = openEvents(':memory:', () => start);
  const options = { events, search: openSearch(':memory:'), locator: { locate: () => undefined } };
  const base = { action: 'pull', kind: 'manifest', mediaType: index, method: 'GET', userAgent: 'docker/27' } as const;
  const event = { ...base, id: 'one', time: start, user: 'ann', repository: 'a', tag: '1', address: '', source: '' };
  const store = (delivered: Delivered[]) =>
    storeEvents(delivered, { ...options, classify: classifier(), pullWindowSeconds: 2 });
  for (const [origin, duplicates] of [
    ['s:0:0', 0],
    ['s:0:0', 0],
    ['s:1:0', 1],
  ] as const) {
    assert.equal((await store([{ event, origin }])).duplicates, duplicates);
    assert.equal(await events.version('ann', 'a'), 1);
  }
  assert.deepEqual(await store([]), { duplicates: 0, stored: [] });
});

/** As JSON stores it: without undefined fields. */
const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value));
