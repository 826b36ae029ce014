// The models that are kept, and which one is in service: one small object, replaced with If-Match.

import { Damaged, type ObjectStore } from '../stores.ts';
import type { AlsOptions } from './als.ts';
import type { ModelKind } from './model-file.ts';
import type { Followed } from './shown.ts';

/** How many models can be gone back to. */
export const keepModels = 5;
export const latestKey = 'models/latest.json';
/** Card of the newest model that was not put in service. */
export const refusedKey = 'models/refused.json';

/** Means over the users judged; undefined where nothing could be held out. */
export interface Scores {
  people: number;
  auc?: number;
  /** NDCG and recall of lists of ten. */
  ndcg?: number;
  recall?: number;
  /** Recall of lists of twenty; missing in cards from before the competition. */
  recall20?: number;
  /** Share of the images in anybody's list. */
  coverage?: number;
}

/** Fields of cards from before the competition: the model beside two baselines. */
export type Evaluation = Record<'als' | 'similar' | 'popular', Scores>;

/** What takes part in each competition; the setting `model` can name one. */
export const candidateNames = ['als-seed', 'als', 'knn', 'ease', 'blend', 'popular', 'popular-recent'] as const;
export type CandidateName = (typeof candidateNames)[number];

/** One row of the card's table: what took part in the competition. */
export interface Candidate {
  /** Unique in its table: `als-seed`, `als`, `knn`, `ease`, `blend`, `popular`, `popular-recent`, `in-service`. */
  name: string;
  kind: ModelKind;
  settings: Record<string, number | string | boolean>;
  /** Scores on pulls held out by chance; undefined for a candidate that was skipped. */
  random?: Scores;
  /** Scores on the newest first pulls, learned from the pulls before them. */
  byTime?: Scores;
  /** Fitting and judging it, with all settings that were tried for it. */
  seconds: number;
  /** How many settings of the candidate were tried. */
  tried: number;
  /** Why it did not take part: too large for the memory, or out of time. */
  skipped?: string;
}

/** How far the winner is ahead: the mean over users of the difference in NDCG@10, with its standard error. */
export interface Margin {
  over: string;
  ndcg: number;
  error: number;
}

/**
 * What a training run reports. `rank`, `iterations`, `lambda`, `alpha` and `auc` are those of the ALS that is always
 * trained, whatever serves.
 */
export interface Card extends AlsOptions {
  id: string;
  /** Milliseconds since the epoch. */
  trainedAt: number;
  seed: number;
  people: number;
  images: number;
  pairs: number;
  /** Pairs that were held out by chance, over all rounds. */
  heldOut: number;
  /** undefined when nothing could be held out. */
  auc?: number;
  popularityAuc?: number;
  /** Cards from before the competition. */
  evaluation?: { random: Evaluation; byTime?: Evaluation };
  /** Name of the candidate that this model is; undefined on cards from before the competition (their ALS). */
  winner?: string;
  kind?: ModelKind;
  /** What the winner was fitted with. */
  settings?: Record<string, number | string | boolean>;
  /** Best first. */
  candidates?: Candidate[];
  /** Why this candidate serves, in one sentence. */
  why?: string;
  margin?: Margin;
  /** The owner chose the candidate by the setting `model`. */
  pinned?: boolean;
  /** By source: how much of what users were shown recently they pulled afterwards. */
  followed?: Record<string, Followed>;
  /** What the time went into, in the order it was done. */
  stages?: { name: string; seconds: number }[];
  seconds: number;
  /** Why it was not put in service. */
  refused?: string;
}

export interface ModelList {
  /** Id of the model in service. */
  current?: string;
  /** When it began, milliseconds since the epoch. */
  since?: number;
  /** The owner went back to this model: training puts no other in service until the owner lifts it. */
  held?: boolean;
  /** Newest first. */
  cards: Card[];
}

/** Where a model's file is. */
export const modelKey = (id: string) => `models/${id}/model.bin`;

/** A list that is damaged is empty: the next training replaces it. */
export async function readModels(objects: ObjectStore): Promise<{ list: ModelList; etag?: string }> {
  const found = await objects.get(latestKey).catch((cause) => {
    if (!(cause instanceof Damaged)) throw cause;
    return 'damaged' as const;
  });
  if (found === 'damaged') return { list: { cards: [] }, etag: (await objects.head(latestKey))?.etag };
  return found ? { list: parsed(found.body), etag: found.etag } : { list: { cards: [] } };
}

function parsed(body: Uint8Array): ModelList {
  try {
    const list: ModelList | null = JSON.parse(new TextDecoder().decode(body));
    if (Array.isArray(list?.cards)) return list;
  } catch {}
  return { cards: [] };
}

/** undefined before the first training. */
export const cardInService = ({ current, cards }: ModelList): Card | undefined =>
  cards.find(({ id }) => id === current);
