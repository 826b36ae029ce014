// npm start: the server of run.ts, in a process whose memory allocator gives back what is freed.
//
// Each thread has parts of some hundred KiB to some MiB come and go. glibc keeps those for the thread that freed them, each thread
// its own: of a flood of a million domains 200 MiB stay. From a threshold on it takes memory from the system and gives it back,
// but raises the threshold to 32 MiB by itself unless it is set, which is possible only when a process begins. So this one begins
// once more, in place: same process number, same command line.
import { existsSync, readFileSync } from 'node:fs';

const threshold = 'MALLOC_MMAP_THRESHOLD_';
/** As it was given: `whalewatch` takes its command out of process.argv. */
const commandLine = '/proc/self/cmdline';

// A parent's channel, as node --watch has one, would be closed.
if (process.env[threshold] === undefined && process.execve && !process.channel && existsSync(commandLine))
  process.execve(process.execPath, readFileSync(commandLine, 'utf8').split('\0').slice(0, -1), {
    ...process.env,
    [threshold]: String(256 * 1024),
  });
await import('./run.ts');
