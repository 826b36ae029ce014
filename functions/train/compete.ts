// The competition: every family searches for its best settings on a split of the training pulls. Then all are judged on
// the same held-out pulls, and the best NDCG@10 wins.

import { seeded } from '#core/bytes/random.ts';
import { type AllEntries, collecting, type Entries, type Entry } from '#core/recommender/entries.ts';
import type { Model } from '#core/recommender/model-file.ts';
import type { Candidate, Margin, Scores } from '#core/recommender/model-list.ts';
import { release } from '#core/recommender/ratings.ts';
import { type ServedModel, servedModel } from '#core/recommender/served.ts';
import { bestBlend } from './blend.ts';
import {
  blended,
  type Family,
  families,
  finished,
  fitSetting,
  isPart,
  type PartSetting,
  type Setting,
  shown,
  type Training,
} from './candidates.ts';
import { byServing, type Judge, type Judged, judgeOf, type Recommender, type Split } from './evaluate.ts';

export interface Lessons {
  /** Milliseconds since the epoch. */
  began: number;
  seed: number;
  users: string[];
  items: string[];
  entries: AllEntries;
  /** Seconds that reading the pulls took. */
  readSeconds: number;
  /** A random tenth held out, by `foldsOf` and `seed`; further tenths if one has few pulls. */
  random: Split[];
  /** The newest tenth of the pairs, by first pull, held out; undefined if all have the same time. */
  byTime?: Split;
}

export interface CompeteOptions {
  /** The settings of the ALS that is always trained. */
  als: Setting;
  /** The name of the candidate that the owner pinned. */
  pinned?: string;
  /** The time for trying settings ends at two fifths of this; judging goes on to its end. */
  budgetSeconds: number;
  memoryBytes: number;
  /** The most settings tried for each family; default 24. */
  mostTried?: number;
  clock: () => number;
  log: (text: string) => void;
  inService?: InService;
  fit: Fit;
  /** Default: all that fit into memory. */
  families?: Family[];
}

/** The data to fit on: everything, and the training part of each split. */
export type Part = 'all' | 'random' | 'byTime';
/** Fits a setting on one of these parts. */
export type Fit = (setting: Setting, training: Training, part: Part) => Model;

/** The model in service: it is judged beside the others, and its settings are fitted again. */
export interface InService {
  id: string;
  /** Milliseconds since the epoch. */
  trainedAt: number;
  model: Model;
  setting?: Setting;
}

export interface Outcome {
  winner: { name: string; setting: Setting };
  /** Best NDCG@10 first; skipped ones last. */
  candidates: Candidate[];
  margin?: Margin;
  why: string;
  heldOut: number;
}

/** With fewer held-out pulls, or fewer users who have any, a score means nothing. */
const enough = { pulls: 100, users: 20 };
/** Of candidates within this share of the best NDCG@10, the one that is better by time wins. */
const alike = 0.005;
const defaultTried = 24;
/** This many pairs and repositories are enough for trying settings. */
const sample = { pairs: 300_000, items: 2500 };
const tuningShare = 0.4;
const mostTenths = 10;
const heldOutShare = 1 / mostTenths;
/** Settings differ less than kinds do, so they are chosen on more held-out pulls. */
const enoughToTune = 8000;
/** The most scores of each part that are kept for choosing the shares of a blend. */
const tuningScores = 1.2e7;
/**
 * About how long a blend takes to score one repository for one user; a blend whose lists for all users would take more
 * than a fifth of the budget is left out.
 */
const secondsPerBlendedScore = 5e-8;
/**
 * About how many operations a second an ALS fit does; a setting whose fit would take more than a fifth of the budget is
 * not tried.
 */
const operationsPerSecond = 3e10;

interface Contestant {
  name: string;
  setting: Setting;
  tried: number;
  seconds: number;
  skipped?: string;
  random?: Judged;
  byTime?: Judged;
}

