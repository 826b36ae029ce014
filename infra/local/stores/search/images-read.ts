// Results computed from the images of a repository, kept in memory until something that they were computed from changes: the
// repository's stamp says so (sums.ts).
import type { RepositoryImages } from '#core/registry/images.ts';
import { isDeleted, type UnusedImage, unusedImages } from '#core/registry/unused.ts';
import { dayMs } from './sums.ts';

export interface Stamped {
  repository: string;
  stamp: number;
  lastPull: number;
}

interface Unused {
  stamp: number;
  /** The result is the same for all from < since <= to. */
  from: number;
  to: number;
  rows: UnusedImage[];
}

/** Results of one repository that are kept: pages ask for a few numbers of days. */
const kept = 4;

export function imagesRead(read: (repository: string) => RepositoryImages | undefined) {
  const unused = new Map<string, Unused[]>();
  const deleted = new Map<string, { stamp: number; is: boolean }>();
  return {
    unused({ repository, stamp, lastPull }: Stamped, since: number): UnusedImage[] {
      const own = (unused.get(repository) ?? []).filter((one) => one.stamp === stamp);
      const found = own.find(({ from, to }) => from < since && since <= to);
      if (found) return found.rows;
      const images = read(repository);
      const rows = images ? unusedImages(images, since) : [];
      let [from, to] = [
        Number.NEGATIVE_INFINITY,
        lastPull ? Math.floor(lastPull / dayMs) * dayMs : Number.POSITIVE_INFINITY,
      ];
      for (const { time } of images?.facts ?? [])
        if (time < since) from = Math.max(from, time);
        else to = Math.min(to, time);
      // On the day of the newest pull facts move on without a stamp.
      if (since <= to) unused.set(repository, [{ stamp, from, to, rows }, ...own].slice(0, kept));
      return rows;
    },
    isDeleted({ repository, stamp }: Pick<Stamped, 'repository' | 'stamp'>): boolean {
      const found = deleted.get(repository);
      if (found?.stamp === stamp) return found.is;
      const images = read(repository);
      const is = images !== undefined && isDeleted(images);
      deleted.set(repository, { stamp, is });
      return is;
    },
  };
}
