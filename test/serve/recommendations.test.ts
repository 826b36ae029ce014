import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { alsDefaults, fit } from '#core/als.ts';
import type { Pull, PullClass } from '#core/event.ts';
import { answerErrors } from '#core/http.ts';
import type { Card } from '#core/models.ts';
import { seeded } from '#core/random.ts';
import { indexPairs } from '#core/ratings.ts';
import type { EventStore, RepositoryRow, SearchStore } from '#core/stores.ts';
import { type ModelSource, type Service, serviceOf } from '#serve/models.ts';
import { recommendationRoutes } from '#serve/recommendations.ts';

interface Item {
  repository: string;
  source: string;
  pulledBy: number;
  because: { repository: string; share: number }[];
}

type Act = { user: string; repository: string; class: PullClass };

/** The two stores as the routes use them, answered from a plain list of pulls, oldest first. */
function stores(acts: Act[]): { events: EventStore; search: SearchStore } {
  const pulls = acts.map((act, at) => ({ ...act, id: `${at}`, time: at, client: '', country: '', events: 1 }) as Pull);
  const row = (repository: string): RepositoryRow => {
    const own = pulls.filter((pull) => pull.repository === repository);
    const people = new Set(own.map(({ user }) => user).filter(Boolean));
    return { repository, pulls: own.length, raw: own.length, pulledBy: people.size, lastPull: own.at(-1)?.time ?? 0 };
  };
  const known = [...new Set(pulls.map(({ repository }) => repository))];
  const events: Partial<EventStore> = {
    async history(user, { limit }) {
      const own = pulls.filter((pull) => pull.user === user).reverse();
      return { items: own.slice(0, limit), ...(own.length > limit ? { cursor: 'more' } : {}) };
    },
    async pulls(user, repository) {
      return pulls.filter((pull) => pull.user === user && pull.repository === repository);
    },
  };
  const search: Partial<SearchStore> = {
    async repositories({ limit }) {
      return known
        .map(row)
        .sort((a, b) => b.pulls - a.pulls)
        .slice(0, limit);
    },
    async repositoryRows(names) {
      return names.filter((name) => known.includes(name)).map(row);
    },
  };
  return { events: events as EventStore, search: search as SearchStore };
}

function trained(acts: Act[]): Service {
  const taught = acts.filter((act) => act.class === 'human' || act.class === 'cluster');
  const pairs = taught.map(({ user, repository }) => ({ user, repository, pulls: 1, lastPull: 0 }));
  const { users, items, entries } = indexPairs(pairs);
  const { items: factors } = fit(entries, users.length, items.length, alsDefaults, seeded(1));
  return serviceOf({ ...alsDefaults, items, factors }, { id: 'm1', trainedAt: 0 } as Card);
}

function door(acts: Act[], service?: Service) {
  const models: Partial<ModelSource> = { current: async () => service };
  const app = recommendationRoutes({ ...stores(acts), models: models as ModelSource, clock: () => acts.length });
  answerErrors(app, (cause) => assert.fail(String(cause)));
  return async (query: Record<string, string>) => {
    const answer = await app.request(`/v1/recommendations?${new URLSearchParams(query)}`);
    assert.equal(answer.status, 200, JSON.stringify(query));
    return ((await answer.json()) as { items: Item[] }).items;
  };
}

const names = [
  'elk/logstash',
  'elk/elasticsearch',
  'elk/kibana',
  'spark',
  'a b',
  '猫/犬',
  "o'neil;--",
  'x,y',
  '%2F',
  '😀',
];
const users = ['ann', 'bob', 'Zoë', 'a,b', '__proto__', "d'x"];
const classes: PullClass[] = ['human', 'human', 'cluster', 'scanner', 'signature', 'ci'];
const acts = fc.array(
  fc.record({
    user: fc.constantFrom(...users, ''),
    repository: fc.constantFrom(...names),
    class: fc.constantFrom(...classes),
  }),
  { maxLength: 60 },
);