/** Lets all families compete; the outcome's setting is then fitted on everything and put in service. */
export function compete(lessons: Lessons, options: CompeteOptions): Outcome {
  const { seed, items, random, byTime } = lessons;
  const { clock, log, budgetSeconds, memoryBytes, inService, fit, mostTried = defaultTried } = options;
  const began = clock();
  const seconds = () => (clock() - began) / 1000;
  const heldOut = random.reduce((sum, { test }) => sum + test.length, 0);

  const contestants: Contestant[] = [{ name: 'als-seed', setting: options.als, tried: 1, seconds: 0 }];
  const all = options.families ?? families(items.length, memoryBytes);
  const small = sampled(lessons, seed);
  const parts: PartSetting[] = [];
  const inFull = <Of extends Setting>(setting: Of) => finished(rescaled(setting, small.ratio), items.length);
  // A candidate that takes less than its time leaves the rest to the next; popularity takes almost none.
  const inTurns = all.toSorted(
    (a, b) => Number(b.starts[0].kind === 'popular') - Number(a.starts[0].kind === 'popular'),
  );
  for (const [at, family] of inTurns.entries()) {
    const left = budgetSeconds * tuningShare - seconds();
    const until = seconds() + left / (all.length - at);
    const start = seconds();
    const worlds = family.name === 'popular-recent' ? (byTime ? newest(lessons, byTime.train) : []) : small.worlds;
    const isAffordable = (setting: Setting) => operations(setting, lessons) < (operationsPerSecond * budgetSeconds) / 5;
    const { setting, tried } = search(family, worlds, seed, () => seconds() < until, isAffordable, mostTried);
    if (isPart(setting)) parts.push(setting);
    const full = inFull(setting);
    contestants.push({ name: family.name, setting: full, tried, seconds: seconds() - start });
    log(`${family.name}: ${tried} settings tried, ${JSON.stringify(shown(full))}`);
  }
  const isBlendAffordable = lessons.users.length * items.length * secondsPerBlendedScore < budgetSeconds / 5;
  if (parts.length > 1 && (isBlendAffordable || options.pinned === 'blend')) {
    const start = seconds();
    const blend = bestBlend(parts, small.worlds, seed);
    const setting = { ...blend, parts: blend.parts.map((part) => ({ ...part, setting: inFull(part.setting) })) };
    contestants.push({ name: 'blend', setting, tried: 1, seconds: seconds() - start });
    log(`blend: ${JSON.stringify(shown(setting))}`);
  }
  const known = new Set(contestants.map(({ setting }) => JSON.stringify(setting)));
  if (inService?.setting && !known.has(JSON.stringify(inService.setting)))
    contestants.push({ name: 'in-service-again', setting: inService.setting, tried: 1, seconds: 0 });

  const most = items.length > sample.items * 2 ? 1000 : 2000;
  const served = inService && servedModel(inService.model);
  /** Returns the scores of the model in service. One kind of split after the other: memory has the rows and models of one. */
  const judgeBy = (part: 'random' | 'byTime', splits: Split[]): Scores | undefined => {
    const judges = splits.map((split) => judgeOf(lessons, split, seed, most));
    const judged = (recommender: (training: Training) => Recommender) =>
      pooled(judges.map(({ training, judge }) => judge(recommender(training))));
    const fitOnce = keeping(fit);
    for (const contestant of contestants) {
      if (contestant.skipped !== undefined) continue;
      const start = seconds();
      try {
        contestant[part] = judged((training) =>
          byServing(servedModel(fitOnce(contestant.setting, training, part)), training.byUser),
        );
      } catch (cause) {
        if (!(cause instanceof RangeError)) throw cause;
        contestant.skipped = cause.message;
      }
      contestant.seconds += seconds() - start;
      log(line(contestant, part));
    }
    const ofServed = served && judged((training) => translated(served, items, training.byUser)).scores;
    for (const { training } of judges) release(training.byUser.columns, training.byUser.values);
    return ofServed;
  };
  const ofServed = { random: judgeBy('random', random), byTime: byTime && judgeBy('byTime', [byTime]) };
  const candidates = contestants.map(candidateOf);
  if (inService && served) {
    // It may have learned from the held-out pulls, so it is only shown here, and compared below on the pulls since.
    const row = { kind: served.kind, settings: { model: inService.id }, seconds: 0, tried: 0 };
    candidates.push({ name: 'in-service', ...row, ...ofServed });
  }
  return { ...decide(contestants, heldOut, options.pinned), candidates: candidates.sort(byNdcg), heldOut };
}

