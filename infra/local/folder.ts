import { randomBytes } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { SettingError } from '#settings/error.ts';
import { syncFolder } from './stores/secrets/secret.ts';

/**
 * Creates the data folder if it is missing; its files are its owner's only, also those of an earlier run.
 * Throws SettingError when it can't be created, read or written.
 */
export function openFolder(data: string): string {
  const folder = resolve(data);
  // For the whole process: SQLite makes files beside its own, and so does each thread.
  process.umask(0o077);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    close(folder);
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new SettingError(`--data ${folder} can't be used: ${(cause as Error).message}`, { cause });
  }
  return folder;
}

/** Takes the rights of group and others away. */
function close(folder: string): void {
  restrict(folder, 0o700);
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true }))
    if (entry.isDirectory() || entry.isFile())
      restrict(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o700 : 0o600);
}

/** What another process removes meanwhile needs no rights; what is another user's is refused where it is opened. */
function restrict(path: string, mode: number): void {
  try {
    if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, mode);
  } catch (cause) {
    if (!['ENOENT', 'EPERM'].includes((cause as NodeJS.ErrnoException).code ?? '')) throw cause;
  }
}

/** Returns the data folder of an earlier run. Throws SettingError where there was none, a typo must not give an empty result, and for root in another's. */
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

/** What a server wrote into the folder, for whose it is. Throws SettingError when the folder can't be read. */
function used(folder: string) {
  try {
    return statSync(join(folder, 'events.db'), { throwIfNoEntry: false });
  } catch (cause) {
    throw new SettingError(`--data ${folder} can't be used: ${(cause as Error).message}`, { cause });
  }
}

/** A shorter token was cut short by a full disk, or its file was emptied. */
const tokenCharacters = 32;

/**
 * The default registry's token: made once, kept readable by its owner only. Read each time: a new one counts at once. Throws
 * SettingError when the file holds no whole token.
 */
export function keptToken(folder: string): string {
  const file = join(folder, 'token');
  if (!existsSync(file)) newKeptToken(folder, 'wx');
  const token = readFileSync(file, 'utf8').trim();
  if (!/^[\x21-\x7e]+$/.test(token) || token.length < tokenCharacters)
    throw new SettingError(
      `${file} holds ${token.length} characters: the token in it must have at least ${tokenCharacters}. Remove the file to have a new one made, then give that to the registry.`,
    );
  return token;
}

/** Makes another token in its place. Throws SettingError when it can't be written whole: nothing is changed then. */
export function newKeptToken(folder: string, flag: 'w' | 'wx' = 'w'): void {
  const [file, draft] = [join(folder, 'token'), join(folder, `token-${randomBytes(8).toString('hex')}`)];
  try {
    writeFileSync(draft, `${randomBytes(24).toString('base64url')}\n`, { flag: 'wx', mode: 0o600, flush: true });
    // Whole or not at all: the server may be reading it.
    if (flag === 'w') renameSync(draft, file);
    else linkSync(draft, file);
    syncFolder(folder);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST')
      throw new SettingError(`${file} can't be kept: ${(cause as Error).message}`, { cause });
  } finally {
    rmSync(draft, { force: true });
  }
}
