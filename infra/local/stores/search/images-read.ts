// Results computed from the images of a repository, kept in memory until the repository's stamp shows that its images
// have changed (`stampChange` in counted.ts).
import type { RepositoryImages } from '#core/registry/images.ts';
import { byPush, isDeleted, type UnusedImage, unusedImages } from '#core/registry/unused.ts';
import { dayMs, stampChange } from './counted.ts';

export interface Stamped {
  repository: string;
  stamp: number;
  lastPull: number;
}

interface Unused {
  /** The whole stamp if `isExact`; otherwise only the changes in it, without the moves of facts within a day. */
  stamp: number;
  isExact: boolean;
  /** The result is the same for any `since` with from < since <= to. */
  from: number;
  to: number;
  /** The oldest push first. */
  rows: UnusedImage[];
}

/** How many results are kept for a repository: pages use only a few numbers of days. */
const kept = 4;
const changesOf = (stamp: number) => Math.floor(stamp / stampChange);

/** `isPushed`: whether anything was ever pushed there; if not, its images need not be read. */
export function imagesRead(read: (repository: string) => RepositoryImages, isPushed: (repository: string) => boolean) {
  const unused = new Map<string, Unused[]>();
  const deleted = new Map<string, { changes: number; is: boolean }>();
  return {
    unused({ repository, stamp, lastPull }: Stamped, since: number): UnusedImage[] {
      const changes = changesOf(stamp);
      const own = (unused.get(repository) ?? []).filter((one) => one.stamp === (one.isExact ? stamp : changes));
      const found = own.find(({ from, to }) => from < since && since <= to);
      if (found) return found.rows;
      const images = isPushed(repository) ? read(repository) : undefined;
      const rows = images ? unusedImages(images, since).sort(byPush) : [];
      // Facts that move within the day of the newest pull don't change what was unused before that day.
      const newest = lastPull ? Math.floor(lastPull / dayMs) * dayMs : Number.POSITIVE_INFINITY;
      const isExact = since > newest;
      let [from, to] = [Number.NEGATIVE_INFINITY, isExact ? Number.POSITIVE_INFINITY : newest];
      for (const { time } of images?.facts ?? [])
        if (time < since) from = Math.max(from, time);
        else to = Math.min(to, time);
      const result = { stamp: isExact ? stamp : changes, isExact, from, to, rows };
      unused.set(repository, [result, ...own].slice(0, kept));
      return rows;
    },
    isDeleted({ repository, stamp }: Pick<Stamped, 'repository' | 'stamp'>): boolean {
      const changes = changesOf(stamp);
      const found = deleted.get(repository);
      if (found?.changes === changes) return found.is;
      const is = isDeleted(read(repository));
      deleted.set(repository, { changes, is });
      return is;
    },
  };
}
