// Makes a list that is never empty and says why: from the model with the newest pulls -> similar -> trending ->
// popular. Without a readable model, the list that training saved replaces the first two.
import type { ModelKind } from '#core/recommender/model-file.ts';
import { sharesOf } from '#core/recommender/recommend.ts';
import type { Similar } from '#core/recommender/served.ts';
import { registryOf } from '#core/registry/name.ts';
import type { CatalogueRow, SavedRecommendations } from '#core/stores.ts';
import { type Catalogue, type CatalogueSource, sharedBy } from '../registry/catalogue.ts';
import type { ModelSource, Service } from './models.ts';

export interface Wanted {
  /** What the user pulled and on how many days, newest first. */
  pulled: Map<string, number>;
  exclude: Set<string>;
  /** Only repositories of this registry. */
  registry?: string;
  limit: number;
  /** Returns the user's list as training saved it; called if there is no model. */
  saved?: () => Promise<SavedRecommendations | undefined>;
}

export interface Recommendation {
  repository: string;
  score: number;
  /** The model's kind, or the step of the fallback. */
  source: ModelKind | 'similar' | 'trending' | 'popular';
  /** How many other users pulled it. */
  pulledBy: number;
  /** The user's own pulls with the greatest shares of its positive score; together at most 1. */
  because: { repository: string; share: number }[];
}

type Candidate = Omit<Recommendation, 'pulledBy'>;
/** At most `count` candidates that `skip` does not exclude, best first; fewer only if there are no more. */
type Supply = (count: number, skip: (repository: string) => boolean) => Candidate[];

const reasons = 3;

/**
 * Whether enough users pulled both. Files of version 1 don't have this number: then each must have been pulled by
 * several.
 */
export const isSupported = ({ shared }: Similar, pulledBy: number): boolean => (shared ?? pulledBy) >= sharedBy;

/** At most `limit` repositories that were neither pulled nor excluded, best first. */
export async function recommend(
  { pulled, exclude, registry, limit, saved }: Wanted,
  { catalogue, models }: { catalogue: CatalogueSource; models: ModelSource },
): Promise<{ items: Recommendation[]; model?: { id: string; trainedAt: number }; note?: string }> {
  const [service, { rows, trending, popular, single }] = await Promise.all([models.current(), catalogue()]);
  const items: Recommendation[] = [];
  const listed = new Set<string>();
  // A model may know repositories that were deleted since: these are not recommended.
  const skip = (repository: string) =>
    pulled.has(repository) ||
    exclude.has(repository) ||
    listed.has(repository) ||
    !rows.has(repository) ||
    (registry !== undefined && registryOf(repository) !== registry);

  const pulledBy = (repository: string) => rows.get(repository)?.pulledBy ?? 0;
  const list = service ? undefined : await saved?.();
  const supplies: Supply[] = [
    ...(service ? modelSupplies(service, pulled, pulledBy) : []),
    ...(list ? [ofList(list)] : []),
    ranked(trending, 'trending', ({ weight }) => weight),
    ranked(popular, 'popular', ({ pulledBy }) => pulledBy),
    ranked(single, 'popular', ({ pulledBy }) => pulledBy),
  ];
  for (const supply of supplies) {
    if (items.length === limit) break;
    for (const candidate of supply(limit - items.length, skip)) {
      listed.add(candidate.repository);
      items.push({ ...candidate, pulledBy: pulledBy(candidate.repository) });
    }
  }
  const note = service?.model.personal ? tooLittle(service, pulled, pulledBy) : undefined;
  return { items, model: service && { id: service.card.id, trainedAt: service.card.trainedAt }, note };
}

/** Why the model says nothing about these pulls; undefined if it does. */
function tooLittle(
  { model }: Service,
  pulled: Map<string, number>,
  pulledBy: (repository: string) => number,
): string | undefined {
  const names = [...pulled.keys()];
  if (names.length === 0) return 'There are no pulls to learn from yet: this is what others pull.';
  if (names.some((name) => model.index.has(name) && pulledBy(name) >= sharedBy)) return undefined;
  return `None of these repositories had been pulled by ${sharedBy} users when the model was trained: this is what others pull.`;
}

function modelSupplies(
  { model }: Service,
  pulled: Map<string, number>,
  pulledBy: (repository: string) => number,
): Supply[] {
  const known = [...pulled.keys()].filter((repository) => model.index.has(repository));
  // A repository that only one user pulled says nothing about others: it is neither a candidate nor a reason for one.
  const several = (repository: string) => pulledBy(repository) >= sharedBy;
  if (!model.personal) return [sameForAll(model, several)];
  if (!known.some(several)) return [];
  const own = known.map((repository) => model.index.get(repository) as number);
  const taste = model.taste({ items: own, counts: known.map((repository) => pulled.get(repository) as number) });
  const because = (item: number) =>
    sharesOf(taste.parts(item), reasons).map(({ at, share }) => ({ repository: known[at], share }));
  return [
    (count, skip) =>
      taste
        .best(count, (item) => !several(model.items[item]) || skip(model.items[item]))
        .map(({ item, score }) => ({
          ...{ repository: model.items[item], score, source: model.kind, because: because(item) },
        })),
    (count, skip) =>
      model
        .similar(own[0], model.items.length, (item) => !several(model.items[item]) || skip(model.items[item]))
        .filter((near) => several(known[0]) && isSupported(near, pulledBy(model.items[near.item])))
        .slice(0, count)
        .map(({ item, score }) => ({
          ...{ repository: model.items[item], score, source: 'similar', because: [{ repository: known[0], share: 1 }] },
        })),
  ];
}

/** Popularity won the competition: everybody gets its order. */
function sameForAll(model: Service['model'], several: (repository: string) => boolean): Supply {
  const { best } = model.taste({ items: [], counts: [] });
  return (count, skip) =>
    best(count, (item) => !several(model.items[item]) || skip(model.items[item])).map(({ item, score }) => ({
      ...{ repository: model.items[item], score, source: 'popular' as const, because: [] },
    }));
}

/** The list as training scored it; training stores no reasons. */
function ofList({ items }: SavedRecommendations): Supply {
  return (count, skip) =>
    items
      .filter(({ repository }) => !skip(repository))
      .slice(0, count)
      .map(({ repository, score }) => ({ repository, score, source: 'als', because: [] }));
}

/** The catalogue's own order. */
function ranked(
  rows: Catalogue['popular'],
  source: 'trending' | 'popular',
  scoreOf: (row: CatalogueRow) => number,
): Supply {
  return (count, skip) => {
    const found: Candidate[] = [];
    for (const row of rows) {
      if (found.length === count) break;
      if (!skip(row.repository)) found.push({ repository: row.repository, score: scoreOf(row), source, because: [] });
    }
    return found;
  };
}
