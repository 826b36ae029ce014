// The models that are kept, and which one is in service: one small object, replaced with If-Match.

import { Damaged, type ObjectStore } from '../stores.ts';
import type { AlsOptions } from './als.ts';
import type { ModelKind } from './model-file.ts';
import type { Followed } from './shown.ts';

/** How many models are kept for a rollback. */
export const keepModels = 5;
export const latestKey = 'models/latest.json';
/** Card of the newest model that was not put in service. */
export const refusedKey = 'models/refused.json';

/** Means over the judged users; undefined if nothing could be held out. */
export interface Scores {
  people: number;
  auc?: number;
  /** NDCG and recall of lists of ten. */
  ndcg?: number;
  recall?: number;
  /** Recall of lists of twenty; missing in cards from before the competition. */
  recall20?: number;
  /** Share of the repositories that are in at least one list. */
  coverage?: number;
}

/** Fields of cards from before the competition: the model beside two baselines. */
type Evaluation = Record<'als' | 'similar' | 'popular', Scores>;

/** The candidates of each competition; the setting `model` may name one. */
export const candidateNames = ['als-seed', 'als', 'knn', 'ease', 'blend', 'popular', 'popular-recent'] as const;
export type CandidateName = (typeof candidateNames)[number];

/** One row of the card's table: a candidate of the competition. */
export interface Candidate {
  /** Unique in its table: `als-seed`, `als`, `knn`, `ease`, `blend`, `popular`, `popular-recent`, `in-service`. */
  name: string;
  kind: ModelKind;
  settings: Record<string, number | string | boolean>;
  /** Scores on randomly held-out pulls; undefined for a candidate that was skipped. */
  random?: Scores;
  /** Scores on the newest first pulls, after learning from the pulls before them. */
  byTime?: Scores;
  /** Seconds for fitting and judging it, including all settings that were tried for it. */
  seconds: number;
  /** How many settings of the candidate were tried. */
  tried: number;
  /** Why it was skipped: too large for memory, or out of time. */
  skipped?: string;
}

/** By how much the winner is ahead: the mean over users of the difference in NDCG@10, with its standard error. */
export interface Margin {
  over: string;
  ndcg: number;
  error: number;
}

/**
 * What a training reports. `rank`, `iterations`, `lambda`, `alpha` and `auc` are those of the ALS that is always
 * trained, whichever model is in service.
 */
export interface Card extends AlsOptions {
  id: string;
  /** Milliseconds since the epoch. */
  trainedAt: number;
  seed: number;
  people: number;
  images: number;
  pairs: number;
  /** Randomly held-out pairs, over all rounds. */
  heldOut: number;
  /** Undefined if nothing could be held out. */
  auc?: number;
  popularityAuc?: number;
  /** Cards from before the competition. */
  evaluation?: { random: Evaluation; byTime?: Evaluation };
  /** Name of the candidate that this model is; undefined on cards from before the competition (their ALS). */
  winner?: string;
  kind?: ModelKind;
  /** The winner's settings. */
  settings?: Record<string, number | string | boolean>;
  /** Best first. */
  candidates?: Candidate[];
  /** Why this candidate was chosen, in one sentence. */
  why?: string;
  margin?: Margin;
  /** The owner chose the candidate by the setting `model`. */
  pinned?: boolean;
  /** By source: how many repositories users were shown recently, and how many of these they pulled afterwards. */
  followed?: Record<string, Followed>;
  /** How long each step took, in order. */
  stages?: { name: string; seconds: number }[];
  seconds: number;
  /** Why it was not put in service. */
  refused?: string;
}

export interface ModelList {
  /** Id of the model in service. */
  current?: string;
  /** When the training began, milliseconds since the epoch. */
  since?: number;
  /** The owner rolled back to this model: training puts no other in service until the owner lifts the rollback. */
  held?: boolean;
  /** Newest first. */
  cards: Card[];
}

/** Where a model's file is. */
export const modelKey = (id: string) => `models/${id}/model.bin`;

/** A damaged list counts as empty: the next training replaces it. */
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

/** Undefined before the first training. */
export const cardInService = ({ current, cards }: ModelList): Card | undefined =>
  cards.find(({ id }) => id === current);
