// npm start: the server of run.ts, in a process whose memory allocator gives back what is freed, and which keeps
// compiled code for the next start.
//
// Threads allocate and free blocks of a few hundred KiB to a few MiB. glibc keeps a freed block for the thread that
// freed it: after a flood of a million domains that is 200 MiB. Blocks above a threshold go back to the system, but
// glibc raises the threshold to 32 MiB by itself unless it is set when the process starts. So this process starts
// itself once more, in place: same process number, same command line.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const threshold = 'MALLOC_MMAP_THRESHOLD_';
const root = join(import.meta.dirname, '../..');
/**
 * In a clone, a folder for compiled code, which halves the processor time of a start; Node does without if it can't be
 * written. Nothing is written into an installed package.
 */
const compiled = existsSync(join(root, 'tsconfig.json'))
  ? { NODE_COMPILE_CACHE: join(root, 'build/compile-cache') }
  : {};
/** The command line as given: `whalewatch` removes its command from process.argv. */
const commandLine = '/proc/self/cmdline';

// Not under node --watch, whose channel to its child would be closed.
if (process.env[threshold] === undefined && process.execve && !process.channel && existsSync(commandLine))
  process.execve(process.execPath, readFileSync(commandLine, 'utf8').split('\0').slice(0, -1), {
    ...compiled,
    ...process.env,
    [threshold]: String(256 * 1024),
  });
await import('./run.ts');
