// process, export and train each run in a thread of their own, so that no long computation delays an answer.
import { Worker } from 'node:worker_threads';
import type { ResolvedSettings } from '#settings/schema.ts';

export interface ThreadData {
  folder: string;
  settings: ResolvedSettings;
}

export interface Thread {
  /** Asks it to finish what it has begun; resolves when it is gone. */
  stop(): Promise<void>;
}

/**
 * Starts a stage's thread. A thread that fails is reported and started again after a second: everything it does is
 * safe to do twice.
 */
export function startThread(
  name: 'processor' | 'exporter' | 'trainer',
  data: ThreadData,
  report: (text: string) => void,
): Thread {
  let stopping = false;
  let worker: Worker;
  let gone: Promise<void>;
  const start = () => {
    worker = new Worker(new URL(`./${name}.ts`, import.meta.url), { workerData: data, name });
    worker.on('error', (cause) =>
      report(`${name} failed and starts again: ${cause instanceof Error ? cause.message : cause}`),
    );
    gone = new Promise((resolve) => {
      worker.on('exit', () => {
        resolve();
        if (!stopping) setTimeout(() => stopping || start(), 1000);
      });
    });
  };
  start();
  return {
    async stop() {
      stopping = true;
      worker.postMessage('stop');
      const patience = setTimeout(() => worker.terminate(), 5000);
      await gone;
      clearTimeout(patience);
    },
  };
}
