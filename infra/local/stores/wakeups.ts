// Notifies the threads of this process that a file they share has changed, so that none has to poll it often.
import { realpathSync } from 'node:fs';
import { BroadcastChannel } from 'node:worker_threads';

export interface Wakeups {
  /** Wakes every other thread, and the waiters of this one. */
  wakeOthers(): void;
  /** Resolves after so long, when the signal aborts, or when another thread wakes this one. */
  wait(milliseconds: number, signal: AbortSignal): Promise<void>;
  close(): void;
}

export function openWakeups(folder: string): Wakeups {
  const channel = new BroadcastChannel(`whalewatch ${realpathSync(folder)}`);
  channel.unref();
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const resolve of [...waiting]) resolve();
  };
  channel.onmessage = wake;
  return {
    wakeOthers() {
      channel.postMessage('');
      wake();
    },
    wait(milliseconds, signal) {
      return new Promise((resolve) => {
        const done = () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', done);
          waiting.delete(done);
          resolve();
        };
        const timer = setTimeout(done, milliseconds);
        signal.addEventListener('abort', done);
        waiting.add(done);
        if (signal.aborted) done();
      });
    },
    close: () => channel.close(),
  };
}
