// The search store is derived from events: if its file is missing or damaged, it is rebuilt from them. Reads of search
// respond 503 until all events are back, and health says how many are.
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { SearchChange } from '#core/stores.ts';
import { type RecountOptions, recount } from '#process/recount.ts';
import { syncFolder } from '../secrets/secret.ts';
import { scrubbedOf } from '../sqlite/scrubbed.ts';
import { emptySearch } from './search.ts';
import type { Sums } from './sums.ts';

/** Exists while search.db is known to be damaged. */
const markOf = (folder: string) => join(folder, 'search.damaged');

/** Makes the next start rebuild search. */
export function markSearchDamaged(folder: string): void {
  writeFileSync(markOf(folder), 'npm start rebuilds search.db from events.db.\n');
}

/**
 * If there are events, replaces a search.db that is missing, unreadable or marked as damaged by an empty one to be
 * filled. Returns what was wrong. Nobody may have the file open.
 */
export function replaceLostSearch(folder: string): string | undefined {
  const [file, events, draft] = ['search.db', 'events.db', 'search-new.db'].map((name) => join(folder, name));
  if (!existsSync(events)) return;
  const lost = lostBy(folder, file);
  const total = lost === undefined ? 0 : countOf(events);
  // Without events to rebuild it from, an unreadable file is kept: opening it reports what is wrong.
  if (total === 0) return;
  for (const name of [draft, ...besides(draft)]) rmSync(name, { force: true });
  // Its facts about images of forgotten users are in no event.
  emptySearch(draft, total, file);
  // The draft replaces the file itself: after a crash in between, its facts can still be read.
  for (const name of besides(file)) rmSync(name, { force: true });
  renameSync(draft, file);
  rmSync(markOf(folder), { force: true });
  syncFolder(dirname(file));
  return lost;
}

const besides = (file: string) => [scrubbedOf(file), `${file}-wal`, `${file}-shm`];

function lostBy(folder: string, file: string): string | undefined {
  if (!existsSync(file)) return 'is missing';
  if (existsSync(markOf(folder))) return 'is damaged';
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { readOnly: true, timeout: 10_000 });
    const has = (table: string) =>
      database!.prepare('SELECT 1 FROM sqlite_master WHERE name = ?').get(table) !== undefined &&
      database!.prepare(`SELECT 1 FROM ${table} LIMIT 1`).get() !== undefined;
    // As after a command that found no search.db and made one.
    return has('documents') || has('older_documents') || has('filling') ? undefined : 'has no documents';
  } catch (cause) {
    return `can't be read: ${(cause as Error).message}`;
  } finally {
    database?.close();
  }
}

function countOf(events: string): number {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(events, { timeout: 10_000 });
    const there = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'events'").get();
    return there ? Number(database.prepare('SELECT COUNT(*) AS total FROM events').get()?.total) : 0;
  } catch {
    // Opening it later reports what is wrong.
    return 0;
  } finally {
    database?.close();
  }
}

/** How many documents are written at once. */
const writtenAtOnce = 2000;

/** Writes the documents of all events; returns false if it was stopped: then the next start begins again. */
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
