// Copies a data folder while a server uses it: the state of one moment, as a power cut would leave it. The stores
// survive that (test/local/crash.test.ts), so nothing accepted before the moment is lost and nothing counts twice.
//
//   1. take the write lock of every database, which takes milliseconds: nothing is written anywhere now
//   2. begin a reading of each, and link the bodies of objects: this is the moment
//   3. give the locks back: the server goes on
//   4. copy what the readings see
import { createHash, randomUUID } from 'node:crypto';
import {
  constants,
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { copyFile, link, mkdir, open, rename, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { SettingError } from '#settings/error.ts';
import { holdFiles } from '../hold.ts';
import { makeFolder } from '../make-folder.ts';
import { syncFolder } from './secrets/secret.ts';

/** The manifest of a backup: written last, so that an incomplete backup has none. */
interface Manifest {
  format: typeof format;
  /** The moment of the backup, RFC 3339. */
  at: string;
  /** SHA-256 of each file, hexadecimal, by its path. */
  files: Record<string, string>;
}

const format = 1;
const manifestName = 'backup.json';
/** SQLITE_FULL. */
const fullCode = 13;
/** How long to wait for a long write of the server (a training, forgetting). */
const patienceMs = 120_000;
/**
 * The server's writes wait while some locks are held: so each further lock is waited for only this long, then all are
 * released.
 */
const lockMs = 250;

export interface Copied {
  at: number;
  files: number;
  bytes: number;
}

/**
 * Copies a data folder to a new folder. Throws SettingError if that is not empty, the databases stay in use, or
 * the disk becomes full.
 * `clock`: milliseconds since the epoch.
 */
export async function takeBackup(folder: string, to: string, clock: () => number): Promise<Copied> {
  const target = resolve(to);
  if (`${target}${sep}`.startsWith(`${folder}${sep}`))
    throw new SettingError(`${target} lies in the data folder ${folder}: name a folder elsewhere`);
  if (!isEmpty(target)) throw new SettingError(`${target} is not empty: a backup needs a folder of its own`);
  const partial = `${target}.${randomUUID()}.partial`;
  makeFolder(partial);
  const moment = await freeze(folder, clock);
  try {
    const files: Manifest['files'] = {};
    let bytes = 0;
    const add = async (name: string, copy: (to: string) => Promise<unknown>) => {
      const copied = join(partial, name);
      await mkdir(dirname(copied), { recursive: true, mode: 0o700 });
      await copy(copied);
      const { size, sum } = await synced(copied);
      files[name] = sum;
      bytes += size;
    };
    for (const [name, reading] of moment.databases) await add(name, (copied) => backup(reading, copied));
    // A failed batch that is a day old may have been removed meanwhile; bodies of objects are linked.
    for (const [name, path] of moment.files)
      if (existsSync(path)) await add(name, (copied) => copyFile(path, copied, constants.COPYFILE_FICLONE));
    const manifest: Manifest = { format, at: new Date(moment.at).toISOString(), files };
    await writeFile(join(partial, manifestName), `${JSON.stringify(manifest, null, 2)}\n`, {
      flush: true,
      mode: 0o600,
    });
    syncFolder(partial);
    await rename(partial, target);
    syncFolder(dirname(target));
    return { at: moment.at, files: Object.keys(files).length, bytes };
  } catch (cause) {
    rmSync(partial, { recursive: true, force: true });
    // SQLite's own message does not say which disk is full, and the data folder's would be the one to fear for.
    const { code, errcode } = cause as { code?: string; errcode?: number };
    if (code === 'ENOSPC' || errcode === fullCode)
      throw new SettingError(`the disk of ${target} is full: make room for the backup, or name a folder on another`);
    throw cause;
  } finally {
    moment.end();
  }
}

/** Copies a backup to a new data folder after checking all of it. Throws SettingError with what is wrong. */
export async function restoreBackup(from: string, to: string): Promise<Copied> {
  const manifest = readManifest(from);
  const target = resolve(to);
  if (!isEmpty(target))
    throw new SettingError(
      `--data ${target} is not empty: move it away, or restore into another folder with --data DIR`,
    );
  const partial = `${target}.${randomUUID()}.partial`;
  makeFolder(partial);
  try {
    let bytes = 0;
    for (const [name, sum] of Object.entries(manifest.files)) {
      const copied = join(partial, name);
      await mkdir(dirname(copied), { recursive: true, mode: 0o700 });
      await copyFile(join(from, name), copied, constants.COPYFILE_FICLONE).catch((cause) => {
        throw new SettingError(`${join(from, name)} can't be read: ${cause.message}`, { cause });
      });
      const found = await synced(copied);
      if (found.sum !== sum)
        throw new SettingError(`${join(from, name)} is not what was backed up: restore from another backup`);
      bytes += found.size;
    }
    await rename(partial, target);
    syncFolder(dirname(target));
    return { at: Date.parse(manifest.at), files: Object.keys(manifest.files).length, bytes };
  } catch (cause) {
    rmSync(partial, { recursive: true, force: true });
    throw cause;
  }
}

function readManifest(folder: string): Manifest {
  const file = join(folder, manifestName);
  let manifest: Manifest;
  try {
    manifest = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new SettingError(`${folder} holds no complete backup: ${(cause as Error).message}`, { cause });
  }
  if (manifest.format !== format)
    throw new SettingError(
      `${file} has format ${manifest.format} and this version reads format ${format}: restore with a newer one`,
    );
  return manifest;
}

interface Moment {
  at: number;
  /** The read transactions of that moment, by the database's path in the folder. */
  databases: Map<string, DatabaseSync>;
  /** Links to the other files of the moment, by their path in the folder. */
  files: Map<string, string>;
  end(): void;
}

/** Not copied as files: SQLite's own beside a database, those of the lock, and bodies of objects, which are linked. */
const bodies = join('objects', 'bodies');
const linked = join('objects', 'backup-');
const isLeftOut = (name: string) =>
  /\.db-(wal|shm|journal|scrubbed(\.new)?)$/.test(name) ||
  holdFiles.includes(name) ||
  name === manifestName ||
  [bodies + sep, linked].some((start) => name.startsWith(start));

async function freeze(folder: string, clock: () => number): Promise<Moment> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .filter((name) => !isLeftOut(name));
  // The stream last, because collect waits for its lock.
  const paths = names.filter((name) => name.endsWith('.db')).sort((a, b) => order(a) - order(b));
  const locks = paths.map((name) => new DatabaseSync(join(folder, name), { timeout: lockMs }));
  const databases = new Map(paths.map((name) => [name, new DatabaseSync(join(folder, name), { readOnly: true })]));
  removeLeftovers(join(folder, 'objects'));
  const kept = join(folder, `${linked}${randomUUID()}`);
  const end = () => {
    for (const database of [...databases.values(), ...locks]) database.close();
    rmSync(kept, { recursive: true, force: true });
  };
  try {
    await lockAll(locks);
    const at = clock();
    for (const reading of databases.values()) reading.exec('BEGIN; SELECT count(*) FROM sqlite_master');
    const files = new Map(names.filter((name) => !name.endsWith('.db')).map((name) => [name, join(folder, name)]));
    for (const version of bodiesIn(databases)) {
      mkdirSync(kept, { recursive: true, mode: 0o700 });
      await link(join(folder, bodies, version), join(kept, version));
      files.set(join(bodies, version), join(kept, version));
    }
    for (const lock of locks) lock.exec('ROLLBACK');
    return { at, databases, files, end };
  } catch (cause) {
    end();
    throw cause;
  }
}

/** Removes the links of backups that were killed; no backup takes a day. */
function removeLeftovers(objects: string): void {
  if (!existsSync(objects)) return;
  for (const name of readdirSync(objects).filter((name) => name.startsWith(basename(linked)))) {
    const path = join(objects, name);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat && Date.now() - stat.mtimeMs > 86_400_000) rmSync(path, { recursive: true, force: true });
  }
}