test('never empty while something is left, never one already pulled, never one excluded', async () => {
  await fc.assert(
    fc.asyncProperty(
      acts,
      fc.constantFrom('none', 'own', 'other catalogue', 'no images'),
      fc.constantFrom(...users, 'a stranger'),
      fc.subarray(names.filter((name) => !name.includes(','))),
      fc.integer({ min: 1, max: 12 }),
      async (history, kind, user, excluded, limit) => {
        const others = history.map((act) => ({ ...act, repository: `other/${act.repository}` }));
        const services: Record<string, Service | undefined> = {
          own: trained(history),
          'other catalogue': trained(others),
          'no images': trained([]),
        };
        const items = await door(history, services[kind])({ user, limit: `${limit}`, exclude: excluded.join() });
        const pulled = new Set(history.filter((act) => act.user === user).map(({ repository }) => repository));
        const known = new Set(history.map(({ repository }) => repository));
        const left = [...known].filter((name) => !pulled.has(name) && !excluded.includes(name));
        assert.equal(items.length, Math.min(limit, left.length));
        assert.equal(new Set(items.map(({ repository }) => repository)).size, items.length, 'no image twice');
        for (const { repository, pulledBy, because } of items) {
          assert.ok(left.includes(repository), repository);
          const people = history.filter((act) => act.repository === repository && act.user !== '');
          assert.equal(pulledBy, new Set(people.map((act) => act.user)).size);
          for (const reason of because) assert.ok(pulled.has(reason.repository) && reason.share > 0);
        }
      },
    ),
    { seed: 6, numRuns: 150 },
  );
});

test('a new pull changes the list at once, and is the reason given', async () => {
  const community = (name: string, images: string[]) =>
    Array.from({ length: 6 }, (_, person) =>
      images.map((repository) => ({ user: `${name}${person}`, repository, class: 'human' as const })),
    ).flat();
  const before = [
    ...community('e', ['elk/logstash', 'elk/elasticsearch', 'elk/kibana']),
    ...community('s', ['spark', 'hadoop', 'hive']),
  ];
  const service = trained(before);
  const first = await door(before, service)({ user: 'new' });
  assert.ok(first.every(({ source }) => source === 'trending'));
  for (const [pull, next] of [
    ['elk/logstash', ['elk/elasticsearch', 'elk/kibana']],
    ['spark', ['hadoop', 'hive']],
  ] as const) {
    const after = [...before, { user: 'new', repository: pull, class: 'human' as const }];
    const items = await door(after, service)({ user: 'new', limit: '2' });
    assert.deepEqual(items.map(({ repository }) => repository).sort(), next);
    assert.deepEqual(
      [items[0].source, items[0].pulledBy, items[0].because],
      ['als', 6, [{ repository: pull, share: 1 }]],
    );
    // A scanner's pull is not recommended again, but teaches nothing.
    const scanned = [...before, { user: 'new', repository: pull, class: 'scanner' as const }];
    const fallback = await door(scanned, service)({ user: 'new' });
    assert.ok(fallback.every(({ source, repository }) => source === 'trending' && repository !== pull));
  }
});

test('a pull further back than a request reads is still never recommended', async () => {
  const old = ['r0', 'r1', 'r2'].map((repository) => ({ user: 'ann', repository, class: 'human' as const }));
  const newest = Array.from({ length: 600 }, () => ({ user: 'ann', repository: 'r3', class: 'human' as const }));
  const others = ['r0', 'r1', 'r2', 'r3', 'r4'].map((repository) => ({
    user: 'bob',
    repository,
    class: 'human' as const,
  }));
  const history = [...old, ...others, ...newest];
  for (const service of [undefined, trained(history)])
    assert.deepEqual(
      (await door(history, service)({ user: 'ann' })).map(({ repository }) => repository),
      ['r4'],
    );
});
