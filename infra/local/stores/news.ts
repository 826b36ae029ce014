// Notifies the threads of this process that a file they share has changed, so that none has to poll it often.
import { realpathSync } from 'node:fs';
import { BroadcastChannel } from 'node:worker_threads';

export interface News {
  /** Wakes every other thread, and the waiters of this one. */
  tell(): void;
  /** Resolves after so long, when the signal aborts, or at the next notification. */
  wait(milliseconds: number, signal: AbortSignal): Promise<void>;
  close(): void;
}

export function openNews(folder: string): News {
  const channel = new BroadcastChannel(`whalewatch ${realpathSync(folder)}`);
  channel.unref();
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const resolve of [...waiting]) resolve();
  };
  channel.onmessage = wake;
  return {
    tell() {
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
