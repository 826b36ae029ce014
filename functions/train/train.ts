// Training: read the pulls by a search query, split, fit, score, refuse what is worse, publish.
import { type AlsOptions, alsDefaults, fit } from '#core/als.ts';
import { auc } from '#core/auc.ts';
import { encodeModel } from '#core/model.ts';
import { type Card, keepModels, latestKey, type ModelList, readModels } from '#core/models.ts';
import { seeded } from '#core/random.ts';
import { compress, type Entry, indexPairs, split } from '#core/ratings.ts';
import { scoresOf, topN } from '#core/recommend.ts';
import type { ObjectStore, Pair, SavedRecommendations, SearchStore } from '#core/stores.ts';

export interface TrainOptions extends Partial<AlsOptions> {
  search: SearchStore;
  objects: ObjectStore;
  clock: () => number;
  newId: () => string;
  seed: number;
  /** Told what is being done, a line a step. */
  log?: (text: string) => void;
}

/** Share of the pairs held out to score a model by. */
const testShare = 0.1;
/** A model may score this much less than the one in service: one split's luck is about as large. */
const tolerance = 0.02;
const saved = 50;

/** Trains and publishes one model; answers its card. `refused` on the card says why it was not put in service. */
export async function train(options: TrainOptions): Promise<Card> {
  const { search, objects, clock, newId, seed, log = () => {} } = options;
  const als: AlsOptions = { ...alsDefaults, ...pick(options) };
  const began = clock();
  const pairs: Pair[] = [];
  for await (const pair of search.pairs({ classes: ['human', 'cluster'] })) pairs.push({ ...pair });
  const { users, items, entries } = indexPairs(pairs);
  log(`${entries.length} pairs of ${users.length} people and ${items.length} images`);

  const score = evaluate(entries, users.length, items.length, als, seed);
  const factors = fit(entries, users.length, items.length, als, seeded(seed));
  log(`AUC ${score.auc?.toFixed(3) ?? 'unknown'}, by popularity ${score.popularityAuc?.toFixed(3) ?? 'unknown'}`);

  const { list, etag } = await readModels(objects);
  const card: Card = {
    id: `${began.toString(36)}-${newId().slice(0, 8)}`,
    trainedAt: began,
    ...als,
    seed,
    people: users.length,
    images: items.length,
    pairs: entries.length,
    ...score,
    seconds: (clock() - began) / 1000,
  };
  const refused = refusal(card, list);
  if (refused) {
    log(`not published: ${refused}`);
    return { ...card, refused };
  }

  await objects.put(`models/${card.id}/model.bin`, encodeModel({ ...als, items, factors: factors.items }), {
    ifNoneMatch: '*',
  });
  const next: ModelList = { current: card.id, cards: [card, ...list.cards].slice(0, keepModels) };
  await objects.put(latestKey, JSON.stringify(next), etag ? { ifMatch: etag } : { ifNoneMatch: '*' });
  await objects.remove(list.cards.slice(keepModels - 1).map(({ id }) => `models/${id}/model.bin`));
  await saveRecommendations();
  log(`published ${card.id}`);
  return card;

  async function saveRecommendations(): Promise<void> {
    const byUser = compress(
      entries,
      users.length,
      ({ user }) => user,
      ({ item }) => item,
    );
    let batch: SavedRecommendations[] = [];
    for (let user = 0; user < users.length; user++) {
      const pulled = new Set(byUser.columns.subarray(byUser.starts[user], byUser.starts[user + 1]));
      const scores = scoresOf(
        { rank: als.rank, items: factors.items },
        factors.users.subarray(user * als.rank, (user + 1) * als.rank),
      );
      const best = topN(scores, saved, (item) => pulled.has(item));
      batch.push({
        user: users[user],
        model: card.id,
        items: best.map(({ item, score }) => ({ repository: items[item], score })),
      });
      if (batch.length === 1000 || user === users.length - 1) {
        await search.saveRecommendations(batch);
        batch = [];
      }
    }
  }
}

function pick({ rank, iterations, lambda, alpha }: Partial<AlsOptions>): Partial<AlsOptions> {
  return Object.fromEntries(
    Object.entries({ rank, iterations, lambda, alpha }).filter(([, value]) => value !== undefined),
  );
}

/** Fits on 90 %, scores on the rest: by the model, and by popularity alone. */
function evaluate(entries: Entry[], users: number, items: number, als: AlsOptions, seed: number) {
  const { train, test } = split(entries, testShare, seeded(seed));
  const factors = fit(train, users, items, als, seeded(seed));
  const popularity = new Float32Array(items);
  for (const { item } of train) popularity[item]++;
  const pulled = new Map(
    [...Map.groupBy(entries, ({ user }) => user)].map(([user, own]) => [user, new Set(own.map(({ item }) => item))]),
  );
  const of = (user: number) => pulled.get(user) ?? new Set<number>();
  const byModel = (user: number) =>
    scoresOf({ rank: als.rank, items: factors.items }, factors.users.subarray(user * als.rank, (user + 1) * als.rank));
  return {
    auc: auc(test, items, of, byModel),
    popularityAuc: auc(test, items, of, () => popularity),
    heldOut: test.length,
  };
}

/** A worse model than the one in service stays out, unless it was scored on too little to tell. */
function refusal(card: Card, { cards, current }: ModelList): string | undefined {
  if (card.images === 0) return 'there are no pulls to learn from yet';
  const enough = 100;
  if (card.auc === undefined || card.heldOut < enough) return;
  const inService = cards.find(({ id }) => id === current);
  if (inService?.auc !== undefined && inService.heldOut >= enough && card.auc < inService.auc - tolerance)
    return `its AUC ${card.auc.toFixed(3)} is below ${inService.auc.toFixed(3)} of the model in service`;
}