/**
 * Why the winner must not replace the model in service, or undefined. Both are judged on pulls that neither has seen:
 * first pulls since that model was trained; for this the winner's settings are fitted on the pulls before. The winner
 * is worse if it is worse by more than two standard errors.
 */
export function worseThanInService(
  lessons: Lessons,
  setting: Setting,
  { id, trainedAt, model }: InService,
  fit: Fit,
): string | undefined {
  const { seed, items, entries } = lessons;
  const test = entries.filter(({ firstPull = 0 }) => firstPull > trainedAt);
  if (test.length < enough.pulls) return undefined;
  const train = entries.filter(({ firstPull = 0 }) => firstPull <= trainedAt);
  const { training, judge } = judgeOf(lessons, { train, test }, seed, 1000);
  const old = judge(translated(servedModel(model), items, training.byUser), false);
  if (old.scores.people < enough.users) return undefined;
  const next = judge(byServing(servedModel(fit(setting, training, 'byTime')), training.byUser), false);
  const { mean, error } = paired(old.ndcgs, next.ndcgs);
  if (!(mean > 2 * error)) return undefined;
  return `on the ${test.length} pulls since model ${id} was trained, that one has NDCG@10 ${old.scores.ndcg?.toFixed(3)} and this one ${next.scores.ndcg?.toFixed(3)}`;
}

/** Which candidate is chosen, and why. */
function decide(contestants: Contestant[], heldOut: number, pinned?: string): Omit<Outcome, 'candidates' | 'heldOut'> {
  const named = (name: string) => contestants.find((one) => one.name === name) as Contestant;
  const popular = named('popular');
  const judged = contestants.filter(({ random }) => random && random.scores.people > 0);
  const ndcg = ({ random }: Contestant) => random?.scores.ndcg ?? 0;
  const ndcgByTime = ({ byTime }: Contestant) => byTime?.scores.ndcg ?? 0;
  const ranked = judged
    .filter(({ name }) => name !== 'als-seed')
    .sort((a, b) => ndcg(b) - ndcg(a) || contestants.indexOf(a) - contestants.indexOf(b));
  const chosen = pinned === undefined ? undefined : named(pinned);
  const users = popular.random?.scores.people ?? 0;
  if (!chosen && (heldOut < enough.pulls || users < enough.users))
    return {
      winner: popular,
      why: `too few pulls to tell: ${heldOut} pulls of ${users} users are held out, at least ${enough.pulls} of ${enough.users} are needed; popularity is served`,
    };
  const isBlend = ({ setting }: Contestant) => setting.kind === 'blend';
  const alone = ranked.find((one) => !isBlend(one)) ?? popular;
  // A blend costs more to serve, so it is chosen only if it is clearly ahead.
  const blend = ranked.find(isBlend);
  const lead = blend && marginOf(blend, alone);
  const best = blend && lead && lead.ndcg > 2 * lead.error ? blend : alone;
  const near = ranked.filter((one) => ndcg(one) >= ndcg(best) * (1 - alike) && (one === best || !isBlend(one)));
  const winner = chosen ?? near.reduce((a, b) => (ndcgByTime(b) > ndcgByTime(a) ? b : a), best);
  const other = ranked.find(
    (one) => one.setting.kind !== winner.setting.kind && (one.setting.kind !== 'blend' || chosen),
  );
  const margin = other && marginOf(winner, other);
  const figure = (value: number) => value.toFixed(3);
  const ahead = margin ? `, ${figure(margin.ndcg)} ± ${figure(margin.error)} ahead of ${margin.over}` : '';
  const on = `NDCG@10 ${figure(ndcg(winner))} on ${heldOut} held-out pulls${ahead}`;
  const isBehind = lead !== undefined && best === alone && lead.ndcg > 0;
  const behind = isBehind
    ? `; blend is ${figure(lead.ndcg)} ± ${figure(lead.error)} ahead, which may be chance, and costs more`
    : '';
  const why = chosen
    ? `the owner chose ${winner.name} by the setting model: ${on}`
    : winner === best
      ? `${winner.name} is best${isBehind ? ' by itself' : ''}: ${on}${behind}`
      : `${winner.name} is as good as ${best.name} on random pulls and better by time: ${on}`;
  return { winner, margin, why };
}

