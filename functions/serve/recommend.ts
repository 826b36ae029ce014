// Never empty, and says why: ALS on the newest pulls -> similar -> trending -> popular.
import { scoresOf, similarity, topN } from '#core/recommend.ts';
import type { SearchStore } from '#core/stores.ts';
import type { ModelSource, Service } from './models.ts';
import { trendingHalfLifeMs } from './repositories.ts';

export interface Wanted {
  /** What they pulled how often, newest first. */
  pulled: Map<string, number>;
  exclude: Set<string>;
  limit: number;
  /** Asked of each candidate where `pulled` and `exclude` don't hold everything that was ever pulled. */
  pulledBefore?: (repository: string) => Promise<boolean>;
}

export interface Recommendation {
  repository: string;
  score: number;
  source: 'als' | 'similar' | 'trending' | 'popular';
  /** Other people who pulled it. */
  pulledBy: number;
  /** Shares of the person's own pulls in the score, greatest first. */
  because: { repository: string; share: number }[];
}

type Candidate = Omit<Recommendation, 'pulledBy'> & { pulledBy?: number };
/** At most `count` candidates that `skip` lets through, best first; fewer only when there are no more. */
type Supply = (count: number, skip: (repository: string) => boolean) => Candidate[] | Promise<Candidate[]>;

const reasons = 3;

/** At most `limit` images that were neither pulled nor excluded, best first. */
export async function recommend(
  { pulled, exclude, limit, pulledBefore = async () => false }: Wanted,
  { search, models, clock }: { search: SearchStore; models: ModelSource; clock: () => number },
): Promise<{ items: Recommendation[]; model?: { id: string; trainedAt: number } }> {
  const service = await models.current();
  const items: Recommendation[] = [];
  const judged = new Set<string>();
  const skip = (repository: string) => pulled.has(repository) || exclude.has(repository) || judged.has(repository);

  const supplies: Supply[] = [
    ...(service ? modelSupplies(service, pulled) : []),
    ranked(search, clock(), 'trending'),
    ranked(search, clock(), 'popular'),
  ];
  for (const supply of supplies) {
    while (items.length < limit) {
      const wanted = limit - items.length;
      const candidates = await supply(wanted, skip);
      for (const { repository } of candidates) judged.add(repository);
      const unknown = candidates.filter(({ pulledBy }) => pulledBy === undefined).map(({ repository }) => repository);
      const rows = new Map(
        unknown.length === 0 ? [] : (await search.repositoryRows(unknown)).map((row) => [row.repository, row]),
      );
      const old = await Promise.all(candidates.map(({ repository }) => pulledBefore(repository)));
      candidates.forEach((candidate, at) => {
        // A model may know images that were deleted since; what is in no store any more is not recommended.
        const pulledBy = candidate.pulledBy ?? rows.get(candidate.repository)?.pulledBy;
        if (pulledBy !== undefined && !old[at]) items.push({ ...candidate, pulledBy });
      });
      if (candidates.length < wanted) break;
    }
  }
  return { items, model: service && { id: service.card.id, trainedAt: service.card.trainedAt } };
}

function modelSupplies({ model, index, foldIn }: Service, pulled: Map<string, number>): Supply[] {
  const known = [...pulled.keys()].filter((repository) => index.has(repository));
  if (known.length === 0) return [];
  const own = known.map((repository) => index.get(repository) as number);
  const factors = { rank: model.rank, items: model.factors };
  const person = foldIn(
    own,
    known.map((repository) => pulled.get(repository) as number),
  );
  const scores = scoresOf(factors, person.factors);
  const newest = own[0] * model.rank;
  let cosines: Float32Array | undefined;

  const because = (item: number) => {
    const parts = person.explain(item);
    const total = parts.reduce((sum, part) => sum + part, 0);
    return known
      .map((repository, at) => ({ repository, share: parts[at] / total }))
      .filter(({ share }) => share > 0)
      .sort((a, b) => b.share - a.share)
      .slice(0, reasons);
  };
  return [
    (count, skip) =>
      topN(scores, count, (item) => !(scores[item] > 0) || skip(model.items[item])).map(({ item, score }) => ({
        ...{ repository: model.items[item], score, source: 'als' },
        because: because(item),
      })),
    (count, skip) => {
      cosines ??= similarity(factors, model.factors.subarray(newest, newest + model.rank));
      const near = cosines;
      return topN(near, count, (item) => !(near[item] > 0) || skip(model.items[item])).map(({ item, score }) => ({
        ...{ repository: model.items[item], score, source: 'similar' },
        because: [{ repository: known[0], share: 1 }],
      }));
    },
  ];
}

/** The store's own order. A page too small for what is skipped is read again, larger. */
function ranked(search: SearchStore, now: number, source: 'trending' | 'popular'): Supply {
  let read: Candidate[] | undefined;
  let size = 0;
  return async (count, skip) => {
    for (;;) {
      const found = read?.filter(({ repository }) => !skip(repository)) ?? [];
      if (read && (found.length >= count || read.length < size)) return found.slice(0, count);
      size = size === 0 ? 4 * count : 4 * size;
      const rows = await search.repositories({ sort: source, limit: size, now, halfLifeMs: trendingHalfLifeMs });
      read = rows
        .filter(({ pulls }) => pulls > 0)
        .map(({ repository, pulls, pulledBy }) => ({ repository, score: pulls, source, pulledBy, because: [] }));
    }
  };
}
