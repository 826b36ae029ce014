// Recommendations of the real app over the embedded stores: registry events go in as process stores them, lists come
// out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type PullClass, type RegistryEvent, taughtClasses } from '#core/event.ts';
import { alsDefaults } from '#core/recommender/als.ts';
import { plainAls } from '#core/recommender/model-file.ts';
import type { Card } from '#core/recommender/model-list.ts';
import { indexPairs, rowsOf } from '#core/recommender/ratings.ts';
import { openEvents } from '#local/stores/events.ts';
import { openSearch } from '#local/stores/search/search.ts';
import { storeEvents } from '#process/pulls.ts';
import { type ServeOptions, serveApp } from '#serve/app.ts';
import { type ModelSource, type Service, serviceOf } from '#serve/recommender/models.ts';
import { families, fitSetting, type PartSetting, popularFamilies, seedAls } from '#train/candidates.ts';
import { neighboursOf } from '#train/neighbours.ts';
import { accessAs } from '../../support/access.ts';

interface Item {
  repository: string;
  source: string;
  score: number;
  pulledBy: number;
  because: { repository: string; share: number }[];
  shared?: number;
}

/** One registry event by a client of this class: a pull, unless `pushed` or `deleted` (the whole repository) is set. */
type Act = { user: string; repository: string; class: PullClass; pushed?: true; deleted?: true };

const start = Date.UTC(2026, 10, 1);
/** Further apart than two events of one pull can be. */
const apart = 61_000;
const timeOf = (at: number) => start + at * apart;

const eventOf = ({ user, repository, class: client, pushed, deleted }: Act, at: number): RegistryEvent => ({
  ...{ id: `${at}`, time: timeOf(at), repository, user, userAgent: client, address: '', source: 'registry' },
  ...(deleted
    ? { action: 'delete', kind: 'other', method: 'DELETE' }
    : {
        ...{ tag: 'latest', kind: 'manifest' },
        ...(pushed ? { action: 'push', method: 'PUT' } : { action: 'pull', method: 'GET' }),
      }),
});

/** Models trained on these acts: every kind in the competition, with its first settings. */
function trained(acts: Act[], kind: (typeof fitted)[number] = 'als-seed'): Service {
  const taught = acts.filter(
    (act) => !act.pushed && !act.deleted && act.user !== '' && taughtClasses.includes(act.class),
  );
  const pairs = taught.map(({ user, repository }) => ({ user, repository, pulls: 1, firstPull: 0, lastPull: 0 }));
  const { users, items, entries } = indexPairs(pairs);
  const byUser = rowsOf(entries, users.length);
  const all = [...families(items.length, 1e9), ...popularFamilies];
  const first = (name: string) => all.find((family) => family.name === name)?.starts[0];
  const parts = ['ease', 'knn', 'als'].map((name) => ({ share: 1 / 3, setting: first(name) as PartSetting }));
  const setting = kind === 'blend' ? ({ kind, parts } as const) : first(kind);
  const model = fitSetting(setting ?? seedAls(), { items, entries, byUser }, 1);
  // The model file of the seed is of version 1, without neighbours.
  if (setting) model.neighbours = neighboursOf(model, byUser);
  return serviceOf(model, { id: 'm1', trainedAt: 0 } as Card);
}

