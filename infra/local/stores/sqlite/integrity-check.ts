// The thread of checkDatabases.
import { hash } from 'node:crypto';
import { statSync } from 'node:fs';
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { documentUsers } from '../search/doc.ts';
import type { Damage } from './integrity.ts';

/**
 * SQLite's result codes of a damaged file: IOERR, CORRUPT, NOTADB. Any other, such as BUSY, says nothing about its
 * pages.
 */
const damageCodes = [10, 11, 26];

/** How often a file that others write is looked at without a lock, and how long after the last look. */
const [mostLooks, pauseMs] = [5, 5000];

/**
 * Looks at the main file without a lock: a transaction that reads a large file for a minute would keep the log from being
 * begun again, and forgetting would wait for that. A file to which a checkpoint writes meanwhile may look damaged, and
 * is looked at again. Before damage is reported, a transaction makes sure.
 */
async function damageOf(file: string): Promise<string | undefined> {
  const unlocked = pathToFileURL(file);
  unlocked.searchParams.set('immutable', '1');
  for (let looks = 0; looks < mostLooks; looks++) {
    const before = writtenAt(file);
    if (foundIn(unlocked) === undefined) return undefined;
    if (writtenAt(file) === before) break;
    await wait(pauseMs);
  }
  return foundIn(file);
}

const writtenAt = (file: string) => statSync(file, { bigint: true, throwIfNoEntry: false })?.mtimeNs;

function foundIn(file: string | URL): string | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { readOnly: true, timeout: 1000 });
    const found = String(database.prepare('PRAGMA quick_check(1)').get()?.quick_check);
    return found === 'ok' ? undefined : found.replaceAll('\n', ' ');
  } catch (cause) {
    const { errcode = 0, message } = cause as Error & { errcode?: number };
    return damageCodes.includes(errcode & 0xff) ? message : undefined;
  } finally {
    database?.close();
  }
}

/** How many of the events that search has stored last are looked for. */
const lookedFor = 1000;
/** What expires meanwhile leaves both stores within this time. */
const patienceMs = 5000;

/** Whether search has events that events.db lacks. They are stored there first, so events.db lost its newest writes. */
async function isBehind(files: { events: string; search: string }): Promise<boolean> {
  const open: DatabaseSync[] = [];
  try {
    for (const file of [files.events, files.search])
      open.push(new DatabaseSync(file, { readOnly: true, timeout: 1000 }));
    const [events, search] = open;
    const newest = search.prepare(
      // Facts about images outlive the events of a forgotten user, and so do documents that are leaving.
      `SELECT rowid, id, ${documentUsers.nameIn('documents')} AS user FROM documents
       WHERE gone = 0 AND kind <> 'fact' AND ${documentUsers.nameIn('documents')} IS NOT NULL
       ORDER BY rowid DESC LIMIT ${lookedFor}`,
    );
    // A pull has the id of its first event.
    const shown = search.prepare('SELECT 1 FROM documents WHERE rowid = ? AND id = ? AND gone = 0');
    const kept = events.prepare('SELECT 1 FROM events WHERE id = ?');
    // Removing a forgotten user may have been interrupted.
    const forgotten = events.prepare('SELECT 1 FROM forgotten WHERE person = ?');
    const isMissing = ({ rowid, id, user }: Record<string, SQLOutputValue>) =>
      shown.get(rowid, id) && !kept.get(id) && !forgotten.get(hash('sha256', String(user), 'base64url'));
    const missing = newest.all().filter(isMissing);
    if (missing.length === 0) return false;
    await wait(patienceMs);
    return missing.some(isMissing);
  } catch {
    // One of them is not made yet, or is damaged, which is found page by page.
    return false;
  } finally {
    for (const database of open) database.close();
  }
}

const { files, ...stores } = workerData as { files: string[]; events: string; search: string };
const damaged: Damage[] = [];
for (const file of files) {
  const found = await damageOf(file);
  if (found !== undefined) damaged.push({ file, found });
}
if (!damaged.some(({ file }) => file === stores.events) && (await isBehind(stores)))
  damaged.push({ file: stores.events, found: 'it lacks events that search has: its newest writes are lost' });
parentPort?.postMessage(damaged);
