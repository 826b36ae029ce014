import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '#core/bytes/random.ts';
import type { Entry } from '#core/recommender/entries.ts';
import { decodeModel } from '#core/recommender/model-file.ts';
import { type Card, latestKey, modelKey } from '#core/recommender/model-list.ts';
import {
  type EventStore,
  type ObjectStore,
  type Pair,
  PreconditionFailed,
  type SavedRecommendations,
  type SearchStore,
  type ShownList,
} from '#core/stores.ts';
import { modelSource } from '#serve/recommender/models.ts';
import { recommendationRoutes } from '#serve/recommender/recommendations.ts';
import { fitSetting, seedAls } from '#train/candidates.ts';
import { publish, readLessons, type TrainOptions, train } from '#train/train.ts';

const day = 86_400_000;
const never = (cause: unknown) => assert.fail(String(cause));

function objects(clock: () => number): ObjectStore {
  const kept = new Map<string, { body: Uint8Array; etag: string; modified: number }>();
  let puts = 0;
  return {
    get: async (key) => kept.get(key),
    head: async () => assert.fail('not asked'),
    async put(key, body, { ifMatch, ifNoneMatch } = {}) {
      const found = kept.get(key);
      if ((ifNoneMatch && found) || (ifMatch && found?.etag !== ifMatch)) throw new PreconditionFailed(key);
      const etag = `${puts++}`;
      kept.set(key, {
        body: typeof body === 'string' ? new TextEncoder().encode(body) : body,
        ...{ etag, modified: clock() },
      });
      return { etag };
    },
    list: async (prefix) =>
      [...kept]
        .filter(([key]) => key.startsWith(prefix))
        .map(([key, { etag, modified }]) => ({ key, etag, size: 0, modified })),
    async remove(keys) {
      for (const key of keys) kept.delete(key);
    },
  };
}

/** A world to train on, whose pulls a test may change between trainings. */
function world(pairs: Pair[]) {
  const saved = new Map<string, SavedRecommendations>();
  const search: Partial<SearchStore> = {
    async *pairs({ to = Infinity }) {
      yield* now.pairs.filter(({ firstPull }) => firstPull < to);
    },
    async saveRecommendations(rows) {
      await now.beforeSaving?.();
      for (const row of rows)
        if (row.items.length > 0) saved.set(row.user, row);
        else saved.delete(row.user);
    },
    async *allShown() {
      yield* now.shown;
    },
    async saveShown(lists) {
      const gone = new Set(lists.map(({ user }) => user));
      now.shown = now.shown.filter(({ user }) => !gone.has(user));
    },
  };
  const now: { pairs: Pair[]; time: number; shown: ShownList[]; beforeSaving?: () => unknown } = {
    ...{ pairs, time: 1000 * day, shown: [] },
  };
  const store = objects(() => now.time);
  let ids = 0;
  // No tuning: each family of models competes with its first settings.
  const options = (more: Partial<TrainOptions> = {}): TrainOptions => {
    const clock = () => now.time;
    return {
      ...{ search: search as SearchStore, objects: store, clock, newId: () => `id${ids++}`, seed: 3 },
      ...{ budgetSeconds: 0, ...more },
    };
  };
  return {
    ...{ now, saved, store, options },
    models: modelSource(store, () => Infinity, never),
    train: (more?: Partial<TrainOptions>) => train(options(more)),
  };
}

/** Groups of repositories whose users pull most of their own group's, and none of the others'. */
function communities(people: number, groups: number, images: number, seed: number): Pair[] {
  const random = seeded(seed);
  return Array.from({ length: people }, (_, user) =>
    Array.from({ length: images }, (_, image) => {
      const pulls = 1 + Math.floor(random() * 5);
      const firstPull = Math.floor(random() * 900) * day;
      return {
        ...{ user: `user${user}`, repository: `group${user % groups}/image${image}` },
        ...{ pulls, firstPull, lastPull: firstPull + pulls * day },
      };
    }).filter(() => random() < 0.7),
  ).flat();
}