/** The app over stores with these acts, oldest first. */
async function door(acts: Act[], service?: Service, daysLater = 0) {
  const [events, search] = [openEvents(':memory:', () => start), openSearch(':memory:')];
  await storeEvents(
    acts.map((act, at) => ({ event: eventOf(act, at), origin: `shard-0:${at}:0` })),
    {
      ...{ events, search, locator: { locate: () => undefined }, pullWindowSeconds: 2 },
      classify: ({ userAgent }) => userAgent as PullClass,
    },
  );
  const models: Partial<ModelSource> = { current: async () => service };
  let now = timeOf(acts.length) + daysLater * 86_400_000;
  const app = serveApp({
    access: accessAs('owner'),
    ...{ events, search, models, clock: () => now, keepDays: 7 },
    report: (cause: unknown) => assert.fail(String(cause)),
  } as unknown as ServeOptions);
  const bodyOf = async (answer: Response) => {
    assert.equal(answer.status, 200, await answer.clone().text());
    return (await answer.json()) as { id: string; items: Item[]; note?: string; unknown?: string[] };
  };
  const whole = async (query: [string, string][]) =>
    bodyOf(await app.request(`/v1/recommendations?${new URLSearchParams(query)}`));
  const ofList = async (body: object) =>
    bodyOf(
      await app.request('/v1/recommendations', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      }),
    );
  const similar = async (repository: string) =>
    bodyOf(await app.request(`/v1/similar?${new URLSearchParams({ repository })}`));
  return {
    events,
    search,
    tick: (milliseconds: number) => {
      now += milliseconds;
    },
    forUser: Object.assign(async (query: [string, string][]) => (await whole(query)).items, { whole }),
    similar,
    similarTo: async (name: string) => (await similar(name)).items.map(({ repository }) => repository),
    forList: Object.assign(async (body: object) => (await ofList(body)).items, { whole: ofList }),
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
  '__proto__',
  'constructor',
];
const users = ['ann', 'bob', 'Zoë', 'a,b', '__proto__', "d'x"];
const classes: PullClass[] = ['human', 'human', 'human', 'cluster', 'scanner', 'mirror', 'signature', 'ci'];
const act = fc.record(
  {
    user: fc.constantFrom(...users, ''),
    repository: fc.constantFrom(...names),
    class: fc.constantFrom(...classes),
    pushed: fc.constant(true as const),
  },
  { requiredKeys: ['user', 'repository', 'class'] },
);
// Mostly pulls: fast-check would leave out an optional key only half of the time.
const acts = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: act.map(({ pushed, ...pull }): Act => pull) },
    { weight: 2, arbitrary: act.map((pull): Act => pull) },
    { weight: 1, arbitrary: act.map(({ pushed, ...rest }): Act => ({ ...rest, deleted: true })) },
  ),
  // Without a size fast-check makes at most ten.
  { maxLength: 60, size: 'max' },
);

/** The pulls that models learn from, without repositories deleted since. */
function taughtOf(acts: Act[]): Act[] {
  const newest = new Map(acts.map((act) => [act.repository, act]));
  const there = acts.filter((act) => !act.pushed && !act.deleted && !newest.get(act.repository)?.deleted);
  return there.filter((act) => act.user !== '' && taughtClasses.includes(act.class));
}

/** What must hold of each list, derived from the acts alone. */
function judge(items: Item[], acts: Act[], { own, out, limit }: { own: Set<string>; out: Set<string>; limit: number }) {
  const taught = taughtOf(acts);
  const left = new Set(taught.map(({ repository }) => repository).filter((name) => !out.has(name)));
  assert.equal(items.length, Math.min(limit, left.size), 'as many as are available');
  assert.equal(new Set(items.map(({ repository }) => repository)).size, items.length, 'no image twice');
  for (const { repository, pulledBy, because, score } of items) {
    assert.ok(left.has(repository), repository);
    assert.ok(score > 0);
    const people = taught.filter((act) => act.repository === repository);
    assert.ok(pulledBy > 0, 'somebody pulled it');
    assert.equal(pulledBy, new Set(people.map((act) => act.user)).size, repository);
    for (const reason of because)
      assert.ok(own.has(reason.repository) && reason.share > 0, "each reason is a pull of the user's own");
    const shares = because.map(({ share }) => share);
    assert.ok(shares.reduce((sum, share) => sum + share, 0) <= 1 + 1e-12, 'shares add up to at most 1');
    assert.deepEqual(
      shares,
      shares.toSorted((a, b) => b - a),
    );
  }
}

const fitted = ['als-seed', 'als', 'ease', 'knn', 'blend', 'popular', 'popular-recent'] as const;
const odd = ['none', 'images deleted since', 'other catalogue', 'no images'] as const;
const kinds = [...fitted, ...odd];
const serviceFor = (kind: (typeof kinds)[number], history: Act[]): Service | undefined =>
  (
    ({
      ...Object.fromEntries(fitted.map((kind) => [kind, () => trained(history, kind)])),
      none: () => undefined,
      // Pulled together with repositories that still exist, so that the model would rank them first.
      'images deleted since': () =>
        trained(history.flatMap((act) => [act, { ...act, repository: `deleted/${act.repository}` }])),
      'other catalogue': () => trained(history.map((act) => ({ ...act, repository: `other/${act.repository}` }))),
      'no images': () => trained([]),
    }) as Record<string, () => Service | undefined>
  )[kind]();

