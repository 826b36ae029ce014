// What may be recommended, and what is said of it: read whole, now and then, so that a request waits for no aggregation.
import type { CatalogueRow, SearchStore } from '#core/stores.ts';
import { trendingHalfLifeMs } from './repositories.ts';

export interface Catalogue {
  /** By name; what is not here has no pull that teaches, and is never recommended. */
  rows: Map<string, CatalogueRow>;
  /** Most pulls first. */
  popular: CatalogueRow[];
  /** Greatest weight first; only what was pulled these days. */
  trending: CatalogueRow[];
}

/** Never older than `longest` allows. */
export type CatalogueSource = () => Promise<Catalogue>;

/** As much as one pull a half-life ago. */
const trend = 0.5;
/** A reading serves this long; while it is in use, the next begins at half of that. */
const longestMs = 2000;
/** A reading that takes long serves this many times as long: reading takes at most a twentieth of the time. */
const times = 40;

/**
 * One reading for all requests, at most 2 s old, or 40 times what a reading takes. A failed reading is reported, and
 * leaves the last one in use, however old.
 */
export function catalogueSource(
  search: Pick<SearchStore, 'catalogue'>,
  clock: () => number,
  report: (cause: unknown) => void,
): CatalogueSource {
  let latest: { catalogue: Catalogue; readAt: number; longest: number } | undefined;
  let reading: Promise<Catalogue> | undefined;

  const read = async () => {
    const began = clock();
    const rows = await search.catalogue({ now: began, halfLifeMs: trendingHalfLifeMs });
    const catalogue: Catalogue = {
      rows: new Map(rows.map((row) => [row.repository, row])),
      // Sorting is stable and rows come by name: ties are in the order of names.
      popular: rows.toSorted((a, b) => b.pulls - a.pulls),
      trending: rows.filter(({ weight }) => weight >= trend).sort((a, b) => b.weight - a.weight),
    };
    latest = { catalogue, readAt: began, longest: Math.max(longestMs, times * (clock() - began)) };
    return catalogue;
  };
  const anew = () => {
    reading ??= read()
      .catch((cause) => {
        if (!latest) throw cause;
        report(cause);
        return latest.catalogue;
      })
      .finally(() => {
        reading = undefined;
      });
    return reading;
  };

  return async () => {
    const age = latest ? clock() - latest.readAt : Number.POSITIVE_INFINITY;
    if (latest && age < latest.longest) {
      if (2 * age >= latest.longest) void anew();
      return latest.catalogue;
    }
    return anew();
  };
}
