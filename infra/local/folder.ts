import { randomBytes } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { SettingError } from '#settings/read.ts';

/** Creates the data folder if it is missing. Throws SettingError when it can't be created, read or written. */
export function openFolder(data: string): string {
  const folder = resolve(data);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw new SettingError(`--data ${folder} can't be used: ${(cause as Error).message}`, { cause });
  }
  return folder;
}

/** Returns the data folder of an earlier run. Throws SettingError where there was none: a typo must not give an empty result. */
export function usedFolder(data: string): string {
  const folder = resolve(data);
  if (existsSync(join(folder, 'events.db'))) return openFolder(data);
  throw new SettingError(`--data ${folder} holds no data: name the folder that npm start -- --data DIR uses`);
}

/** The default registry's token: made once, kept readable by its owner only. Read each time: a new one counts at once. */
export function keptToken(folder: string): string {
  const file = join(folder, 'token');
  if (!existsSync(file)) newKeptToken(folder, 'wx');
  const token = readFileSync(file, 'utf8').trim();
  if (token.length < 16) throw new Error(`${file} holds no token: remove it, and a new one is made`);
  return token;
}

/** Makes another token in its place. */
export function newKeptToken(folder: string, flag: 'w' | 'wx' = 'w'): void {
  const [file, draft] = [join(folder, 'token'), join(folder, `token-${randomBytes(8).toString('hex')}`)];
  writeFileSync(draft, `${randomBytes(24).toString('base64url')}\n`, { flag: 'wx', mode: 0o600 });
  try {
    // Whole or not at all: the server may be reading it.
    if (flag === 'w') renameSync(draft, file);
    else linkSync(draft, file);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
  } finally {
    rmSync(draft, { force: true });
  }
}