test('never empty while something is left, never with a repository already pulled or pushed, nor an excluded one', async () => {
  await fc.assert(
    fc.asyncProperty(
      acts,
      fc.constantFrom(...kinds),
      fc.constantFrom(...users, 'a stranger'),
      fc.subarray(names),
      fc.boolean(),
      fc.integer({ min: 1, max: 14 }),
      async (history, kind, user, excluded, together, limit) => {
        const { forUser } = await door(history, serviceFor(kind, history));
        // A comma separates names, so a name with a comma is given alone.
        const whole = together ? excluded.filter((name) => !name.includes(',')) : excluded;
        const exclude = together ? [whole.join()] : whole;
        const items = await forUser([
          ['user', user],
          ['limit', `${limit}`],
          ...exclude.map((name): [string, string] => ['exclude', name]),
        ]);
        const mine = history.filter((act) => act.user === user && !act.deleted);
        const own = new Set(mine.filter(({ pushed }) => !pushed).map(({ repository }) => repository));
        const out = new Set([...mine.map(({ repository }) => repository), ...whole]);
        judge(items, history, { own, out, limit });
      },
    ),
    { seed: 6, numRuns: 100 },
  );
});

test('completing a list of images follows the same rules', async () => {
  await fc.assert(
    fc.asyncProperty(
      acts,
      fc.constantFrom(...kinds),
      fc.array(fc.constantFrom(...names, 'nowhere'), { minLength: 1, maxLength: 8, size: 'max' }),
      fc.subarray(names),
      fc.integer({ min: 1, max: 14 }),
      async (history, kind, repositories, exclude, limit) => {
        const { forList } = await door(history, serviceFor(kind, history));
        const { items, unknown } = await forList.whole({ repositories, exclude, limit });
        const pulled = new Set(taughtOf(history).map(({ repository }) => repository));
        assert.deepEqual(
          unknown,
          repositories.filter((name) => !pulled.has(name)),
        );
        judge(items, history, { own: new Set(repositories), out: new Set([...repositories, ...exclude]), limit });
      },
    ),
    { seed: 7, numRuns: 60 },
  );
});

const community = (name: string, images: string[]) =>
  Array.from({ length: 6 }, (_, person) =>
    images.map((repository): Act => ({ user: `${name}${person}`, repository, class: 'human' })),
  ).flat();

test('a new pull changes the list at once, and is the reason given', async () => {
  const before = [
    ...community('e', ['elk/logstash', 'elk/elasticsearch', 'elk/kibana']),
    ...community('s', ['spark', 'hadoop', 'hive']),
  ];
  const service = trained(before);
  const listOf = async (acts: Act[], ...query: [string, string][]) =>
    (await door(acts, service)).forUser([['user', 'new'], ...query]);
  assert.ok((await listOf(before)).every(({ source }) => source === 'trending'));
  for (const [pull, next] of [
    ['elk/logstash', ['elk/elasticsearch', 'elk/kibana']],
    ['spark', ['hadoop', 'hive']],
  ] as const) {
    const items = await listOf([...before, { user: 'new', repository: pull, class: 'human' }], ['limit', '2']);
    assert.deepEqual(items.map(({ repository }) => repository).sort(), next);
    assert.deepEqual(
      [items[0].source, items[0].pulledBy, items[0].because],
      ['als', 6, [{ repository: pull, share: 1 }]],
    );
    // What a scanner pulled is not recommended to its user again, but models don't learn from it.
    const fallback = await listOf([...before, { user: 'new', repository: pull, class: 'scanner' }]);
    assert.ok(fallback.every(({ source, repository }) => source === 'trending' && repository !== pull));
  }
});