/** Random pulls: none says anything about another. */
function noise(people: number, images: number): Pair[] {
  const random = seeded(9);
  return Array.from({ length: people * 8 }, (_, n) => ({
    user: `user${n % people}`,
    repository: `image${Math.floor(random() ** 3 * images)}#${n >= people * 8 ? 1 : 0}`,
    pulls: 1,
    firstPull: n,
    lastPull: n,
  })).filter(
    ({ user, repository }, at, all) =>
      all.findIndex((one) => one.user === user && one.repository === repository) === at,
  );
}

const candidate = (card: Card, name: string) => card.candidates!.find((one) => one.name === name)!;

test('in communities the best model beats popularity on both splits, random and by time, and is put in service', async () => {
  const pairs = communities(120, 4, 12, 1);
  const { train, models, saved } = world(pairs);
  const card = await train();
  assert.equal(card.refused, undefined);
  assert.equal((await models.current())?.card.id, card.id);
  const [best, seed, popular] = [card.winner!, 'als-seed', 'popular'].map((name) => candidate(card, name));
  assert.equal(card.auc, seed.random!.auc);
  assert.equal(card.popularityAuc, popular.random!.auc);
  for (const by of ['random', 'byTime'] as const) {
    // Repositories of the user's own group that they did not pull can't be distinguished from held-out ones.
    assert.ok(seed[by]!.auc! > 0.92 && seed[by]!.auc! > popular[by]!.auc! + 0.1);
    assert.ok(best[by]!.ndcg! > popular[by]!.ndcg! + 0.2, `${best[by]!.ndcg} against ${popular[by]!.ndcg}`);
    assert.ok(best[by]!.recall! > 0.9 && best[by]!.coverage! > 0.5 && best[by]!.coverage! <= 1);
  }
  assert.ok(card.margin!.error > 0 && card.margin!.over !== card.winner);
  assert.match(card.why!, new RegExp(`^${card.winner} is .*NDCG@10 0\\.\\d+ on ${card.heldOut} held-out pulls`));
  assert.deepEqual(
    card.stages!.map(({ name }) => name),
    ['read', 'model in service', 'competition', 'what was followed', 'gate', 'fit', 'neighbours', 'lists'],
  );
  const lacking = [...saved.values()].filter(({ user }) => pairs.filter((pair) => pair.user === user).length < 12);
  const own = lacking.filter(
    ({ user, items }) => items[0].repository.split('/')[0] === `group${Number(user.slice(4)) % 4}`,
  );
  assert.ok(own.length > 0.9 * lacking.length, `${own.length} of ${lacking.length} are shown their own group first`);
  assert.ok([...saved.values()].every(({ model }) => model === card.id));
  assert.ok(saved.size > 110, `${saved.size} have a list`);
});

test('the split by time holds out the newest tenth of first pulls, however often they were repeated since', async () => {
  const pairs = communities(40, 2, 12, 5);
  const newest = Math.max(...pairs.map(({ lastPull }) => lastPull));
  // Everybody has just repeated all their pulls: only first pulls say what was new.
  const { options } = world(pairs.map((pair) => ({ ...pair, lastPull: newest })));
  const { users, items, entries, byTime } = await readLessons(options());
  const first = new Map(pairs.map(({ user, repository, firstPull }) => [`${user} ${repository}`, firstPull]));
  const timesOf = (part: Iterable<Entry>) =>
    Array.from(part, ({ user, item }) => first.get(`${users[user]} ${items[item]}`)!);
  const { train, test } = byTime!;
  assert.equal(train.length + test.length, entries.length);
  assert.ok(test.length >= entries.length / 10 && test.length < entries.length / 8, `${test.length} held out`);
  assert.ok(Math.max(...timesOf(train)) < Math.min(...timesOf(test)));
});