/** Mean difference in NDCG@10 of the same users, and its standard error. */
function marginOf(one: Contestant, other: Contestant): Margin | undefined {
  const [a, b] = [one.random?.ndcgs, other.random?.ndcgs];
  if (!a || !b || a.length < 2) return undefined;
  const { mean, error } = paired(a, b);
  return { over: other.name, ndcg: mean, error };
}

/** Mean of the differences, and its standard error. */
function paired(a: Float64Array, b: Float64Array): { mean: number; error: number } {
  const differences = a.map((value, at) => value - b[at]);
  const mean = differences.reduce((sum, value) => sum + value, 0) / a.length;
  const variance = differences.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, a.length - 1);
  return { mean, error: Math.sqrt(variance / a.length) };
}

/**
 * The best settings of a family: from the best start on, one axis after the other, one value up or down, as long as the
 * score improves. Deterministic except for `timeLeft`; the first start is always tried if there is anything to try it
 * on.
 */
function search(
  { starts, axes }: Family,
  worlds: Judge[],
  seed: number,
  timeLeft: () => boolean,
  isAffordable: (setting: Setting) => boolean,
  mostTried: number,
): { setting: Setting; tried: number } {
  const [first] = starts;
  if (worlds.length === 0 || (starts.length === 1 && Object.keys(axes).length === 0))
    return { setting: first, tried: 1 };
  const seen = new Map<string, number>();
  const score = (setting: Setting): number => {
    const key = JSON.stringify(setting);
    const known = seen.get(key);
    if (known !== undefined) return known;
    if (seen.size > 0 && (seen.size >= mostTried || !timeLeft() || !isAffordable(setting))) return -1;
    let sum = 0;
    try {
      for (const { training, judge } of worlds) {
        const model = servedModel(fitSetting(setting, training, seed));
        sum += judge(byServing(model, training.byUser), false).scores.ndcg ?? 0;
      }
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      sum = -1;
    }
    seen.set(key, sum);
    return sum;
  };
  let best = first;
  for (const start of starts) if (score(start) > score(best)) best = start;
  for (let moved = true; moved; ) {
    moved = false;
    for (const [axis, values] of Object.entries(axes))
      for (const step of [1, -1]) {
        for (;;) {
          const at = values.indexOf((best as unknown as Record<string, number>)[axis]);
          const value = values[(at < 0 ? values.length >> 1 : at) + step];
          if (value === undefined) break;
          const next = { ...best, [axis]: value } as Setting;
          if (!(score(next) > score(best))) break;
          best = next;
          moved = true;
        }
      }
  }
  return { setting: best, tried: seen.size };
}

/**
 * Splits for choosing settings: other tenths than those for judging, so that settings are chosen with as much training
 * data as a judged model has. For large worlds a sample of users and repositories.
 */
