// The unused images with the oldest pushes, kept in memory, so that a read computes only those of repositories whose
// stamps have changed (`stampChange` in counted.ts). The newest are not kept: at ten million pulls 350,000 are unused.
import { inTurn } from '#core/parallel.ts';
import type { RepositoryImages } from '#core/registry/images.ts';
import { byPush, oldestOf, type UnusedImage, unusedImages } from '#core/registry/unused.ts';
import { rowsATurn, turns } from '../sqlite/turns.ts';
import { changesOf, dayMs } from './counted.ts';
import type { Stamped } from './deleted-read.ts';

/** The unused images of a repository. */
interface Unused {
  /** The whole stamp if `isExact`; otherwise only the changes in it, without the moves of facts within a day. */
  stamp: number;
  isExact: boolean;
  /** They are the same for any `since` with from < since <= to. */
  from: number;
  to: number;
  /** The oldest push first. */
  rows: UnusedImage[];
}

/** What is kept of all repositories, or of a registry's, for about one number of days. */
interface Kept {
  registry?: string;
  since: number;
  of: Map<string, Unused>;
  /** How many images. */
  count: number;
  /** Those pushed later are not kept. */
  through: number;
  /** The last result, while it holds. */
  oldest?: { limit: number; rows: UnusedImage[] };
}

interface Pulled extends Stamped {
  lastPull: number;
}

interface UnusedQuery {
  since: number;
  registry?: string;
  limit: number;
}

interface Source {
  /** All repositories, or a registry's. */
  repositories(registry: string | undefined): Pulled[];
  read(repository: string): RepositoryImages;
  /** Whether anything was ever pushed there; if not, its images need not be read. */
  isPushed(repository: string): boolean;
}

/** For how many numbers of days, and registries, images are kept: pages use only a few. */
const mostKept = 4;
/** `since` moves on with the clock; times further apart than this are taken as different numbers of days. */
const nearMs = dayMs / 2;

/** `least`: how many images are kept when there are more than twice as many. */
export function unusedRead(source: Source, least: number): (query: UnusedQuery) => Promise<UnusedImage[]> {
  let all: Kept[] = [];
  const turn = inTurn();

  function keptFor({ since, registry }: UnusedQuery): Kept {
    const distance = (kept: Kept) => Math.abs(kept.since - since);
    const near = all
      .filter((kept) => kept.registry === registry && distance(kept) < nearMs)
      .sort((a, b) => distance(a) - distance(b))[0];
    const kept = near ?? { registry, since, of: new Map(), count: 0, through: Number.POSITIVE_INFINITY };
    all = [kept, ...all.filter((other) => other !== kept)].slice(0, mostKept);
    return Object.assign(kept, { since });
  }

  function computed({ repository, stamp, lastPull }: Pulled, since: number): Unused {
    const images = source.isPushed(repository) ? source.read(repository) : undefined;
    // Facts that move within the day of the newest pull don't change what was unused before that day.
    const newest = lastPull ? Math.floor(lastPull / dayMs) * dayMs : Number.POSITIVE_INFINITY;
    const isExact = since > newest;
    let [from, to] = [Number.NEGATIVE_INFINITY, isExact ? Number.POSITIVE_INFINITY : newest];
    for (const { time } of images?.facts ?? [])
      if (time < since) from = Math.max(from, time);
      else to = Math.min(to, time);
    const rows = images ? unusedImages(images, since).sort(byPush) : [];
    return { stamp: isExact ? stamp : changesOf(stamp), isExact, from, to, rows };
  }

  function put(kept: Kept, repository: string, unused: Unused | undefined): void {
    kept.count -= kept.of.get(repository)?.rows.length ?? 0;
    kept.of.delete(repository);
    kept.oldest = undefined;
    if (!unused) return;
    kept.of.set(repository, { ...unused, rows: upTo(unused.rows, kept.through) });
    kept.count += kept.of.get(repository)!.rows.length;
  }

  function cut(kept: Kept, most: number): void {
    kept.through = oldestOf(listsOf(kept), most)[most - 1].lastPush;
    for (const [repository, unused] of [...kept.of]) put(kept, repository, unused);
  }

  async function bringUpToDate(kept: Kept, { since, limit }: UnusedQuery): Promise<void> {
    const most = Math.max(least, limit);
    const stamped = source.repositories(kept.registry);
    // Other reads in this thread have turns in between.
    const pause = turns(rowsATurn);
    for (const one of stamped) {
      const held = kept.of.get(one.repository);
      if (held && isValid(held, one.stamp, since)) continue;
      const unused = computed(one, since);
      put(kept, one.repository, unused);
      if (kept.count > 2 * most) cut(kept, most);
      await pause(rowsATurn);
    }
    if (kept.of.size === stamped.length) return;
    const there = new Set(stamped.map(({ repository }) => repository));
    for (const repository of kept.of.keys()) if (!there.has(repository)) put(kept, repository, undefined);
  }

  return async (query) => {
    const over = await turn();
    try {
      const { limit } = query;
      const kept = keptFor(query);
      await bringUpToDate(kept, query);
      // Some that were dropped may be among the oldest now.
      if (kept.count < limit && kept.through !== Number.POSITIVE_INFINITY) {
        Object.assign(kept, { of: new Map(), count: 0, through: Number.POSITIVE_INFINITY, oldest: undefined });
        await bringUpToDate(kept, query);
      }
      if (kept.oldest?.limit !== limit) kept.oldest = { limit, rows: oldestOf(listsOf(kept), limit) };
      return kept.oldest.rows;
    } finally {
      over();
    }
  };
}

const isValid = ({ isExact, from, to, ...held }: Unused, stamp: number, since: number) =>
  held.stamp === (isExact ? stamp : changesOf(stamp)) && from < since && since <= to;

const listsOf = ({ of }: Kept) => [...of.values()].map(({ rows }) => rows);

/** Those that were pushed until then. */
function upTo(rows: UnusedImage[], through: number): UnusedImage[] {
  const end = rows.findIndex(({ lastPush }) => lastPush > through);
  return end === -1 ? rows : rows.slice(0, end);
}
