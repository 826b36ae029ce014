// Training: read the pulls by a search query, split, let models compete, and publish the best one unless the model in
// service is better.

import { seeded } from '#core/bytes/random.ts';
import { taughtClasses as classes } from '#core/event.ts';
import type { AlsOptions } from '#core/recommender/als.ts';
import { scaledRows } from '#core/recommender/item-weights.ts';
import { decodeModel, encodeModel, type Model } from '#core/recommender/model-file.ts';
import {
  type CandidateName,
  type Card,
  candidateNames,
  cardInService,
  keepModels,
  latestKey,
  type ModelList,
  modelKey,
  readModels,
  refusedKey,
} from '#core/recommender/model-list.ts';
import { indexing, type Rows, release, rowsOf } from '#core/recommender/ratings.ts';
import { servedModel } from '#core/recommender/served.ts';
import { type ObjectStore, PreconditionFailed, type SavedRecommendations, type SearchStore } from '#core/stores.ts';
import { fitSetting, type Setting, seedAls, settingOf, shown } from './candidates.ts';
import {
  byFirstPull,
  compete,
  foldsOf,
  type InService,
  type Lessons,
  roundsFor,
  worseThanInService,
} from './compete.ts';
import { followed } from './followed.ts';
import { foldIn } from './kernel.ts';
import { neighboursOf } from './neighbours.ts';
import { endKernel } from './threads.ts';
import { topLists } from './top.ts';

export interface TrainOptions {
  /** Settings of the ALS that is always trained; default: alsDefaults. */
  als?: Partial<AlsOptions>;
  /** The candidate to publish: a name on the card, or the best (`auto`, the default). */
  model?: CandidateName | 'auto';
  /** Seconds that the competition may take; default 60. */
  budgetSeconds?: number;
  /** Seconds that search may take to sum its documents afterwards; default 300, which fits into a function's 900. */
  sumSeconds?: number;
  /** How much memory a fit may use; default 2 GB. */
  memoryBytes?: number;
  search: SearchStore;
  objects: ObjectStore;
  clock: () => number;
  newId: () => string;
  seed: number;
  /** Called with progress, a line a step. */
  log?: (text: string) => void;
}

/** A model file that no card names belongs to a training that still runs or failed; after this time it is removed. */
const underWayMs = 24 * 3_600_000;
const saved = 50;

/**
 * Trains and publishes one model; returns its card. `refused` on the card says why it was not put in service.
 *
 * @throws RangeError for settings of ALS that can't be fitted, or an unknown candidate.
 */
export async function train(options: TrainOptions): Promise<Card> {
  const { als, model = 'auto' } = options;
  const setting = seedAls(als);
  if (model !== 'auto' && !candidateNames.includes(model))
    throw new RangeError(`model is "${model}": must be auto or one of ${candidateNames.join(', ')}`);
  return publish(await readLessons(options), setting, options);
}

/** Reads the pulls, and splits them: in as many rounds as hold out enough pulls, or as many as given. */
export async function readLessons(
  { search, clock, seed, log = () => {} }: TrainOptions,
  rounds?: number,
): Promise<Lessons> {
  const began = clock();
  const { add, indexed } = indexing();
  for await (const pair of search.pairs({ classes })) if (pair.pulls > 0) add(pair);
  const { users, items, entries } = indexed();
  log(`${entries.length} pairs of ${users.length} users and ${items.length} repositories`);
  const read = (clock() - began) / 1000;
  const random = foldsOf(entries, rounds ?? roundsFor(entries.length), seeded(seed));
  const byTime = byFirstPull(entries);
  return { began, seed, users, items, entries, random, readSeconds: read, ...(byTime && { byTime }) };
}

type PublishOptions = Omit<TrainOptions, 'seed' | 'als'> &
  Partial<Pick<Parameters<typeof compete>[1], 'fit' | 'families'>>;

/**
 * Lets models compete, and puts the best in service unless the current one is better; returns the card. Then search sums
 * its documents, once a training; a failure is logged, as the next training sums again.
 */
