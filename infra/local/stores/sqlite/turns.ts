// SQLite runs in the calling thread, so long work there must yield to the event loop regularly.
import { setImmediate as turn } from 'node:timers/promises';

/** How many rows one statement changes: that takes milliseconds, which others can wait. */
export const rowsATurn = 500;
/** How many bytes of text are decrypted and searched before others have a turn. */
export const bytesATurn = 256 * 1024;

/** Returns a function to report work to, in any unit: each time the sum reaches `most`, other work gets a turn. */
export function turns(most: number): (work: number) => Promise<void> {
  let done = 0;
  return async (work) => {
    done += work;
    if (done < most) return;
    done = 0;
    await turn();
  };
}
