// A clock to detect hangs on a busy machine: time in which a thread was ready to run but got no processor does not
// count.
import { readdirSync, readFileSync } from 'node:fs';

/** For each thread, seconds in which it was ready to run but waited for a processor. Linux only. */
function waits(pid: number, into: Map<string, number>): void {
  for (const thread of readdirSync(`/proc/${pid}/task`))
    try {
      into.set(thread, Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[1]) / 1e9);
    } catch {} // a thread that ended
}

/**
 * Elapsed seconds, minus those in which the most starved thread of this process and of `pid` waited for a processor.
 */
export function fairTime(pid: number | undefined): { now(): number; stop(): void } {
  const step = 0.25;
  let fair = 0;
  let last = performance.now();
  let before = new Map<string, number>();
  const timer = setInterval(() => {
    const now = performance.now();
    const after = new Map<string, number>();
    for (const each of [process.pid, pid])
      try {
        waits(each as number, after);
      } catch {} // a process that ended
    const starved = Math.max(0, ...[...after].map(([thread, seconds]) => seconds - (before.get(thread) ?? seconds)));
    // After a sleep of the machine many steps pass at once.
    fair += Math.max(0, Math.min((now - last) / 1000, 2 * step) - starved);
    last = now;
    before = after;
  }, step * 1000).unref();
  return { now: () => fair, stop: () => clearInterval(timer) };
}