test('signatures and what only machines pulled are recommended to nobody, however often pulled', async () => {
  const machines: PullClass[] = ['scanner', 'mirror', 'signature', 'ci', 'version-check'];
  const acts: Act[] = [
    ...machines.flatMap((kind) =>
      Array.from({ length: 9 }, (_, n): Act => ({ user: `robot ${n}`, repository: `by ${kind}`, class: kind })),
    ),
    { user: 'ann', repository: 'app', class: 'human' },
    { user: 'bob', repository: 'base', class: 'cluster' },
  ];
  const { forUser, forList, search } = await door(acts);
  // The repositories page counts every pull; recommendations count those of people and clusters.
  const all = await search.repositories({ sort: 'popular', limit: 10, now: timeOf(acts.length) });
  assert.equal(all.length, 7);
  for (const items of [await forUser([['user', 'a stranger']]), await forList({ repositories: ['nowhere'] })])
    assert.deepEqual(items.map(({ repository }) => repository).sort(), ['app', 'base']);
});

test('what a user pushed is recommended to others, but not to them', async () => {
  const acts: Act[] = [
    ...community('e', ['app', 'base']),
    { user: 'maker', repository: 'app', class: 'human', pushed: true },
    { user: 'maker', repository: 'base', class: 'human' },
  ];
  const { forUser } = await door(acts, trained(acts));
  assert.deepEqual(await forUser([['user', 'maker']]), []);
  assert.equal((await forUser([['user', 'a stranger']])).length, 2);
});

test('a repository that nobody pulls any more may be popular, but is not trending', async () => {
  const acts = community('o', ['old/one', 'old/two']);
  const sources = async (daysLater: number) =>
    (await (await door(acts, undefined, daysLater)).forUser([['user', 'a stranger']])).map(({ source }) => source);
  assert.deepEqual(await sources(1), ['trending', 'trending']);
  assert.deepEqual(await sources(30), ['popular', 'popular']);
});

test('a repository pulled longer ago than a request reads is still never recommended', async () => {
  const old = ['r0', 'r1', 'r2'].map((repository): Act => ({ user: 'ann', repository, class: 'human' }));
  const newest = Array.from({ length: 600 }, (): Act => ({ user: 'ann', repository: 'r3', class: 'human' }));
  const others = ['r0', 'r1', 'r2', 'r3', 'r4'].map((repository): Act => ({ user: 'bob', repository, class: 'human' }));
  const history = [...old, ...others, ...newest];
  for (const service of [undefined, trained(history)]) {
    const { forUser } = await door(history, service);
    assert.deepEqual(
      (await forUser([['user', 'ann']])).map(({ repository }) => repository),
      ['r4'],
    );
  }
});

test('a user with more pulls than a request reads is recommended what is new to them, also after old events expired', async () => {
  const pull = (user: string, repository: string): Act => ({ user, repository, class: 'human' });
  const newest = Array.from({ length: 600 }, () => pull('ann', 'r3'));
  const others = ['r0', 'r1', 'r3', 'r4'].map((repository) => pull('bob', repository));
  const scanned: Act = { user: 'ann', repository: 'r1', class: 'scanner' };
  const history = [pull('zed', 'r4'), pull('ann', 'r0'), scanned, ...others, ...newest];
  const { events, forUser } = await door(history, trained(history));
  const recommended = async () => (await forUser([['user', 'ann']])).map(({ repository }) => repository);
  assert.deepEqual(await recommended(), ['r4']);
  // All pairs then have a version, whether or not they have pulls.
  await events.expire(timeOf(0) + 1);
  assert.ok((await events.version('ann', 'r4')) > 0);
  assert.deepEqual(await recommended(), ['r4']);
});

test('a repository that nobody else pulled is not a reason: the list has popular ones', async () => {
  const pull = (user: string, repository: string): Act => ({ user, repository, class: 'human' });
  const others = ['ann', 'bob', 'cid'].flatMap((user) => ['a', 'b', 'c'].map((repository) => pull(user, repository)));
  const alone = [...others, pull('dan', 'own/image')];
  const { forUser, forList } = await door(alone, trained(alone));
  const sources = (items: Item[]) => new Set(items.map(({ source }) => source));
  assert.deepEqual(sources(await forUser([['user', 'dan']])), new Set(['trending']));
  assert.deepEqual(sources(await forList({ repositories: ['own/image'] })), new Set(['trending']));
  const joined = [...alone, pull('dan', 'a')];
  const [first] = await (await door(joined, trained(joined))).forUser([['user', 'dan']]);
  assert.equal(first.source, 'als');
});

