// Runs a stage at an interval inside its thread: first at the start, never twice at a time.
import { parentPort } from 'node:worker_threads';
import type { Log } from '../log.ts';
import { count } from './count.ts';

/**
 * Runs `work` every `seconds` until the main thread stops it. A failure is logged and counted; the next run tries
 * again.
 */
export async function repeat(name: string, seconds: number, log: Log, work: () => Promise<void>): Promise<void> {
  const stop = Promise.withResolvers<void>();
  let stopped = false;
  parentPort?.once('message', () => {
    stopped = true;
    stop.resolve();
  });
  while (!stopped) {
    const began = performance.now();
    await work().then(
      () => parentPort?.postMessage({}),
      (cause) => {
        count('failures', name);
        log.error(new Error(`${name} failed, and is tried again when it is due`, { cause }));
        // Reported to health, because repeated failures stop the stage.
        parentPort?.postMessage({ failed: cause instanceof Error ? cause.message : String(cause) });
      },
    );
    const rest = Math.max(0, seconds * 1000 - (performance.now() - began));
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([
      stop.promise,
      new Promise((resolve) => {
        timer = setTimeout(resolve, rest);
      }),
    ]);
    clearTimeout(timer);
  }
}