const order = (name: string) => (basename(name) === 'stream.db' ? 1 : 0);

/** Takes all write locks or none, so that waiting for one does not block the others. */
async function lockAll(locks: DatabaseSync[]): Promise<void> {
  const end = performance.now() + patienceMs;
  for (;;) {
    const taken: DatabaseSync[] = [];
    try {
      for (const lock of locks) {
        lock.exec('BEGIN IMMEDIATE');
        taken.push(lock);
      }
      return;
    } catch (cause) {
      for (const lock of taken) lock.exec('ROLLBACK');
      if ((cause as { errcode?: number }).errcode !== busyCode) throw cause;
      if (performance.now() > end)
        throw new SettingError(`the data folder stayed in use for ${patienceMs / 1000} s: try again`, { cause });
      await wait(lockMs);
    }
  }
}

const busyCode = 5;

/** Names of the bodies that are beside the index of objects. */
function bodiesIn(databases: Map<string, DatabaseSync>): string[] {
  const index = databases.get(join('objects', 'index.db'));
  return (index?.prepare('SELECT version FROM objects WHERE body IS NULL').all() ?? []).map(({ version }) =>
    String(version),
  );
}

/** Flushes a copied file to the disk; returns its size and SHA-256. */
async function synced(path: string): Promise<{ size: number; sum: string }> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  const handle = await open(path, 'r');
  try {
    await handle.sync();
    return { size: (await handle.stat()).size, sum: hash.digest('hex') };
  } finally {
    await handle.close();
  }
}

const isEmpty = (folder: string) => !existsSync(folder) || readdirSync(folder).length === 0;
