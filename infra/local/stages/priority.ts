// Notifications of registries and reads come before the map and models: where there are fewer processors than there is work,
// the threads of those wait.
import { readlinkSync, stat } from 'node:fs';
import { setPriority } from 'node:os';
import { basename } from 'node:path';

/** A third of the share of others, at the most, while these want to run. */
const behind = 5;

/** Lets the other threads go before this one. Only Linux has priorities of threads; elsewhere nothing changes. */
export function letOthersGoFirst(): void {
  // The pool that serves every thread's files starts with its first use and takes the priority of whoever that is.
  stat('.', () => {});
  try {
    setPriority(Number(basename(readlinkSync('/proc/thread-self'))), behind);
  } catch {}
}