function sampled(lessons: Lessons, seed: number) {
  const { users } = lessons;
  let { items, entries }: { items: string[]; entries: Entries } = lessons;
  let tenths = tenthsOf(entries.length, seeded(seed));
  let ratio = 1;
  if (entries.length > sample.pairs) {
    const random = seeded(seed + 1);
    ratio = entries.length / sample.pairs;
    const chosen = Uint8Array.from(users, () => Number(random() < 1 / ratio));
    ({ entries, tenths } = withItems(entries, tenths, ({ user, item }) => (chosen[user] === 1 ? item : undefined)));
  }
  if (items.length > sample.items && ratio > 1) {
    const pulled = new Float64Array(items.length);
    entries.forEach(({ item }) => {
      pulled[item]++;
    });
    const order = Array.from(pulled.keys())
      .sort((a, b) => pulled[b] - pulled[a] || a - b)
      .slice(0, sample.items);
    const place = new Map(order.map((item, at) => [item, at]));
    ({ entries, tenths } = withItems(entries, tenths, ({ item }) => place.get(item)));
    items = order.map((item) => items[item]);
  }
  const rounds = Math.min(mostTenths - lessons.random.length, roundsFor(entries.length, enoughToTune));
  const most = Math.min(1000, Math.ceil(tuningScores / items.length));
  const worlds = Array.from({ length: rounds }, (_, round) =>
    judgeOf({ users, items }, heldOutTenth(entries, tenths, mostTenths - 1 - round), seed, most),
  );
  return { worlds, ratio };
}

/** The entries with other items, without those that get none; and their tenths. */
function withItems(entries: Entries, tenths: Uint8Array, itemOf: (entry: Entry) => number | undefined) {
  const kept = collecting();
  const left = new Uint8Array(entries.length);
  let length = 0;
  entries.forEach((entry, at) => {
    const item = itemOf(entry);
    if (item === undefined) return;
    kept.add({ ...entry, item });
    left[length++] = tenths[at];
  });
  return { entries: kept.entries(), tenths: left.slice(0, length) };
}

/** Holds out the newest tenth by first pulls; undefined if all have the same time. */
export function byFirstPull(entries: Entries): Split | undefined {
  // Not by Float64Array.from, which keeps an object for each until the end.
  const times = new Float64Array(entries.length);
  let at = 0;
  entries.forEach(({ firstPull = 0 }) => {
    times[at++] = firstPull;
  });
  times.sort();
  const from = times[Math.floor(times.length * (1 - heldOutShare))];
  const isSame = from === times[0];
  release(times);
  if (from === undefined || isSame) return undefined;
  return {
    train: entries.filter(({ firstPull = 0 }) => firstPull < from),
    test: entries.filter(({ firstPull = 0 }) => firstPull >= from),
  };
}

/** The newest tenth of the training pulls. */
function newest(lessons: Lessons, entries: Entries): Judge[] {
  const fold = byFirstPull(entries);
  return fold ? [judgeOf(lessons, fold, lessons.seed, 1000)] : [];
}

/**
 * Each round holds out a tenth of the pulls. Returns the rounds, 5 at most, that hold out `wanted` pulls together:
 * enough to tell one model from another.
 */
export const roundsFor = (entries: number, wanted = 1000): number =>
  Math.min(5, Math.max(1, Math.ceil(wanted / Math.max(1, entries * heldOutShare))));

/** Each round holds out another random tenth. */
export function foldsOf(entries: Entries, rounds: number, random: () => number): Split[] {
  const tenths = tenthsOf(entries.length, random);
  return Array.from({ length: rounds }, (_, round) => heldOutTenth(entries, tenths, round));
}

const tenthsOf = (entries: number, random: () => number) =>
  Uint8Array.from({ length: entries }, () => Math.floor(random() * mostTenths));

const heldOutTenth = (entries: Entries, tenths: Uint8Array, tenth: number): Split => ({
  train: entries.filter((_, at) => tenths[at] !== tenth),
  test: entries.filter((_, at) => tenths[at] === tenth),
});

