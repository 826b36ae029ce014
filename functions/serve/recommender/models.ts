import { decodeModel, type Model } from '#core/recommender/model-file.ts';
import {
  type Card,
  cardInService,
  latestKey,
  type ModelList,
  modelKey,
  readModels,
  refusedKey,
} from '#core/recommender/model-list.ts';
import { type ServedModel, servedModel } from '#core/recommender/served.ts';
import { type ObjectStore, PreconditionFailed } from '#core/stores.ts';
import { notFound } from '#http/errors.ts';
import { renewed } from '../renewed.ts';

/** The model in service, ready to serve. */
export interface Service {
  model: ServedModel;
  card: Card;
}

/** The models, as serve uses them. */
export interface ModelSource {
  /** The model in service with its card; undefined before the first training. */
  current(): Promise<Service | undefined>;
  list(): Promise<ModelList>;
  /** The newest model that training did not put in service, if it is newer than the one in service. */
  refused(): Promise<Card | undefined>;
  /** Puts a kept model back in service: the named one, or the one before the current. */
  rollback(id?: string): Promise<Card>;
  /** Ends the hold that a rollback left: the next training may put another model in service. */
  lift(): Promise<Card>;
}

/** How long it may take until a change of the model in service is noticed. */
const longestMs = 1000;

export const serviceOf = (model: Model, card: Card): Service => ({ model: servedModel(model), card });

/** Reads the pointer at most once a second; while a model can't be read, the last good one stays in service. */
export function modelSource(objects: ObjectStore, clock: () => number, report: (cause: unknown) => void): ModelSource {
  /** The last good model. */
  let decoded: Service | undefined;

  const check = async (): Promise<{ list: ModelList; service?: Service }> => {
    const { list } = await readModels(objects);
    if (list.current === undefined || list.current === decoded?.card.id) return { list, service: decoded };
    try {
      const found = await objects.get(modelKey(list.current));
      if (!found) throw new Error(`model ${list.current} is in service, but its file is missing`);
      const model = decodeModel(found.body);
      const card = list.cards.find(({ id }) => id === list.current) as Card;
      decoded = serviceOf(model, card);
    } catch (cause) {
      report(cause);
    }
    return { list, service: decoded };
  };
  /** Replaces the list of models; tries again if another process replaced it meanwhile. */
  const change = async (decide: (list: ModelList) => { card: Card; next: ModelList }): Promise<Card> => {
    for (;;) {
      const { list, etag } = await readModels(objects);
      const { card, next } = decide(list);
      try {
        await objects.put(latestKey, JSON.stringify(next), { ifMatch: etag });
        checked.expire();
        return card;
      } catch (cause) {
        if (!(cause instanceof PreconditionFailed)) throw cause;
      }
    }
  };
  const checked = renewed(check, { clock, report, longestMs });

  return {
    async current() {
      return (await checked()).service;
    },
    async list() {
      return (await checked()).list;
    },
    async refused() {
      const { list } = await checked();
      const found = await objects.get(refusedKey);
      if (!found) return;
      const card = JSON.parse(new TextDecoder().decode(found.body)) as Card;
      return list.cards.every(({ trainedAt }) => trainedAt < card.trainedAt) ? card : undefined;
    },
    async rollback(id) {
      return change((list) => {
        const at = list.cards.findIndex((card) => card.id === list.current);
        const card = id === undefined ? list.cards[at + 1] : list.cards.find((card) => card.id === id);
        if (!card)
          throw notFound(
            id === undefined
              ? 'There is no model before the one in service.'
              : `No model "${id}" is kept: GET /v1/model lists those that are.`,
          );
        return { card, next: { ...list, current: card.id, since: clock(), held: true } };
      });
    },
    async lift() {
      return change(({ held, ...list }) => {
        const card = cardInService(list);
        if (!held || !card) throw notFound('There is no rollback to lift.');
        return { card, next: list };
      });
    },
  };
}
