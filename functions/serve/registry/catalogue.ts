// What may be recommended, and what is said of it: read whole, so that a request waits for no aggregation.
import type { CatalogueRow, SearchStore } from '#core/stores.ts';
import { type Renewed, renewed } from '../renewed.ts';
import { trendingHalfLifeMs } from './repositories.ts';

export interface Catalogue {
  /** By name; what is not here has no pull that teaches, and is never recommended. */
  rows: Map<string, CatalogueRow>;
  /** Most pulls first. */
  popular: CatalogueRow[];
  /** Greatest weight first; only what was pulled these days. */
  trending: CatalogueRow[];
}

export type CatalogueSource = Renewed<Catalogue>;

/** As much as one pull a half-life ago. */
const trend = 0.5;

/** At most 2 s old, or 20 times what a reading takes: in use, one reads a tenth of the time. */
export function catalogueSource(
  search: Pick<SearchStore, 'catalogue'>,
  clock: () => number,
  report: (cause: unknown) => void,
): CatalogueSource {
  const read = async (): Promise<Catalogue> => {
    const rows = await search.catalogue({ now: clock(), halfLifeMs: trendingHalfLifeMs });
    return {
      rows: new Map(rows.map((row) => [row.repository, row])),
      // Sorting is stable and rows come by name: ties are in the order of names.
      popular: rows.toSorted((a, b) => b.pulls - a.pulls),
      trending: rows.filter(({ weight }) => weight >= trend).sort((a, b) => b.weight - a.weight),
    };
  };
  return renewed(read, { clock, report, longestMs: 2000, times: 20 });
}
