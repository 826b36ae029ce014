// Secrets of the data folder: each is made once, completely or not at all, and readable only by its owner.
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { SettingError } from '#settings/error.ts';

/**
 * Returns the content of `folder`/`name`; `make` makes it on first use. Throws, and leaves nothing behind, if it can't
 * be written completely (a full disk), so that the next start tries again. The caller must check the content.
 */
export function keptSecret(folder: string, name: string, make: () => Uint8Array | string): Buffer {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, name);
  if (!existsSync(file)) return makeSecret(folder, file, make());
  const kept = readSecret(file);
  chmodSync(file, 0o600);
  return kept;
}

/** A link appears atomically and never replaces: of several concurrent callers, one makes the secret for all. */
function makeSecret(folder: string, file: string, secret: Uint8Array | string): Buffer {
  const draft = `${file}-${randomBytes(8).toString('hex')}`;
  const handle = openSync(draft, 'wx', 0o600);
  try {
    writeFileSync(handle, secret);
    fsyncSync(handle);
    linkSync(draft, file);
    syncFolder(folder);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
  } finally {
    closeSync(handle);
    rmSync(draft, { force: true });
  }
  return readSecret(file);
}

/** Throws SettingError if it is not a file, or not one that this user may read. */
export function readSecret(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new SettingError(`${file} can't be used: ${(cause as Error).message}`, { cause });
  }
}

/** Makes a new or renamed entry of a folder survive a power cut. Windows has no such call and does not need one. */
export function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
