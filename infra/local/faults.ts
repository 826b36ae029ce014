// Faults of the machine and its threads, for the health page.
import { statfs } from 'node:fs/promises';
import type { Fault } from '#serve/health.ts';
import type { Thread } from './stages/threads.ts';
import type { Sums } from './stores/search/sums.ts';

/** A thread that failed once was restarted: only repeated failures stop its stage. */
const manyFailures = 3;

export function threadFaults(threads: Pick<Thread, 'state'>[]): Fault[] {
  return threads.flatMap((thread) => {
    const state = thread.state();
    if (!state) return [];
    const { name, failures, reason } = state;
    return [
      {
        reason: `${name} failed ${failures} times in a row: ${reason}`,
        isStuck: failures >= manyFailures,
      },
    ];
  });
}

const mib = 2 ** 20;
/** Space for the last commits of every store, and their logs. */
const leastBytes = 64 * mib;
const lowBytes = 512 * mib;

/** `write`: a small write to the folder; rejects if it fails. */
export async function diskFaults(folder: string, write: () => Promise<void>): Promise<Fault[]> {
  const refused = await write().then(
    () => undefined,
    (cause: NodeJS.ErrnoException) => cause,
  );
  if (refused && refused.code !== 'ENOSPC')
    return [
      {
        reason: `${folder} can't be written (${refused.message}): stop the server, repair the disk or mount it for writing, and start again`,
        isStuck: true,
      },
    ];
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  if (free >= lowBytes) return [];
  const reason = `the disk of ${folder} has ${Math.floor(free / mib)} MiB left: make room, or nothing more is accepted`;
  return [{ reason, isStuck: free < leastBytes }];
}

/** Documents of an older version are summed in the background: until then lists of users and counts can't be read. */
export function sumFaults(sums: Pick<Sums, 'missing'> | undefined): Fault[] {
  const left = sums?.missing();
  if (!left) return [];
  const share = Math.floor((100 * left.done) / Math.max(1, left.total));
  if (left.filling)
    return [{ reason: `search is being rebuilt from events: ${share} % of ${left.total} events`, isStuck: false }];
  return [
    { reason: `documents of an older version are being summed: ${share} % of ${left.total} documents`, isStuck: false },
  ];
}
