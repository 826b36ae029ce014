import { randomBytes } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  linkSync,
  lstatSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { SettingError } from '#settings/error.ts';
import { makeFolder } from './make-folder.ts';
import { readSecret, syncFolder } from './stores/secrets/secret.ts';

/**
 * Creates the data folder if it is missing. Only its owner may read its files, also those of an earlier run. Throws
 * SettingError if it can't be created, read or written.
 */
export function openFolder(data: string): string {
  const folder = resolve(data);
  // Set for the whole process, because SQLite makes further files, and so does each thread.
  process.umask(0o077);
  try {
    makeFolder(folder);
    close(folder);
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new SettingError(`--data ${folder} can't be used: ${(cause as Error).message}`, { cause });
  }
  return folder;
}

/** The names of what the server and its commands write into a data folder. */
const own =
  /^(?:[\w-]+\.(?:db(?:-\w+)?|damaged)|token(?:-\w+)?|(?:hold|backup)\.json|(?:registry-|import-)?stream|objects|failures|geo|demo|\.ready)$/;

/** Removes the rights of group and others; what somebody else keeps in the folder stays as it is. */
function close(folder: string): void {
  const names = readdirSync(folder);
  if (names.every((name) => own.test(name) || name === 'lost+found')) restrict(folder, 0o700);
  for (const name of names) if (own.test(name)) closeAll(join(folder, name));
}

function closeAll(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found?.isFile()) restrict(path, 0o600);
  if (!found?.isDirectory()) return;
  restrict(path, 0o700);
  for (const name of readdirSync(path)) closeAll(join(path, name));
}

/** Ignores files that another process removes meanwhile; another user's files fail when they are opened. */
function restrict(path: string, mode: number): void {
  try {
    if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, mode);
  } catch (cause) {
    if (!['ENOENT', 'EPERM'].includes((cause as NodeJS.ErrnoException).code ?? '')) throw cause;
  }
}

/**
 * Returns the data folder of an earlier run. Throws SettingError if there is none, because a typo must not give an
 * empty result, and for root in another user's folder.
 */
export function usedFolder(data: string): string {
  const folder = resolve(data);
  const written = used(folder);
  if (written && process.getuid?.() === 0 && written.uid !== 0)
    throw new SettingError(
      `--data ${folder} belongs to user ${written.uid}, and this is root: the server could not read what root writes, so run this with sudo -u '#${written.uid}'`,
    );
  if (written) return openFolder(data);
  throw new SettingError(`--data ${folder} holds no data: name the folder that npm start -- --data DIR uses`);
}

/** A file that a server wrote into the folder, to find its owner. Throws SettingError if the folder can't be read. */
function used(folder: string) {
  try {
    return statSync(join(folder, 'events.db'), { throwIfNoEntry: false });
  } catch (cause) {
    throw new SettingError(`--data ${folder} can't be used: ${(cause as Error).message}`, { cause });
  }
}

/** A shorter token was truncated on a full disk, or its file was emptied. */
const tokenCharacters = 32;

/**
 * The default registry's token, made once and readable only by its owner. It is read each time, so that a new one is
 * valid at once. Throws SettingError if the file has no complete token.
 */
export function keptToken(folder: string): string {
  const file = join(folder, 'token');
  if (!existsSync(file)) newKeptToken(folder, 'wx');
  const token = readSecret(file).toString('utf8').trim();
  if (!/^[\x21-\x7e]+$/.test(token) || token.length < tokenCharacters)
    throw new SettingError(
      `${file} holds ${token.length} characters: a token has at least ${tokenCharacters}, printable and without spaces. Remove the file to have a new one made, then give that to the registry.`,
    );
  return token;
}

/** Replaces the token. Throws SettingError, and changes nothing, if the new one can't be written completely. */
export function newKeptToken(folder: string, flag: 'w' | 'wx' = 'w'): void {
  const [file, draft] = [join(folder, 'token'), join(folder, `token-${randomBytes(8).toString('hex')}`)];
  try {
    writeFileSync(draft, `${randomBytes(24).toString('base64url')}\n`, { flag: 'wx', mode: 0o600, flush: true });
    // Replaced atomically, because the server may be reading it.
    if (flag === 'w') renameSync(draft, file);
    else linkSync(draft, file);
    syncFolder(folder);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST')
      throw new SettingError(`${file} can't be written: ${(cause as Error).message}`, { cause });
  } finally {
    rmSync(draft, { force: true });
  }
}
