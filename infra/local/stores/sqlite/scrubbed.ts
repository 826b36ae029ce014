// What is known about the unused bytes of a database's pages, in a file beside it.
import { fstatSync, readFileSync, renameSync, writeFileSync } from 'node:fs';

/** No byte of a row that was removed is left in the pages of the first `clean` bytes, apart from pages in the log. */
export interface Scrubbed {
  clean: number;
  /** The state of the main file after the last scrub. */
  file: string;
  /** The log whose frames were copied and scrubbed last, and how many. */
  salts: string;
  frames: number;
}

/** `clean` of a file that was read whole: what it grows by comes through the log. */
export const whole = Number.MAX_SAFE_INTEGER;

export const scrubbedOf = (file: string) => `${file}-scrubbed`;

/** Tells whether a file was written. */
export function stateOf(descriptor: number): string {
  const { ino, size, mtimeNs } = fstatSync(descriptor, { bigint: true });
  return `${ino} ${size} ${mtimeNs}`;
}

/**
 * Returns what is still known, and whether the main file is as it was. It may also have got frames of the same log,
 * which are all still there: a log is begun again only after all of it was copied, and a checkpoint (checkpoint.ts)
 * scrubs before anybody can begin it. Anything else was written by a checkpoint of SQLite's own, or is another file.
 */
export function readScrubbed(file: string, state: string, salts: string): Scrubbed & { isSame: boolean } {
  const found = parsed(file);
  const isSame = found?.file === state;
  const isSameLog = found !== undefined && found.salts === salts && inodeOf(found.file) === inodeOf(state);
  return {
    ...{ file: state, salts, isSame },
    clean: found && (isSame || (isSameLog && salts !== '')) ? found.clean : 0,
    frames: found && isSame && isSameLog ? found.frames : 0,
  };
}

const inodeOf = (state: string) => state.split(' ')[0];

function parsed(file: string): Scrubbed | undefined {
  try {
    return JSON.parse(readFileSync(scrubbedOf(file), 'utf8')) as Scrubbed;
  } catch {
    // Missing, or half written before a power cut.
    return undefined;
  }
}

/** It need not reach the disk: what is lost is found out again. */
export function writeScrubbed(file: string, scrubbed: Scrubbed): void {
  const draft = `${scrubbedOf(file)}.new`;
  writeFileSync(draft, `${JSON.stringify(scrubbed)}\n`, { mode: 0o600 });
  renameSync(draft, scrubbedOf(file));
}