export async function publish(lessons: Lessons, als: Setting, options: PublishOptions): Promise<Card> {
  const card = await publishBest(lessons, als, options).finally(endKernel);
  const { search, clock, log = () => {}, sumSeconds = 300 } = options;
  await search.sumUp?.(clock(), sumSeconds * 1000).then(
    ({ through }) => log(`pulls before ${new Date(through).toISOString().slice(0, 10)} are summed`),
    (cause) => log(`pulls are not summed: ${cause}`),
  );
  return card;
}

async function publishBest(lessons: Lessons, als: Setting, options: PublishOptions): Promise<Card> {
  const {
    search,
    objects,
    clock,
    newId,
    log = () => {},
    budgetSeconds = 60,
    memoryBytes = 2e9,
    model = 'auto',
  } = options;
  const { began, seed, users, items, entries } = lessons;
  const stages: { name: string; seconds: number }[] = [{ name: 'read', seconds: lessons.readSeconds }];
  let last = clock();
  const stage = (name: string) => {
    stages.push({ name, seconds: (clock() - last) / 1000 });
    last = clock();
  };
  const { list, etag } = await readModels(objects);
  const inService = await modelInService(list, objects, log);
  stage('model in service');
  const fit = options.fit ?? ((setting, training) => fitSetting(setting, training, seed));
  const outcome = compete(lessons, {
    ...{ als, budgetSeconds, memoryBytes, clock, log, inService, fit, families: options.families },
    ...(model === 'auto' ? {} : { pinned: model }),
  });
  stage('competition');
  const followedBySource = await followed(lessons, search, began);
  stage('what was followed');
  const { winner } = outcome;
  const scoresOf = (name: string) => outcome.candidates.find((candidate) => candidate.name === name);
  const card: Card = {
    id: `${began.toString(36)}-${newId().slice(0, 8)}`,
    trainedAt: began,
    ...alsOf(als),
    seed,
    people: users.length,
    images: items.length,
    pairs: entries.length,
    heldOut: outcome.heldOut,
    auc: scoresOf('als-seed')?.random?.auc,
    popularityAuc: scoresOf('popular')?.random?.auc,
    winner: winner.name,
    kind: winner.setting.kind,
    settings: shown(winner.setting),
    candidates: outcome.candidates,
    why: outcome.why,
    ...(outcome.margin && { margin: outcome.margin }),
    ...(model !== 'auto' && { pinned: true }),
    followed: followedBySource,
    stages,
    seconds: 0,
  };
  log(outcome.why);
  const refuse = async (refused: string) => {
    const done = { ...card, seconds: (clock() - began) / 1000, refused };
    log(`not published: ${refused}`);
    if (card.images > 0) await objects.put(refusedKey, JSON.stringify(done));
    return done;
  };

  if (card.images === 0) return refuse('there are no pulls to learn from yet');
  if (list.held)
    return refuse(
      `the owner rolled back to model ${list.current}: DELETE /v1/model/rollback lets training put others in service again`,
    );
  const better = model === 'auto' && inService && worseThanInService(lessons, outcome.winner.setting, inService, fit);
  stage('gate');
  if (better) return refuse(better);
  const byUser = rowsOf(entries, users.length);
  let fitted: Model;
  try {
    fitted = fit(winner.setting, { items, entries, byUser }, 'all');
  } catch (cause) {
    // Out of memory or of single precision: refuse, don't throw, a retry would fail too.
    if (!(cause instanceof RangeError)) throw cause;
    return refuse(cause.message);
  }
  stage('fit');
  fitted.neighbours = neighboursOf(fitted, byUser);
  stage('neighbours');
  await objects.put(modelKey(card.id), encodeModel(fitted), { ifNoneMatch: '*' });
  const lists = listsOf(fitted, byUser);
  stage('lists');
  card.seconds = (clock() - began) / 1000;
  const cards = [card, ...list.cards];
  const next: ModelList = { current: card.id, since: clock(), cards: cards.slice(0, keepModels) };
  try {
    await objects.put(latestKey, JSON.stringify(next), etag ? { ifMatch: etag } : { ifNoneMatch: '*' });
  } catch (cause) {
    if (!(cause instanceof PreconditionFailed)) throw cause;
    await objects.remove([modelKey(card.id)]);
    throw new Error('another model was put in service while this one was trained: train again', { cause });
  }
  await removeModels(objects, cards, clock());
  await saveLists(search, lessons, card.id, lists);
  log(`published ${card.id}`);
  return card;
}

