// Never empty, and says why: ALS on the newest pulls -> similar -> trending -> popular. Without a model that can be read,
// the list that training saved stands in for the first two.
import type { ModelKind } from '#core/recommender/model-file.ts';
import { sharesOf } from '#core/recommender/recommend.ts';
import type { CatalogueRow, SavedRecommendations } from '#core/stores.ts';
import type { Catalogue, CatalogueSource } from '../registry/catalogue.ts';
import type { ModelSource, Service } from './models.ts';

export interface Wanted {
  /** What they pulled how often, newest first. */
  pulled: Map<string, number>;
  exclude: Set<string>;
  limit: number;
  /** Asked of each candidate where `pulled` and `exclude` don't hold everything that was ever pulled. */
  pulledBefore?: (repository: string) => Promise<boolean>;
  /** The person's list as training saved it; asked for where there is no model. */
  saved?: () => Promise<SavedRecommendations | undefined>;
}

export interface Recommendation {
  repository: string;
  score: number;
  /** The model's kind, or the step of the fallback. */
  source: ModelKind | 'similar' | 'trending' | 'popular';
  /** Other people who pulled it. */
  pulledBy: number;
  /** The greatest shares of the person's own pulls in what speaks for it; together at most 1. */
  because: { repository: string; share: number }[];
}

type Candidate = Omit<Recommendation, 'pulledBy'>;
/** At most `count` candidates that `skip` lets through, best first; fewer only when there are no more. */
type Supply = (count: number, skip: (repository: string) => boolean) => Candidate[];

const reasons = 3;
/** Fewer people than this have an image from which the model can tell what goes with it. */
const sharedBy = 2;

/** At most `limit` images that were neither pulled nor excluded, best first. */
export async function recommend(
  { pulled, exclude, limit, pulledBefore, saved }: Wanted,
  { catalogue, models }: { catalogue: CatalogueSource; models: ModelSource },
): Promise<{ items: Recommendation[]; model?: { id: string; trainedAt: number } }> {
  const [service, { rows, trending, popular, single }] = await Promise.all([models.current(), catalogue()]);
  const items: Recommendation[] = [];
  const judged = new Set<string>();
  // A model may know images that were deleted since: what is in no store any more is not recommended.
  const skip = (repository: string) =>
    pulled.has(repository) || exclude.has(repository) || judged.has(repository) || !rows.has(repository);

  const shared = (repository: string) => (rows.get(repository)?.pulledBy ?? 0) >= sharedBy;
  const list = service ? undefined : await saved?.();
  const supplies: Supply[] = [
    ...(service ? modelSupplies(service, pulled, shared) : []),
    ...(list ? [ofList(list)] : []),
    ranked(trending, 'trending', ({ weight }) => weight),
    ranked(popular, 'popular', ({ pulledBy }) => pulledBy),
    ranked(single, 'popular', ({ pulledBy }) => pulledBy),
  ];
  for (const supply of supplies) {
    while (items.length < limit) {
      const wanted = limit - items.length;
      const candidates = supply(wanted, skip);
      for (const { repository } of candidates) judged.add(repository);
      const old = pulledBefore && (await Promise.all(candidates.map(({ repository }) => pulledBefore(repository))));
      candidates.forEach((candidate, at) => {
        const { pulledBy } = rows.get(candidate.repository) as CatalogueRow;
        if (!old?.[at]) items.push({ ...candidate, pulledBy });
      });
      if (candidates.length < wanted) break;
    }
  }
  return { items, model: service && { id: service.card.id, trainedAt: service.card.trainedAt } };
}

function modelSupplies(
  { model }: Service,
  pulled: Map<string, number>,
  shared: (repository: string) => boolean,
): Supply[] {
  const known = [...pulled.keys()].filter((repository) => model.index.has(repository));
  // What nobody else pulled says nothing about other repositories: their scores would be noise.
  if (!model.personal || !known.some(shared)) return [];
  const own = known.map((repository) => model.index.get(repository) as number);
  const taste = model.taste({ items: own, counts: known.map((repository) => pulled.get(repository) as number) });
  const because = (item: number) =>
    sharesOf(taste.parts(item), reasons).map(({ at, share }) => ({ repository: known[at], share }));
  return [
    (count, skip) =>
      taste
        .best(count, (item) => skip(model.items[item]))
        .map(({ item, score }) => ({
          ...{ repository: model.items[item], score, source: model.kind, because: because(item) },
        })),
    (count, skip) =>
      model
        .similar(own[0], count, (item) => skip(model.items[item]))
        .map(({ item, score }) => ({
          ...{ repository: model.items[item], score, source: 'similar', because: [{ repository: known[0], share: 1 }] },
        })),
  ];
}

/** As training scored them; it kept no reasons. */
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
