// Runs process, export and train each in a separate thread, so that no long computation delays a response.
import { type ResourceLimits, Worker } from 'node:worker_threads';
import type { ResolvedSettings } from '#settings/schema.ts';
import type { Counted } from './count.ts';

export interface ThreadData {
  folder: string;
  settings: ResolvedSettings;
}

export type StageName = 'processor' | 'hits-processor' | 'exporter' | 'trainer';

/** How a thread or its work fails. */
interface ThreadState {
  name: StageName;
  /** Failures in a row; 0 again after a thread has run for `steadyMs`. */
  failures: number;
  /** The message of the last failure; never the data that the thread worked on. */
  reason: string;
}

export interface Thread {
  /** Undefined while all is well. */
  state(): ThreadState | undefined;
  /** Asks it to finish its current work; resolves when it has ended. */
  stop(): Promise<void>;
}

const firstPauseMs = 1000;
const longestPauseMs = 60_000;
/**
 * In MiB. The old generation of threads that hold at most a batch: V8 lets a heap with a limit of 2 GiB or more grow to
 * four times its live size. The trainer keeps numbers in arrays outside of the heap, so a small young generation is enough.
 */
const mostHeap: Record<StageName, ResourceLimits> = {
  processor: { maxYoungGenerationSizeMb: 32, maxOldGenerationSizeMb: 1024 },
  'hits-processor': { maxYoungGenerationSizeMb: 32, maxOldGenerationSizeMb: 1024 },
  exporter: { maxYoungGenerationSizeMb: 32 },
  trainer: { maxYoungGenerationSizeMb: 8 },
};
/** A thread that has run for this long counts as working again. */
const steadyMs = 60_000;

/** How long a thread waits before it is restarted, by its failures in a row. */
export const pauseMs = (failures: number) => Math.min(longestPauseMs, firstPauseMs * 2 ** (failures - 1));

/**
 * Starts a stage's thread. A failed thread is reported and restarted, with longer pauses the more often it failed in a
 * row: everything it does is safe to do twice.
 */
export function startThread(
  name: StageName,
  data: ThreadData,
  on: { report: (text: string) => void; count: (counted: Counted) => void },
  file = new URL(`./${name}.ts`, import.meta.url),
): Thread {
  let stopping = false;
  let worker: Worker;
  let gone: Promise<void>;
  let failed: ThreadState | undefined;
  let next: NodeJS.Timeout | undefined;
  const start = () => {
    const began = performance.now();
    worker = new Worker(file, {
      ...{ workerData: data, name, resourceLimits: mostHeap[name] },
      // Code that scrubs files keeps them open (stores/sqlite/checkpoint.ts).
      trackUnmanagedFds: false,
    });
    worker.on('error', (cause) => {
      on.count({ count: 'failures', stage: name });
      const failures = performance.now() - began >= steadyMs ? 1 : (failed?.failures ?? 0) + 1;
      failed = { name, failures, reason: cause instanceof Error ? cause.message : String(cause) };
      on.report(`${name} failed and starts again in ${pauseMs(failures) / 1000} s: ${failed.reason}`);
    });
    worker.on('message', (message: Counted | { failed?: string }) => {
      if ('count' in message) on.count(message);
      else if (message.failed === undefined) failed = undefined;
      else failed = { name, failures: (failed?.failures ?? 0) + 1, reason: message.failed };
    });
    gone = new Promise((resolve) => {
      worker.on('exit', () => {
        resolve();
        if (!stopping) next = setTimeout(start, pauseMs(failed?.failures ?? 1));
      });
    });
    const steady = setTimeout(() => {
      if (performance.now() - began >= steadyMs) failed = undefined;
    }, steadyMs + 1000);
    steady.unref();
    worker.on('exit', () => clearTimeout(steady));
  };
  start();
  return {
    state: () => failed,
    async stop() {
      stopping = true;
      clearTimeout(next);
      worker.postMessage('stop');
      const patience = setTimeout(() => worker.terminate(), 5000);
      await gone;
      clearTimeout(patience);
    },
  };
}