/** Removes the files of models that are no longer kept, and files that failed trainings left behind. */
async function removeModels(objects: ObjectStore, cards: Card[], now: number): Promise<void> {
  const keysOf = (some: Card[]) => new Set(some.map(({ id }) => modelKey(id)));
  const [kept, dropped] = [keysOf(cards.slice(0, keepModels)), keysOf(cards.slice(keepModels))];
  const files = (await objects.list('models/')).filter(({ key }) => key.endsWith('/model.bin') && !kept.has(key));
  const old = files.filter(({ key, modified }) => dropped.has(key) || now - modified > underWayMs);
  await objects.remove(old.map(({ key }) => key));
}

/** Saves every user's list, as of this model. */
async function saveLists(
  search: SearchStore,
  { users, items }: Lessons,
  model: string,
  lists: ReturnType<typeof listsOf>,
): Promise<void> {
  const batch: SavedRecommendations[] = [];
  const save = async (row: SavedRecommendations) => {
    if (batch.push(row) === 1000) await search.saveRecommendations(batch.splice(0));
  };
  for (const [at, user] of users.entries())
    await save({ user, model, items: lists(at).map(({ item, score }) => ({ repository: items[item], score })) });
  await search.saveRecommendations(batch.splice(0));
  // A user forgotten meanwhile must not come back: after this check, forgetting finds the saved list itself.
  const known = new Set<string>();
  for await (const { user } of search.pairs({ classes })) known.add(user);
  for (const user of users) if (!known.has(user)) await save({ user, model, items: [] });
  await search.saveRecommendations(batch);
}

/** The model in service, to be judged beside the others; undefined if there is none, or it can't be read. */
async function modelInService(
  list: ModelList,
  objects: ObjectStore,
  log: (text: string) => void,
): Promise<InService | undefined> {
  const card = cardInService(list);
  if (!card) return undefined;
  try {
    const found = await objects.get(modelKey(card.id));
    if (!found) throw new Error('its file is missing');
    const model = decodeModel(found.body);
    const setting = card.kind && settingOf(card.kind, card.settings ?? {});
    return { id: card.id, trainedAt: card.trainedAt, model, setting };
  } catch (cause) {
    log(`the model in service can't be judged: ${(cause as Error).message}`);
    return undefined;
  }
}

const alsOf = (setting: Setting): AlsOptions => {
  const { rank, iterations, lambda, alpha } = setting as Setting & AlsOptions;
  return { rank, iterations, lambda, alpha };
};

/** Every user's list, as it is served: with factors all at once on the kernel, otherwise one by one. */
function listsOf(model: Model, byUser: Rows): (user: number) => { item: number; score: number }[] {
  if (model.kind === 'als') {
    const rows = scaledRows(byUser, model.items.length, model.countScale);
    const users = foldIn(rows, { rank: model.rank, items: model.factors }, model);
    release(rows.values);
    const best = topLists({ rank: model.rank, users, items: model.factors }, byUser, saved);
    return (user) =>
      Array.from({ length: best.counts[user] }, (_, place) => ({
        item: best.items[user * saved + place],
        score: best.scores[user * saved + place],
      })).filter(({ score }) => score > 0);
  }
  const served = servedModel(model);
  const seen = new Uint8Array(model.items.length);
  return (user) => {
    const [from, to] = [byUser.starts[user], byUser.starts[user + 1]];
    const items = [...byUser.columns.subarray(from, to)];
    for (const item of items) seen[item] = 1;
    const best = served
      .taste({ items, counts: [...byUser.values.subarray(from, to)] })
      .best(saved, (item) => seen[item] === 1);
    for (const item of items) seen[item] = 0;
    return best;
  };
}
