// Training: read the pulls by a search query, split, fit, score, refuse what is worse, publish.

import { seeded } from '#core/bytes/random.ts';
import { taughtClasses as classes } from '#core/event.ts';
import { type AlsOptions, checkedAls } from '#core/recommender/als.ts';
import { encodeModel, plainAls } from '#core/recommender/model-file.ts';
import {
  type Card,
  keepModels,
  latestKey,
  type ModelList,
  modelKey,
  readModels,
  refusedKey,
} from '#core/recommender/model-list.ts';
import { compress, type Entry, indexPairs, split } from '#core/recommender/ratings.ts';
import type { ItemModel } from '#core/recommender/recommend.ts';
import {
  type ObjectStore,
  type Pair,
  PreconditionFailed,
  type SavedRecommendations,
  type SearchStore,
} from '#core/stores.ts';
import { evaluate } from './evaluate.ts';
import { fitEntries as fit, foldIn } from './kernel.ts';
import { topLists } from './top.ts';

export interface TrainOptions {
  /** Default: alsDefaults. */
  als?: Partial<AlsOptions>;
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
/** Fewer held-out pairs than this tell nothing: a young catalogue gets its model all the same. */
const enoughHeldOut = 100;
/** After a week in service, a model keeps no other out. */
const oldMs = 7 * 86_400_000;
/** A model's file that no card names is of a training that is still under way, or of one that failed. */
const underWayMs = 24 * 3_600_000;
const saved = 50;

/** What there is to learn from, and how it is split to judge what was learned. */
export interface Lessons {
  /** Milliseconds since the epoch. */
  began: number;
  seed: number;
  users: string[];
  items: string[];
  entries: Entry[];
  /** A tenth held out by chance. */
  random: Split;
  /** Held out: the newest tenth of the pairs by their first pull. Not there where all are of one time. */
  byTime?: Split;
}

export interface Split {
  train: Entry[];
  test: Entry[];
}

/** What is fitted: everything, and what is learned from in each split. */
export type Part = 'all' | 'random' | 'byTime';

/** Trains and publishes one model; answers its card. `refused` on the card says why it was not put in service. */
export async function train(options: TrainOptions): Promise<Card> {
  const als = checkedAls(options.als ?? {});
  const lessons = await readLessons(options);
  const { users, items, seed } = lessons;
  const fitPart = (part: Part) => {
    const entries = part === 'all' ? lessons.entries : (lessons[part]?.train ?? []);
    return fit(entries, users.length, items.length, als, seeded(seed));
  };
  return publish(lessons, als, fitPart, options);
}

/** Reads the pulls, and splits them. */
export async function readLessons({ search, clock, seed, log = () => {} }: TrainOptions): Promise<Lessons> {
  const began = clock();
  const pairs: Pair[] = [];
  for await (const pair of search.pairs({ classes })) pairs.push({ ...pair });
  const { users, items, entries } = indexPairs(pairs);
  log(`${entries.length} pairs of ${users.length} people and ${items.length} images`);
  const lessons = { began, seed, users, items, entries, random: split(entries, testShare, seeded(seed)) };

  const times = Float64Array.from(pairs, ({ firstPull }) => firstPull).sort();
  const from = times[Math.floor(times.length * (1 - testShare))];
  if (from === undefined || from === times[0]) return lessons;
  const userIndex = new Map(users.map((user, at) => [user, at]));
  const itemIndex = new Map(items.map((item, at) => [item, at]));
  const earlier: Entry[] = [];
  for await (const { user, repository, pulls } of search.pairs({ classes, to: from })) {
    const entry = { user: userIndex.get(user), item: itemIndex.get(repository), value: pulls };
    // A person or image may have come between the two readings, or left.
    if (entry.user !== undefined && entry.item !== undefined) earlier.push(entry as Entry);
  }
  const later = entries.filter((_, at) => pairs[at].firstPull >= from);
  return { ...lessons, byTime: { train: earlier, test: later } };
}

/**
 * Judges a fit, and puts its model in service unless it is worse; answers the model's card. A model is its images'
 * factors: people's follow from their pulls.
 */
export async function publish(
  lessons: Lessons,
  als: AlsOptions,
  fitPart: (part: Part) => ItemModel,
  { search, objects, clock, newId, log = () => {} }: Omit<TrainOptions, 'seed'>,
): Promise<Card> {
  const { began, seed, users, items, entries } = lessons;
  const { score, model, tooLarge } = fitted(lessons, als, fitPart);
  const few = score.heldOut < enoughHeldOut ? ` on ${score.heldOut} held-out pairs, too few to tell` : '';
  log(`AUC ${score.auc?.toFixed(3) ?? 'unknown'}, by popularity ${score.popularityAuc?.toFixed(3) ?? 'unknown'}${few}`);

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
  const refused = tooLarge ?? refusal(card, list, model);
  if (refused) {
    log(`not published: ${refused}`);
    if (card.images > 0) await objects.put(refusedKey, JSON.stringify({ ...card, refused }));
    return { ...card, refused };
  }

  await objects.put(modelKey(card.id), encodeModel({ ...plainAls, ...als, items, factors: model.items }), {
    ifNoneMatch: '*',
  });
  const cards = [card, ...list.cards];
  const next: ModelList = { current: card.id, since: clock(), cards: cards.slice(0, keepModels) };
  try {
    await objects.put(latestKey, JSON.stringify(next), etag ? { ifMatch: etag } : { ifNoneMatch: '*' });
  } catch (cause) {
    if (!(cause instanceof PreconditionFailed)) throw cause;
    await objects.remove([modelKey(card.id)]);
    throw new Error('another model was put in service while this one was trained: train again', { cause });
  }
  await removeOthers();
  await saveRecommendations();
  log(`published ${card.id}`);
  return card;

  /** The files of models that can't be gone back to any more, and what failed trainings left. */
  async function removeOthers(): Promise<void> {
    const dropped = new Set(cards.slice(keepModels).map(({ id }) => modelKey(id)));
    const kept = new Set(next.cards.map(({ id }) => modelKey(id)));
    const files = (await objects.list('models/')).filter(({ key }) => key.endsWith('/model.bin') && !kept.has(key));
    const old = files.filter(({ key, modified }) => dropped.has(key) || clock() - modified > underWayMs);
    await objects.remove(old.map(({ key }) => key));
  }

  async function saveRecommendations(): Promise<void> {
    const byUser = compress(
      entries,
      users.length,
      ({ user }) => user,
      ({ item }) => item,
    );
    const batch: SavedRecommendations[] = [];
    const save = async (row: SavedRecommendations) => {
      if (batch.push(row) === 1000) await search.saveRecommendations(batch.splice(0));
    };
    const best = topLists({ ...model, users: foldIn(byUser, model, als) }, byUser, saved);
    for (const [at, user] of users.entries()) {
      const list = Array.from({ length: best.counts[at] }, (_, place) => ({
        repository: items[best.items[at * saved + place]],
        score: best.scores[at * saved + place],
      }));
      await save({ user, model: card.id, items: list.filter(({ score }) => score > 0) });
    }
    await search.saveRecommendations(batch.splice(0));
    // Who was forgotten meanwhile must not come back: after this reading, forgetting finds the list itself.
    const known = new Set<string>();
    for await (const { user } of search.pairs({ classes })) known.add(user);
    for (const user of users) if (!known.has(user)) await save({ user, model: card.id, items: [] });
    await search.saveRecommendations(batch);
  }
}

/** What no memory holds is a reason to refuse and no failure: the next training would end the same. */
function fitted(
  lessons: Lessons,
  als: AlsOptions,
  fitPart: (part: Part) => ItemModel,
): { score: Pick<Card, 'auc' | 'popularityAuc' | 'heldOut' | 'evaluation'>; model: ItemModel; tooLarge?: string } {
  try {
    return { score: judge(lessons, als, fitPart), model: fitPart('all') };
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    const none = { rank: als.rank, items: new Float32Array() };
    return { score: { heldOut: lessons.random.test.length }, model: none, tooLarge: cause.message };
  }
}

/** Judged on what each split held out. */
function judge({ seed, users, items, random, byTime }: Lessons, als: AlsOptions, fitPart: (part: Part) => ItemModel) {
  const score = (part: 'random' | 'byTime', held: Split) =>
    evaluate({ users: users.length, items: items.length, ...held }, fitPart(part), als, seed);
  const evaluation = { random: score('random', random), ...(byTime ? { byTime: score('byTime', byTime) } : {}) };
  const { als: model, popular } = evaluation.random;
  return { auc: model.auc, popularityAuc: popular.auc, heldOut: random.test.length, evaluation };
}

/**
 * Worse than popularity, or than the model in service, stays out; unless it was scored on too little to tell. A world
 * that became harder for every model lowers both AUCs: what counts then is the lead over popularity. And no model
 * keeps its successors out for ever.
 */
export function refusal(card: Card, { cards, current, since, held }: ModelList, model: ItemModel): string | undefined {
  if (card.images === 0) return 'there are no pulls to learn from yet';
  if (held)
    return `the owner went back to model ${current}: DELETE /v1/model/rollback lets training put others in service again`;
  // Judged, but without a score: it was a split's model that was not finite.
  const judged = card.auc !== undefined || card.popularityAuc === undefined;
  if (!judged || !model.items.every(Number.isFinite))
    return `its factors are past single precision: raise lambda (${card.lambda}) or lower rank (${card.rank})`;
  if (card.auc === undefined || card.popularityAuc === undefined || card.heldOut < enoughHeldOut) return;
  if (card.auc < card.popularityAuc)
    return `its AUC ${card.auc.toFixed(3)} is below ${card.popularityAuc.toFixed(3)} of mere popularity`;
  const inService = cards.find(({ id }) => id === current);
  if (inService?.auc === undefined || inService.popularityAuc === undefined || inService.heldOut < enoughHeldOut)
    return;
  if (card.trainedAt - (since ?? inService.trainedAt) > oldMs) return;
  const lead = card.auc - card.popularityAuc;
  const leadInService = inService.auc - inService.popularityAuc;
  if (card.auc < inService.auc - tolerance && lead < leadInService - tolerance)
    return `its AUC ${card.auc.toFixed(3)} is below ${inService.auc.toFixed(3)} of the model in service`;
}
