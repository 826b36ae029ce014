// Registry notifications and reads have priority over the map and models: if there are too few processors, the threads
// of these wait.
import { readlinkSync, stat } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { basename } from 'node:path';

/** At most about a third of the share of other threads that want to run. */
const behind = 5;

/** Lowers the priority of this thread. Only Linux has thread priorities; elsewhere nothing changes. */
export function letOthersGoFirst(): void {
  // The thread pool for file access, which all threads share, starts at its first use and inherits the priority of that
  // thread.
  stat('.', () => {});
  try {
    setPriority(Number(basename(readlinkSync('/proc/thread-self'))), Math.min(19, getPriority() + behind));
  } catch {}
}
