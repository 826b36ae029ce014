import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alsDefaults } from '#core/recommender/als.ts';
import { encodeModel, plainAls } from '#core/recommender/model-file.ts';
import { type Card, latestKey, type ModelList, readModels, refusedKey } from '#core/recommender/model-list.ts';
import type { ObjectStore } from '#core/stores.ts';
import { modelSource } from '#serve/recommender/models.ts';
import { type Gate, memoryObjects, open } from '../../support/memory-stores.ts';

const cardOf = (id: string, trainedAt: number) => ({ id, trainedAt }) as Card;

/** A store of these models; the last one is the newest and in service. */
async function world(...ids: string[]) {
  const state = { now: 0 };
  const clock = () => state.now;
  const { through } = memoryObjects(clock);
  const store = through(open);
  const never = (cause: unknown) => assert.fail(String(cause));
  const train = async (id: string, trainedAt: number) => {
    const { list } = await readModels(store);
    const model = { ...plainAls, ...alsDefaults, rank: 1, items: [id], factors: new Float32Array([1]) };
    await store.put(`models/${id}/model.bin`, encodeModel(model));
    const next: ModelList = { current: id, cards: [cardOf(id, trainedAt), ...list.cards] };
    await store.put(latestKey, JSON.stringify(next));
  };
  for (const [at, id] of ids.entries()) await train(id, at);
  return { state, store, train, source: (gate: Gate = open) => modelSource(through(gate), clock, never) };
}
const inService = async (store: ObjectStore) => (await readModels(store)).list.current;

test('after a rollback that model serves from then on, also when the pointer was just being read', async () => {
  for (const underWay of [false, true]) {
    const { state, source } = await world('one', 'two');
    let hold: Promise<void> | undefined;
    const gate: Gate = async (_name, effect) => {
      const found = effect();
      await hold;
      return found;
    };
    const models = source(gate);
    assert.equal((await models.current())?.card.id, 'two');
    const release = Promise.withResolvers<void>();
    let early: Promise<unknown> | undefined;
    if (underWay) {
      state.now = 2000;
      hold = release.promise;
      early = models.current();
      hold = undefined;
    }
    assert.equal((await models.rollback()).id, 'one');
    const [service, { current }] = [await models.current(), await models.list()];
    assert.deepEqual([service?.card.id, service?.model.items, current], ['one', ['one'], 'one']);
    release.resolve();
    await early;
    assert.equal((await models.current())?.card.id, 'one');
    assert.equal((await models.list()).current, 'one');
  }
});

test('a rollback while a training ends loses neither model: it is applied to the newer list', async () => {
  const { store, train, source } = await world('one', 'two');
  let trained = false;
  const models = source(async (name, effect) => {
    if (name === 'put models' && !trained) {
      trained = true;
      await train('three', 3);
    }
    return effect();
  });
  assert.equal((await models.rollback()).id, 'two');
  const { list } = await readModels(store);
  assert.deepEqual([list.current, list.cards.map(({ id }) => id)], ['two', ['three', 'two', 'one']]);
});

test('if the store fails, the pointer stays unchanged and the error is returned', async () => {
  const { store, source } = await world('one', 'two');
  let fails = 1;
  const models = source(async (name, effect) => {
    if (name === 'put models' && fails-- > 0) throw new Error('down');
    return effect();
  });
  await assert.rejects(models.rollback(), /down/);
  assert.equal(await inService(store), 'two');
});

test('a refused model is reported until a later one is put in service', async () => {
  const { state, store, train, source } = await world('one');
  const models = source();
  const refused = async () => {
    state.now += 2000;
    return (await models.refused())?.id;
  };
  assert.equal(await refused(), undefined);
  await store.put(refusedKey, JSON.stringify(cardOf('bad', 5)));
  assert.equal(await refused(), 'bad');
  await train('two', 6);
  assert.equal(await refused(), undefined);
});