test('with too few pulls to judge, popularity is served, and the card says so', async () => {
  const pair = (user: string, repository: string): Pair => {
    return { user, repository, pulls: 1, firstPull: 5, lastPull: 5 };
  };
  const empty = world([]);
  assert.match((await empty.train()).refused!, /no pulls to learn from yet/);
  assert.equal(await empty.models.current(), undefined);
  for (const pairs of [
    [pair('ann', 'a')],
    [pair('ann', 'a'), pair('ann', 'b')],
    [pair('ann', 'a'), pair('bob', 'a')],
    [pair('ann', 'a'), pair('bob', 'b'), pair('bob', 'a')],
    communities(18, 2, 8, 1),
  ]) {
    const { train, models, now } = world(pairs);
    const first = await train();
    assert.deepEqual([first.refused, first.kind], [undefined, 'popular']);
    assert.match(first.why!, /^too few pulls to tell: \d+ pulls of/);
    assert.equal((await models.current())?.model.personal, false);
    now.time += 60_000;
    const again = await train();
    assert.equal(again.refused, undefined);
    assert.notEqual(again.id, first.id);
  }
});

test('when pulls are random, no model worse than popularity is served', async () => {
  const { train, now, store } = world(communities(120, 4, 12, 1));
  await train();
  now.pairs = noise(200, 60);
  now.time += 60_000;
  const card = await train();
  const served = candidate(card, card.winner!).random!.ndcg!;
  assert.ok(served >= 0.995 * candidate(card, 'popular').random!.ndcg!);
  // The model in service knows none of these repositories: it is judged on the same pulls, and is replaced.
  assert.ok(served > candidate(card, 'in-service').random!.ndcg!);
  assert.equal(card.refused, undefined);
  const source = modelSource(store, () => now.time, never);
  assert.equal((await source.current())?.card.id, card.id);
});

test('the model in service stays if it predicted the pulls since its training better, and the page shows why', async () => {
  const pairs = communities(240, 4, 12, 1).map((pair) => ({ ...pair, firstPull: day, lastPull: day }));
  const { train, now, store, options } = world(pairs);
  const good = await train();
  const random = seeded(2);
  now.pairs = pairs.map((pair) => (random() < 0.25 ? { ...pair, firstPull: 1001 * day, lastPull: 1001 * day } : pair));
  now.time += 2 * day;
  // A training that shuffles its input.
  const worse = await publish(await readLessons(options()), seedAls(), {
    ...options(),
    fit: (setting, { byUser, ...training }) => {
      const columns = byUser.columns.map((column) => (column * 7 + 3) % training.items.length);
      return fitSetting(setting, { ...training, byUser: { ...byUser, columns } }, 1);
    },
  });
  assert.match(
    worse.refused!,
    new RegExp(`since model ${good.id} was trained, that one has NDCG@10 0\\.\\d+ and this`),
  );

  const routes = recommendationRoutes({
    ...{ models: modelSource(store, () => now.time, never), clock: () => now.time, report: never },
    ...{ events: {} as EventStore, search: {} as SearchStore },
  });
  const answer = (await (await routes.request('/v1/model')).json()) as Record<'current' | 'refused', Card>;
  assert.equal(answer.current.id, good.id);
  assert.equal(answer.refused.refused, worse.refused);
});

test('a model trained on few pulls does not prevent a better one', async () => {
  const { train, now, store } = world(communities(16, 4, 12, 1));
  await train();
  now.time += 1000;
  now.pairs = communities(240, 4, 12, 1);
  const card = await train();
  assert.equal(card.refused, undefined);
  assert.notEqual(card.kind, 'popular');
  assert.equal((await modelSource(store, () => now.time, never).current())?.card.id, card.id);
});

