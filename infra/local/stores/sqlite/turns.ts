// SQLite runs in the calling thread: long work there gives others a turn of the event loop after so much of it.
import { setImmediate as turn } from 'node:timers/promises';

/** Rows of one statement: those take milliseconds, which others can wait. */
export const rowsATurn = 500;
/** Bytes of text that are decrypted and searched before others have a turn. */
export const bytesATurn = 256 * 1024;

/** Returns a function to report work to, in some unit: each time it adds up to `most`, others get to run. */
export function turns(most: number): (work: number) => Promise<void> {
  let done = 0;
  return async (work) => {
    done += work;
    if (done < most) return;
    done = 0;
    await turn();
  };
}