test('without a readable model, the list that training saved is served', async () => {
  const pull = (user: string, repository: string): Act => ({ user, repository, class: 'human' });
  const acts = ['a', 'b', 'c', 'd', 'e'].map((repository) => pull('ann', repository));
  const { forUser, search } = await door([...acts, pull('bob', 'a')]);
  const items = ['deleted', 'c', 'a', 'b'].map((repository, at) => ({ repository, score: 1 - at / 10 }));
  await search.saveRecommendations([{ user: 'bob', model: 'm', items }]);
  const list = await forUser([
    ['user', 'bob'],
    ['exclude', 'b'],
  ]);
  assert.deepEqual(
    list.map(({ repository, source, because }) => [repository, source, because.length]),
    [
      ['c', 'als', 0],
      ['d', 'popular', 0],
      ['e', 'popular', 0],
    ],
  );
});

test('similar images exist, and have a positive similarity', async () => {
  const factors = {
    base: [1, 0],
    near: [1, 0.5],
    nearest: [1, 0.1],
    deleted: [1, 0],
    unlike: [0, 1],
    opposite: [-1, 0],
  };
  const items = Object.keys(factors);
  const model = {
    ...plainAls,
    ...alsDefaults,
    rank: 2,
    items,
    factors: Float32Array.from(Object.values(factors).flat()),
  };
  const there = items.filter((name) => name !== 'deleted');
  const { similarTo } = await door(community('c', there), serviceOf(model, { id: 'm1', trainedAt: 0 } as Card));
  assert.deepEqual(await similarTo('base'), ['nearest', 'near']);
  assert.deepEqual(await similarTo('unlike'), ['near', 'nearest']);
  assert.deepEqual(await similarTo('opposite'), []);
});

const pull = (user: string, repository: string): Act => ({ user, repository, class: 'human' });

test('neither one user pulling in a loop nor thousands of anonymous pulls put a repository at the top of a list', async () => {
  const acts = [
    ...Array.from({ length: 300 }, () => pull('loop', 'in a loop')),
    ...Array.from({ length: 300 }, () => pull('', 'anonymous')),
    ...['ann', 'bob', 'cid'].flatMap((user) => [pull(user, 'app'), pull(user, 'base')]),
  ];
  for (const service of [undefined, trained(acts)])
    for (const user of ['a stranger', 'ann', 'loop'])
      for (const days of [0, 40]) {
        const items = await (await door(acts, service, days)).forUser([['user', user]]);
        const names = items.map(({ repository }) => repository);
        assert.ok(!names.includes('anonymous'), 'no named user pulled it');
        assert.ok(names.indexOf('in a loop') <= 0 || names.at(-1) === 'in a loop');
        if (user !== 'ann') assert.deepEqual(names.slice(0, 2).sort(), ['app', 'base']);
        assert.ok(items.every(({ pulledBy }) => pulledBy > 0));
      }
});

test("six hundred repeated pulls of a base image do not change a user's recommendations", async () => {
  const others = [
    ...community('e', ['elk/logstash', 'elk/elasticsearch', 'elk/kibana']),
    ...community('s', ['spark', 'hadoop', 'hive', 'base']),
  ];
  const own = [pull('ann', 'elk/logstash'), pull('ann', 'base')];
  const service = trained([...others, ...own]);
  const listOf = async (acts: Act[]) => (await door(acts, service)).forUser([['user', 'ann']]);
  const before = await listOf([...others, ...own]);
  const repeats = Array.from({ length: 600 }, () => pull('ann', 'base'));
  const after = await listOf([...others, ...own, ...repeats]);
  assert.ok(before.length >= 4 && before[0].source === 'als');
  assert.deepEqual(
    after.map(({ repository, source, because }) => [repository, source, because]),
    before.map(({ repository, source, because }) => [repository, source, because]),
  );
});

