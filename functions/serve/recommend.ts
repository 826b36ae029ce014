// Never empty, and says why: ALS on the newest pulls -> similar -> trending -> popular.
import { explain, foldIn, scoresOf, similarity, topN } from '#core/recommend.ts';
import type { RepositoryRow, SearchStore } from '#core/stores.ts';
import type { ModelSource } from './models.ts';
import { trendingHalfLifeMs } from './repositories.ts';

export interface Wanted {
  /** Whose recommendations; undefined for a bare list of repositories. */
  user?: string;
  /** What they pulled how often. */
  pulled: Map<string, number>;
  exclude: Set<string>;
  limit: number;
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

const reasons = 3;

type Candidate = Omit<Recommendation, 'pulledBy'>;

/** At most `limit` images that were neither pulled nor excluded, best first. */
export async function recommend(
  { pulled, exclude, limit }: Wanted,
  { search, models, clock }: { search: SearchStore; models: ModelSource; clock: () => number },
): Promise<{ items: Recommendation[]; model?: { id: string; trainedAt: number } }> {
  const service = await models.current();
  const taken = new Set<string>();
  const skip = (repository: string) => pulled.has(repository) || exclude.has(repository) || taken.has(repository);
  const items: Recommendation[] = [];

  const add = async (candidates: Candidate[], rows?: Map<string, RepositoryRow>) => {
    const fresh = candidates.filter(({ repository }) => !skip(repository));
    const known = rows ?? byName(await search.repositoryRows(fresh.map(({ repository }) => repository)));
    for (const candidate of fresh) {
      // A model may know images that were deleted since; what is in no store any more is not recommended.
      const row = known.get(candidate.repository);
      if (!row || items.length === limit) continue;
      taken.add(candidate.repository);
      items.push({ ...candidate, pulledBy: row.pulledBy });
    }
  };

  if (service) {
    const { model, index } = service;
    const known = [...pulled].filter(([repository]) => index.has(repository));
    const own = known.map(([repository]) => index.get(repository) as number);
    const pulls = known.map(([, count]) => count);
    const factors = { rank: model.rank, items: model.factors };
    const skipItem = (item: number) => skip(model.items[item]);
    if (own.length > 0) {
      const person = foldIn(factors, own, pulls, model);
      const best = topN(scoresOf(factors, person), limit, skipItem).filter(({ score }) => score > 0);
      await add(
        best.map(({ item, score }) => ({
          ...{ repository: model.items[item], score, source: 'als' as const },
          because: known
            .map(([repository], at) => ({ repository, share: shares(item)[at] }))
            .filter(({ share }) => share > 0)
            .sort((a, b) => b.share - a.share)
            .slice(0, reasons),
        })),
      );
      if (items.length < limit) {
        const near = topN(
          similarity(factors, model.factors.subarray(own[0] * model.rank, (own[0] + 1) * model.rank)),
          limit,
          skipItem,
        );
        await add(
          near
            .filter(({ score }) => score > 0)
            .map(({ item, score }) => ({
              ...{ repository: model.items[item], score, source: 'similar' as const },
              because: [{ repository: known[0][0], share: 1 }],
            })),
        );
      }

      function shares(item: number): number[] {
        const parts = explain(factors, item, own, pulls, model);
        const total = parts.reduce((sum, part) => sum + part, 0);
        return parts.map((part) => part / total);
      }
    }
  }
  for (const source of ['trending', 'popular'] as const) {
    if (items.length === limit) break;
    const rows = await search.repositories({
      sort: source,
      limit: limit + pulled.size + exclude.size + items.length,
      now: clock(),
      halfLifeMs: trendingHalfLifeMs,
    });
    const pulledAtAll = rows.filter(({ pulls }) => pulls > 0);
    await add(
      pulledAtAll.map(({ repository, pulls }) => ({ repository, score: pulls, source, because: [] })),
      byName(pulledAtAll),
    );
  }
  return { items, model: service && { id: service.card.id, trainedAt: service.card.trainedAt } };
}

const byName = (rows: RepositoryRow[]) => new Map(rows.map((row) => [row.repository, row]));
