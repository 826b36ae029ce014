// What may be recommended, and by how many it is pulled: read whole, so that a request waits for no aggregation.
import { setImmediate as pause } from 'node:timers/promises';
import { type CatalogueRow, halfLifeDays, type SearchStore } from '#core/stores.ts';
import { type Renewed, renewed } from '../renewed.ts';

export interface Catalogue {
  /** Repositories by name; one that is missing was pulled by no class that training learns from, and is never recommended. */
  rows: Map<string, CatalogueRow>;
  /** Pulled by most users first, then on most days; only what several pulled. */
  popular: CatalogueRow[];
  /** Greatest weight first; only what several pulled recently. */
  trending: CatalogueRow[];
  /** What a single user pulled, by name: how often one pulls says nothing about others. */
  single: CatalogueRow[];
}

export type CatalogueSource = Renewed<Catalogue>;

/** Fewer users than this say nothing about what another will want. */
export const sharedBy = 2;
/** The weight of one user's pull a half-life ago. */
const trend = 0.5;

/** Returns the catalogue, at most 2 s old or 20 times what a reading takes: in use, one reads a tenth of the time. */
export function catalogueSource(
  search: Pick<SearchStore, 'catalogue'>,
  clock: () => number,
  report: (cause: unknown) => void,
): CatalogueSource {
  const read = async (): Promise<Catalogue> => {
    const rows = await search.catalogue({ now: clock(), halfLifeMs: halfLifeDays * 86_400_000 });
    const byName = new Map(rows.map((row) => [row.repository, row]));
    // Requests go between: each step takes some milliseconds of 10,000 repositories.
    await pause();
    // Sorting is stable and rows come by name: ties are in the order of names.
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
