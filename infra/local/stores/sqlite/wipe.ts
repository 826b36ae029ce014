// Leaves nothing of removed rows in a database's files.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/**
 * Overwrites what SQLite left of removed rows in a file, and empties its log, in a process of its own: the locks of a file are a
 * process's, and who closes it gives them back for all of its threads. Readers go on, writers wait as long as the file is read
 * once. Throws when others keep reading or writing it for a minute; it may be called again.
 */
export async function wipe(file: string): Promise<void> {
  const child = fork(fileURLToPath(new URL('./wiper.ts', import.meta.url)), [file], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    // No flag of ours, such as one that profiles or debugs.
    execArgv: [],
  });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2000);
  });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`removed rows may still be in ${file}: ${said.trim() || 'its wiper was ended'}`);
}

/**
 * Makes what is called after each removal, and says whether it removed anything: the file is wiped then, and as long as
 * that has not come through once.
 */
export function wiper(file: string): (removed: boolean) => Promise<void> {
  let clean = false;
  return async (removed) => {
    if (removed) clean = false;
    // A database in memory has no file.
    if (clean || file === ':memory:') return;
    await wipe(file);
    clean = true;
  };
}
