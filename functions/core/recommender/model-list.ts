// The models that are kept, and which one is in service: one small object, replaced with If-Match.

import type { ObjectStore } from '../stores.ts';
import type { AlsOptions } from './als.ts';

/** How many models can be gone back to. */
export const keepModels = 5;
export const latestKey = 'models/latest.json';
/** Card of the newest model that was not put in service. */
export const refusedKey = 'models/refused.json';

/** Means over the people judged; undefined where nothing could be held out. */
export interface Scores {
  people: number;
  auc?: number;
  /** Of lists of ten. */
  ndcg?: number;
  recall?: number;
  /** Share of the images in anybody's list. */
  coverage?: number;
}

/** The model beside its baselines: pulled together by the same people, pulled by most. */
export type Evaluation = Record<'als' | 'similar' | 'popular', Scores>;

/** What a training run says of itself. */
export interface Card extends AlsOptions {
  id: string;
  /** Milliseconds since the epoch. */
  trainedAt: number;
  seed: number;
  people: number;
  images: number;
  pairs: number;
  /** Pairs the scores are taken on. */
  heldOut: number;
  /** undefined when nothing could be held out. */
  auc?: number;
  popularityAuc?: number;
  /** On a tenth of the pairs by chance; and on pairs first pulled after a time, learning from what was before. */
  evaluation?: { random: Evaluation; byTime?: Evaluation };
  seconds: number;
  /** Why it was not put in service. */
  refused?: string;
}

export interface ModelList {
  /** Id of the model in service. */
  current?: string;
  /** Since when, milliseconds since the epoch. */
  since?: number;
  /** Newest first. */
  cards: Card[];
}

/** Where a model's file is. */
export const modelKey = (id: string) => `models/${id}/model.bin`;

/** A list that is damaged is empty: the next training replaces it. */
export async function readModels(objects: ObjectStore): Promise<{ list: ModelList; etag?: string }> {
  const found = await objects.get(latestKey);
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