/** Fits each setting once on each part: a blend uses the models that were judged before it. */
function keeping(fit: Fit): Fit {
  const kept = new Map<Training, Map<string, Model>>();
  const once: Fit = (setting, training, part) => {
    if (setting.kind === 'blend') return blended(setting, training.items, (own) => once(own, training, part));
    const own = kept.get(training) ?? new Map<string, Model>();
    kept.set(training, own);
    const key = JSON.stringify(setting);
    const model = own.get(key) ?? fit(setting, training, part);
    own.set(key, model);
    return model;
  };
  return once;
}

/** Scales sums over a part of the users to all users, by `ratio`. */
function rescaled<Of extends Setting>(setting: Of, ratio: number): Of {
  const times = (value: number) => Number((value * ratio).toPrecision(3));
  if (setting.kind === 'ease') return { ...setting, lambda: times(setting.lambda) };
  if (setting.kind === 'knn') return { ...setting, shrink: times(setting.shrink) };
  return setting;
}

/** About how many multiplications and additions one fit needs. */
function operations(setting: Setting, { users, items, entries }: Lessons): number {
  if (setting.kind !== 'als') return 0;
  const { rank, iterations } = setting;
  return iterations * (2 * entries.length * rank ** 2 + ((users.length + items.length) * rank ** 3) / 3);
}

/** Combines several rounds: each user of each round has the same weight. */
function pooled(rounds: Judged[]): Judged {
  const people = rounds.reduce((sum, { scores }) => sum + scores.people, 0);
  const mean = (name: Exclude<keyof Scores, 'people'>) => {
    const known = rounds.filter(({ scores }) => scores[name] !== undefined);
    const weight = known.reduce((sum, { scores }) => sum + scores.people, 0);
    return weight === 0
      ? undefined
      : known.reduce((sum, { scores }) => sum + (scores[name] as number) * scores.people, 0) / weight;
  };
  const scores =
    people === 0
      ? { people }
      : {
          people,
          ...{ auc: mean('auc'), ndcg: mean('ndcg'), recall: mean('recall') },
          ...{ recall20: mean('recall20'), coverage: mean('coverage') },
        };
  return { scores, ndcgs: Float64Array.from(rounds.flatMap(({ ndcgs }) => [...ndcgs])) };
}

/** Adapts a model with other indices of repositories; repositories that it does not know score 0. */
function translated(model: ServedModel, items: string[], { starts, columns, values }: Training['byUser']): Recommender {
  const place = items.map((item) => model.index.get(item) ?? -1);
  const scores = new Float64Array(items.length);
  return (user) => {
    const history = { items: [] as number[], counts: [] as number[] };
    for (let at = starts[user]; at < starts[user + 1]; at++)
      if (place[columns[at]] >= 0) {
        history.items.push(place[columns[at]]);
        history.counts.push(values[at]);
      }
    const own = model.taste(history).scores();
    for (let item = 0; item < items.length; item++) scores[item] = place[item] < 0 ? 0 : own[place[item]];
    return scores;
  };
}

const candidateOf = ({ name, setting, random, byTime, seconds, tried, skipped }: Contestant): Candidate => ({
  ...{ name, kind: setting.kind, settings: shown(setting) },
  ...(random && { random: random.scores }),
  ...(byTime && { byTime: byTime.scores }),
  ...{ seconds, tried },
  ...(skipped !== undefined && { skipped }),
});

const byNdcg = (a: Candidate, b: Candidate) => (b.random?.ndcg ?? -1) - (a.random?.ndcg ?? -1);

const line = ({ name, seconds, skipped, ...judged }: Contestant, part: 'random' | 'byTime') => {
  if (skipped !== undefined) return `${name}: skipped, ${skipped}`;
  const { ndcg, auc } = judged[part]?.scores ?? {};
  return `${name}: NDCG@10 ${ndcg?.toFixed(4)}, AUC ${auc?.toFixed(4)} ${part === 'random' ? 'on random pulls' : 'by time'}, ${seconds.toFixed(1)} s so far`;
};
