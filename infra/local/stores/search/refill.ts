// Search is made of events: where its file is missing or damaged, it is made again from them. Reads of search respond 503 until
// all events are back, and health says how many are.
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { SearchChange } from '#core/stores.ts';
import { type RecountOptions, recount } from '#process/recount.ts';
import { syncFolder } from '../secrets/secret.ts';
import { emptySearch } from './search.ts';
import type { Sums } from './sums.ts';

/** Is there while search.db is known to be damaged. */
const markOf = (folder: string) => join(folder, 'search.damaged');

/** Has the next start make search again. */
export function markSearchDamaged(folder: string): void {
  writeFileSync(markOf(folder), 'npm start makes search.db again from events.db.\n');
}

/**
 * Puts an empty search.db that is to be filled in the place of one that is missing, unreadable or marked, where there are events.
 * Returns what was wrong. Nobody may have it open.
 */
export function replaceLostSearch(folder: string): string | undefined {
  const [file, events, draft] = ['search.db', 'events.db', 'search-new.db'].map((name) => join(folder, name));
  if (!existsSync(events)) return;
  const lost = lostBy(folder, file);
  const total = lost === undefined ? 0 : countOf(events);
  // An unreadable file without events to make it of is opened, and says what is wrong with it.
  if (total === 0) return;
  for (const name of filesOf(draft)) rmSync(name, { force: true });
  // What it keeps of forgotten users' images is in no event.
  emptySearch(draft, total, file);
  for (const name of filesOf(file)) rmSync(name, { force: true });
  renameSync(draft, file);
  rmSync(markOf(folder), { force: true });
  syncFolder(dirname(file));
  return lost;
}

const filesOf = (file: string) => [file, `${file}-wal`, `${file}-shm`];

function lostBy(folder: string, file: string): string | undefined {
  if (!existsSync(file)) return 'is missing';
  if (existsSync(markOf(folder))) return 'is damaged';
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { readOnly: true, timeout: 10_000 });
    const has = (table: string) =>
      database!.prepare('SELECT 1 FROM sqlite_master WHERE name = ?').get(table) !== undefined &&
      database!.prepare(`SELECT 1 FROM ${table} LIMIT 1`).get() !== undefined;
    // As after a command that found none.
    return has('documents') || has('filling') ? undefined : 'has no documents';
  } catch (cause) {
    return `can't be read: ${(cause as Error).message}`;
  } finally {
    database?.close();
  }
}

function countOf(events: string): number {
  const database = new DatabaseSync(events, { timeout: 10_000 });
  try {
    const there = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'events'").get();
    return there ? Number(database.prepare('SELECT COUNT(*) AS total FROM events').get()?.total) : 0;
  } catch {
    // It is opened next, and says what is wrong with it.
    return 0;
  } finally {
    database.close();
  }
}

/** Documents that are written at once. */
const writtenAtOnce = 2000;

/** Writes the documents of all events; returns false where it was stopped: the next start begins again. */
export async function refill(
  { sums, search, ...options }: Omit<RecountOptions, 'objects'> & { sums: Pick<Sums, 'filled'> },
  isStopped: () => boolean,
): Promise<boolean> {
  let waiting: SearchChange[] = [];
  const flush = async () => {
    const changes = waiting;
    waiting = [];
    await search.write(changes);
  };
  class Stopped extends Error {}
  try {
    const { events } = await recount({
      ...options,
      search: {
        async write(changes) {
          if (isStopped()) throw new Stopped();
          waiting.push(...changes);
          if (waiting.length >= writtenAtOnce) await flush();
        },
        async forget(user) {
          await flush();
          await search.forget(user);
        },
      },
      objects: undefined,
      progress: ({ events }) => sums.filled(events),
    });
    await flush();
    sums.filled(events, true);
    return true;
  } catch (cause) {
    if (cause instanceof Stopped) return false;
    throw cause;
  }
}