test('a pinned candidate is published, whichever is best', async () => {
  const { train, now, store } = world(communities(120, 4, 12, 1));
  for (const name of ['als-seed', 'als', 'knn', 'ease', 'blend', 'popular', 'popular-recent'] as const) {
    now.time += 1000;
    const card = await train({ model: name });
    assert.deepEqual([card.refused, card.winner, card.pinned], [undefined, name, true]);
    assert.match(card.why!, new RegExp(`^the owner chose ${name}`));
    const service = await modelSource(store, () => now.time, never).current();
    assert.equal(service?.model.kind, card.kind);
  }
  await assert.rejects(train({ model: 'svd' as 'als' }), /model is "svd": must be auto or one of als-seed, als/);
});

test('the list saved for a user equals the list that they are served', async () => {
  const pairs = communities(60, 4, 12, 2);
  for (const name of ['als-seed', 'als', 'knn', 'ease', 'blend'] as const) {
    const { train, models, saved } = world(pairs);
    const card = await train({ model: name });
    assert.equal(card.refused, undefined);
    const { model } = (await models.current())!;
    assert.ok(saved.size > 50);
    for (const { user, items } of saved.values()) {
      const own = pairs.filter((pair) => pair.user === user);
      const pulled = own.map(({ repository }) => model.index.get(repository)!);
      const taste = model.taste({ items: pulled, counts: own.map(({ pulls }) => pulls) });
      const list = taste.best(50, (item) => pulled.includes(item));
      // Saved in single precision: the same number of items and the same scores, in the same order wherever scores
      // differ.
      assert.equal(list.length, items.length);
      list.forEach(({ item, score }, at) => {
        assert.ok(Math.abs(score - items[at].score) < 1e-4, `${user}: ${score} is served, ${items[at].score} saved`);
        const place = items.findIndex(({ repository }) => repository === model.items[item]);
        assert.ok(Math.abs(items[place].score - score) < 1e-4, `${user}: ${model.items[item]}`);
      });
    }
  }
});

test("counts that are zero, negative, huge or not a number distort nobody's list", async () => {
  const pairs = communities(60, 4, 12, 2);
  const [zero, below, none, huge, endless] = [0, -3, Number.NaN, 1e300, Number.POSITIVE_INFINITY];
  const odd = [zero, below, none].map((pulls, at) => ({ ...pairs[at], repository: `odd${at}`, pulls }));
  for (const at of [0, 1]) {
    const days = [huge, endless][at];
    odd.push({ ...pairs[at], repository: `group0/image${at}`, pulls: days, days });
  }
  const given = new Map([...pairs, ...odd].map((pair) => [`${pair.user} ${pair.repository}`, pair]));
  for (const name of ['als-seed', 'als', 'knn', 'ease', 'blend'] as const) {
    const { train, saved, models } = world([...given.values()]);
    const card = await train({ model: name });
    assert.equal(card.refused, undefined, name);
    const { model } = (await models.current())!;
    assert.ok(!model.items.some((item) => item.startsWith('odd')), `${name} has a repository that was never pulled`);
    assert.ok(saved.size > 50);
    for (const { user, items } of saved.values())
      for (const { repository, score } of items) {
        assert.ok(Number.isFinite(score) && score > 0, `${name}: ${user} has ${repository} with ${score}`);
        assert.ok(!given.has(`${user} ${repository}`), `${name}: ${user} has pulled ${repository}`);
      }
  }
});

test('factors that overflow single precision are refused, with the fix', async () => {
  const { train, models } = world(communities(40, 4, 8, 1).map((pair) => ({ ...pair, pulls: 1e30 })));
  const card = await train({ als: { alpha: 1e38 }, model: 'als-seed' });
  assert.match(card.refused!, /overflow single precision: raise lambda \(0\.01\) or lower rank \(10\)/);
  assert.match(candidate(card, 'als-seed').skipped!, /overflow single precision/);
  assert.equal(await models.current(), undefined);
});