test('a deleted repository is in no list once the catalogue was read again', async () => {
  const acts = community('c', ['kept', 'deleted', 'own']);
  const service = trained(acts);
  const { forUser, similarTo, search, tick } = await door([...acts, pull('ann', 'own')], service);
  const names = async () => (await forUser([['user', 'ann']])).map(({ repository }) => repository).sort();
  assert.deepEqual(await names(), ['deleted', 'kept']);
  const gone = { ...eventOf(pull('owner', 'deleted'), 10_000), action: 'delete' as const, kind: 'other' as const };
  const doc = {
    ...gone,
    tag: undefined,
    time: timeOf(10_000),
    addressDigests: [],
    country: '',
    client: '',
    origin: '',
  };
  await search.write([{ kind: 'event', id: 'gone', version: 0, doc: { ...doc, class: 'human' } }]);
  tick(2000);
  assert.deepEqual(await names(), ['kept']);
  assert.deepEqual(await similarTo('own'), ['kept']);
});

test('similar repositories need at least two common users, and the response says so', async () => {
  const acts = [pull('ann', 'a'), pull('ann', 'b'), pull('bob', 'c'), pull('bob', 'd')];
  const { forUser, similar } = await door(acts, trained(acts));
  for (const repository of ['a', 'b', 'c']) {
    const { items, note } = await similar(repository);
    assert.deepEqual(items, []);
    assert.match(note ?? '', /too few to know/);
  }
  const { items, note } = await forUser.whole([['user', 'ann']]);
  assert.deepEqual(new Set(items.map(({ source }) => source)), new Set(['popular']));
  assert.match(note ?? '', /None of these repositories had been pulled by 2 users/);
});

test('repositories that only one user pulled together are not similar, however many users pulled either', async () => {
  const alone = [pull('ann', 'a'), pull('ann', 'b'), pull('bob', 'a'), pull('cid', 'b')];
  for (const kind of ['als', 'ease', 'knn', 'blend'] as const) {
    const { similarTo } = await door(alone, trained(alone, kind));
    assert.deepEqual(await similarTo('a'), [], kind);
    const both = [...alone, pull('dan', 'a'), pull('dan', 'b')];
    const { similar } = await door(both, trained(both, kind));
    const { items, note } = await similar('a');
    assert.deepEqual(
      items.map(({ repository, shared }) => [repository, shared]),
      [['b', 2]],
      kind,
    );
    assert.equal(note, undefined);
  }
  // A model that lists them as neighbours anyway is ignored.
  const neighbours = {
    ...{ starts: Uint32Array.of(0, 1, 2), columns: Uint32Array.of(1, 0), shared: Uint32Array.of(1, 1) },
    similarities: Float32Array.of(0.9, 0.9),
  };
  const model = { kind: 'popular' as const, items: ['a', 'b'], scores: Float32Array.of(2, 2), neighbours };
  const { similarTo } = await door(alone, serviceOf(model, { id: 'm', trainedAt: 0 } as Card));
  assert.deepEqual(await similarTo('a'), []);
});

test('when popularity wins the competition, everybody gets its order, without what they pulled', async () => {
  const acts = community('p', ['a', 'b', 'c']);
  const scores = Float32Array.from([1, 3, 2]);
  const service = serviceOf({ kind: 'popular', items: ['a', 'b', 'c'], scores }, { id: 'm', trainedAt: 0 } as Card);
  const { forUser } = await door([...acts, pull('ann', 'b')], service);
  const names = async (user: string) => (await forUser([['user', user]])).map(({ repository }) => repository);
  assert.deepEqual(await names('a stranger'), ['b', 'c', 'a']);
  assert.deepEqual(await names('ann'), ['c', 'a']);
});

test('a list has an id, and is stored once a day for users with pulls, not for unknown names', async () => {
  const acts = community('c', ['x', 'y', 'z']);
  const { forUser, search, tick } = await door([...acts, pull('ann', 'x')], trained(acts));
  const { id, items } = await forUser.whole([['user', 'ann']]);
  const kept = await search.shown('ann');
  assert.equal(kept?.list, id);
  assert.deepEqual(
    kept?.items.map(({ repository, source }) => [repository, source]).sort(),
    items.map(({ repository, source }) => [repository, source]).sort(),
  );
  assert.equal((await forUser.whole([['user', 'ann']])).id, id, 'the same list has the same id');
  tick(60_000);
  await forUser([['user', 'ann']]);
  assert.deepEqual(await search.shown('ann'), kept, 'once a day');
  for (let n = 0; n < 20; n++) await forUser([['user', `stranger ${n}`]]);
  const all = [];
  for await (const list of search.allShown()) all.push(list.user);
  assert.deepEqual(all, ['ann']);
});
