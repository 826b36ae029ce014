// Sends counts from a stage's thread to the main thread, which has the counters of /metrics (infra/local/metrics.ts).
import { parentPort } from 'node:worker_threads';

export type CounterName = 'failures' | 'exports' | 'models_refused' | 'alerts_lost' | 'alerts_refused';

export interface Counted {
  count: CounterName;
  stage?: string;
}

/** Adds one. */
export function count(name: CounterName, stage?: string): void {
  parentPort?.postMessage({ count: name, stage } satisfies Counted);
}