test('after a rollback the model stays in service until the owner lifts the rollback', async () => {
  const { train, now, store } = world(communities(40, 4, 8, 1));
  const first = await train();
  now.time += 30 * day;
  await train();
  const source = modelSource(store, () => now.time, never);
  now.time += day;
  await source.rollback(first.id);
  const list = JSON.parse(new TextDecoder().decode((await store.get(latestKey))!.body));
  assert.deepEqual([list.current, list.since, list.held], [first.id, now.time, true]);
  const served = async () => {
    now.time += 10_000;
    return (await source.current())?.card.id;
  };
  assert.equal(await served(), first.id);

  now.time += 30 * day;
  assert.match((await train()).refused!, /the owner rolled back to model/);
  assert.equal(await served(), first.id);
  await source.lift();
  await assert.rejects(source.lift(), /There is no rollback to lift/);
  assert.equal(await served(), first.id, 'lifting the rollback does not change the model by itself');
  const next = await train();
  assert.equal(next.refused, undefined);
  assert.equal(await served(), next.id);
});

test('of two concurrent trainings the first to end wins, and the other leaves nothing behind', async () => {
  const { options, store, models } = world(communities(40, 4, 8, 1));
  const lessons = await readLessons(options());
  const [one, two] = await Promise.allSettled([1, 2].map(() => publish(lessons, seedAls(), options())));
  const won = [one, two].filter(({ status }) => status === 'fulfilled') as PromiseFulfilledResult<Card>[];
  assert.equal(won.length, 1);
  assert.match(
    String(([one, two].find(({ status }) => status === 'rejected') as PromiseRejectedResult).reason),
    /another model was put in service/,
  );
  assert.equal((await models.current())?.card.id, won[0].value.id);
  const files = (await store.list('models/')).map(({ key }) => key).filter((key) => key.endsWith('.bin'));
  assert.deepEqual(files, [modelKey(won[0].value.id)]);
});

test('a damaged list of models is replaced by the next training', async () => {
  for (const damaged of ['{', '[]', 'null', '{"cards":null}']) {
    const { train, store, now } = world(communities(40, 4, 8, 1));
    await store.put(latestKey, damaged);
    const source = modelSource(store, () => now.time, never);
    assert.equal(await source.current(), undefined, damaged);
    const card = await train();
    now.time += 10_000;
    assert.equal((await source.current())?.card.id, card.id, damaged);
  }
});

test('the file of a training that failed is removed a day later', async () => {
  const { train, store, now } = world(communities(40, 4, 8, 1));
  await store.put(modelKey('failed'), 'x');
  now.time += day - 1;
  await train();
  assert.ok(await store.get(modelKey('failed')), 'the training may still be running');
  now.time += 2;
  await train();
  assert.equal(await store.get(modelKey('failed')), undefined);
});

test('a user forgotten during training does not come back with the saved lists', async () => {
  const { train, saved, now } = world(communities(40, 4, 8, 1));
  const forget = () => {
    now.pairs = now.pairs.filter(({ user }) => user !== 'user7');
    saved.delete('user7');
  };
  now.beforeSaving = () => {
    now.beforeSaving = undefined;
    forget();
  };
  await train();
  assert.ok(saved.has('user8'));
  assert.ok(!saved.has('user7'));
});

test('a model too large for memory is refused with the reason, and the page shows it', async () => {
  const { train, models } = world(communities(40, 4, 8, 1));
  const good = await train();
  const als = { rank: 4096, iterations: 1 };
  const card = await train({ als, model: 'als-seed' });
  assert.match(
    card.refused!,
    /rank 4096 need \d+\.\d GiB, more than the 4 GiB .*: lower the rank, or train with Spark/,
  );
  assert.equal((await models.current())?.card.id, good.id);
  const others = await train({ als });
  assert.equal(others.refused, undefined, 'the other candidates still compete');
  assert.match(candidate(others, 'als-seed').skipped!, /lower the rank/);
});

test('an invalid training setting is named', async () => {
  const { train } = world(communities(40, 4, 8, 1));
  await assert.rejects(train({ als: { rank: 0 } }), /rank is 0: must be an integer from 1 to 4096/);
  await assert.rejects(train({ als: { lambda: Number.NaN } }), /lambda is NaN: must be above 0/);
});

