import { randomBytes } from 'node:crypto';
import { accessSync, chmodSync, constants, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
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

/** The webhook's token: made once, kept readable by its owner only. */
export function keptToken(folder: string): string {
  const file = join(folder, 'token');
  try {
    writeFileSync(file, `${randomBytes(24).toString('base64url')}\n`, { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    chmodSync(file, 0o600);
  }
  return readFileSync(file, 'utf8').trim();
}
