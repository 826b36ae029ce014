// What may be recommended, and by how many users it is pulled: kept in memory as a whole, so that no request waits for
// an aggregation.
import { setImmediate as pause } from 'node:timers/promises';
import { type CatalogueRow, halfLifeDays, type SearchStore } from '#core/stores.ts';
import { type Renewed, renewed } from '../renewed.ts';

export interface Catalogue {
  /**
   * Repositories by name. One that is missing was not pulled by any class that training learns from, and is never
   * recommended.
   */
  rows: Map<string, CatalogueRow>;
  /** Most users first, then most days; only repositories that several users pulled. */
  popular: CatalogueRow[];
  /** Greatest weight first; only repositories that several users pulled recently. */
  trending: CatalogueRow[];
  /** Repositories that only one user pulled, by name: how often one user pulls says nothing about others. */
  single: CatalogueRow[];
}

export type CatalogueSource = Renewed<Catalogue>;

/** Fewer users than this say nothing about what another will want. */
export const sharedBy = 2;
/** The weight of one user's pull a half-life ago. */
const trend = 0.5;

/**
 * Returns the catalogue, at most 2 s old or 20 times what a reading takes: while it is in use, at most a tenth of the
 * time is spent reading.
 */
export function catalogueSource(
  search: Pick<SearchStore, 'catalogue'>,
  clock: () => number,
  report: (cause: unknown) => void,
): CatalogueSource {
  const read = async (): Promise<Catalogue> => {
    const rows = await search.catalogue({ now: clock(), halfLifeMs: halfLifeDays * 86_400_000 });
    const byName = new Map(rows.map((row) => [row.repository, row]));
    // Other requests run in between: with 10,000 repositories each step takes some milliseconds.
    await pause();
    // Sorting is stable and rows are sorted by name, so ties are in order of names.
    const popular = rows
      .filter(({ pulledBy }) => pulledBy >= sharedBy)
      .sort((a, b) => b.pulledBy - a.pulledBy || b.days - a.days);
    await pause();
    const trending = rows
      .filter(({ recent, weight }) => recent >= sharedBy && weight >= trend)
      .sort((a, b) => b.weight - a.weight);
    return { rows: byName, popular, trending, single: rows.filter(({ pulledBy }) => pulledBy < sharedBy) };
  };
  return renewed(read, { clock, report, longestMs: 2000, times: 20 });
}