test('the last five models are kept, and a rollback to any of them works', async () => {
  const { train, models, now, store } = world(communities(40, 4, 8, 1));
  const cards: Card[] = [];
  for (let n = 0; n < 7; n++) {
    now.time += 1000;
    cards.unshift(await train());
  }
  const kept = cards.slice(0, 5).map(({ id }) => id);
  assert.deepEqual(
    (await store.list('models/'))
      .map(({ key }) => key)
      .filter((key) => key.endsWith('.bin'))
      .sort(),
    kept.map((id) => `models/${id}/model.bin`).sort(),
  );
  const fresh = () => modelSource(store, () => now.time, never);
  assert.equal((await models.rollback()).id, kept[1]);
  assert.equal((await fresh().current())?.card.id, kept[1]);
  assert.equal((await models.rollback()).id, kept[2]);
  assert.equal((await models.rollback(kept[4])).id, kept[4]);
  await assert.rejects(models.rollback(), /no model before/);
  await assert.rejects(models.rollback(cards[6].id), /is kept/);
  const found = await store.get(`models/${kept[4]}/model.bin`);
  assert.equal(decodeModel(found!.body).items.length, 32);
});

test('an unreadable model is not put in service, and the last good one stays', async () => {
  const { train, now, store } = world(communities(40, 4, 8, 1));
  const reports: string[] = [];
  let time = 0;
  const source = modelSource(
    store,
    () => time,
    (cause) => reports.push(String(cause)),
  );
  const first = await train();
  assert.equal((await source.current())?.card.id, first.id);
  now.time += 1000;
  const second = await train();
  await store.put(`models/${second.id}/model.bin`, 'torn');
  time += 1000;
  assert.equal((await source.current())?.card.id, first.id);
  assert.match(reports.join(), /not a model file/);
});

test('the card counts, by source, how many shown repositories were pulled afterwards; lists of forgotten users are removed', async () => {
  const pairs = communities(40, 2, 12, 5);
  const { now, train } = world(pairs);
  const [one, two] = pairs.filter(({ user }) => user === 'user3').sort((a, b) => b.firstPull - a.firstPull);
  const shown = (repository: string, source: string, at: number) => ({ repository, source, from: at, to: at });
  now.time = one.firstPull + 2 * day;
  now.shown = [
    {
      ...{ user: 'user3', list: 'a' },
      items: [
        shown(one.repository, 'ease', one.firstPull - day),
        shown(two.repository, 'popular', now.time - day),
        shown('never pulled', 'ease', now.time - day),
      ],
    },
    { user: 'forgotten', list: 'b', items: [shown('x', 'ease', now.time)] },
  ];
  two.firstPull = Math.min(two.firstPull, now.time - 3 * day);
  const card = await train();
  assert.deepEqual(card.followed, { ease: { shown: 2, followed: 1 }, popular: { shown: 1, followed: 0 } });
  assert.deepEqual(
    now.shown.map(({ user }) => user),
    ['user3'],
  );
});

test('after each training search sums its documents; a failure of that is logged and fails no training', async () => {
  const { options, now } = world(communities(40, 2, 6, 1));
  const summed: number[] = [];
  const lines: string[] = [];
  const { search } = options();
  const log = (text: string) => lines.push(text);
  const sumUp = async (at: number, mostMs?: number) => {
    summed.push(at);
    assert.equal(mostMs, 300_000);
    if (summed.length > 1) throw new Error('too busy');
    return { through: at - day };
  };
  const trained = () => train(options({ log, search: { ...search, sumUp } }));
  await trained();
  await trained();
  assert.deepEqual(summed, [now.time, now.time]);
  assert.deepEqual(
    lines.filter((line) => line.includes('summed')),
    ['pulls before 1972-09-26 are summed', 'pulls are not summed: Error: too busy'],
  );
});
