// The WebAssembly kernel (functions/train/assembly) in shared memory, on all cores.
import { Worker } from 'node:worker_threads';
import { kernelWasm } from './kernel.wasm.ts';
import { blockAt, word } from './parameters.ts';

const pageBytes = 65536;
const mostPages = 65536;

/** Allocates parts of one memory, each aligned to a cache line. Fresh memory is zeros. */
export class Layout {
  private end = 4096;

  reserve(bytes: number): number {
    const at = this.end;
    this.end += Math.ceil(bytes / 64) * 64;
    return at;
  }

  /** @throws RangeError if it would be more than 4 GiB; `what` names what needs them, `fix` says what to do. */
  memory(what: string, fix: string): WebAssembly.Memory {
    const pages = Math.ceil(this.end / pageBytes);
    if (pages > mostPages)
      throw new RangeError(
        `${what} need ${(this.end / 2 ** 30).toFixed(1)} GiB, more than the 4 GiB of one WebAssembly memory: ${fix}`,
      );
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  }
}

/** Runs in the worker: plain JavaScript in a string, because a bundle has no second file to start. */
const workerSource = `
const { workerData: { module, memory, entry, thread, ready, failed } } = require('node:worker_threads');
const words = new Int32Array(memory.buffer);
try {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  Atomics.wait(words, ready, 0);
  exports[entry](thread);
} catch { Atomics.store(words, failed, 1); }`;

let compiled: WebAssembly.Module | undefined;

/**
 * Calls `entry` on `threads` threads, this one included, which it holds until done. The others start while `layOut`
 * fills the memory; the kernel's phases do not wait for late threads. Returns what the kernel returns.
 */
export function runKernel(
  memory: WebAssembly.Memory,
  threads: number,
  entry: 'run' | 'top' | 'gramRows' | 'invert' | 'regress',
  layOut: () => void,
): number {
  compiled ??= new WebAssembly.Module(Buffer.from(kernelWasm, 'base64'));
  const words = new Int32Array(memory.buffer);
  const [ready, failed] = [blockAt / 4 + word.ready, blockAt / 4 + word.failed];
  const workers: Worker[] = [];
  try {
    for (let thread = 1; thread < threads; thread++) {
      const worker = new Worker(workerSource, {
        eval: true,
        execArgv: [],
        workerData: { module: compiled, memory, entry, thread, ready, failed },
      });
      // A thread that can't start is not needed, but without a listener its error would end the process.
      worker.on('error', () => {});
      worker.unref();
      workers.push(worker);
    }
    layOut();
    Atomics.store(words, ready, 1);
    Atomics.notify(words, ready);
    const { exports } = new WebAssembly.Instance(compiled, { env: { memory } });
    const run = exports[entry] as (thread: number) => number;
    const failure = run(0);
    if (failure === 1) throw new Error('a training thread failed: train again, or with threads: 1');
    return failure;
  } finally {
    for (const worker of workers) worker.terminate();
  }
}
