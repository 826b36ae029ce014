// The WebAssembly kernel (functions/train/assembly) in shared memory, on all cores. Its memory and threads are kept for
// the next call: training makes a hundred calls, whose memories would wait for the garbage collector.
import { Worker } from 'node:worker_threads';
import { kernelWasm } from './kernel.wasm.ts';
import { blockAt, word } from './parameters.ts';

const pageBytes = 65536;
const mostPages = 65536;

const entries = ['run', 'top', 'gramRows', 'invert', 'regress'] as const;
type EntryPoint = (typeof entries)[number];

/** Words that the host and its threads share. `call` is odd while a call runs; `over` ends the threads. */
const control = { call: 0, entry: 1, threads: 2, inside: 3, words: 4 };
const over = -1;
/** The word of the kernel's memory that says whether a thread has failed. */
const failed = blockAt / 4 + word.failed;

/** Runs in the worker: plain JavaScript in a string, because a bundle has no second file to start. */
const workerSource = `
const { workerData: { module, memory, words, control, over, entries, thread, call, failed } } = require('node:worker_threads');
const { exports } = new WebAssembly.Instance(module, { env: { memory } });
for (let seen = call; ; ) {
  Atomics.wait(words, control.call, seen);
  seen = Atomics.load(words, control.call);
  if (seen === over) break;
  if (seen % 2 === 0 || thread >= Atomics.load(words, control.threads)) continue;
  // The host waits for whoever is inside before it changes the memory.
  Atomics.add(words, control.inside, 1);
  if (Atomics.load(words, control.call) === seen)
    try {
      exports[entries[words[control.entry]]](thread);
    } catch { Atomics.store(new Int32Array(memory.buffer), failed, 1); }
  if (Atomics.sub(words, control.inside, 1) === 1) Atomics.notify(words, control.inside);
}`;

class Kernel {
  readonly memory = new WebAssembly.Memory({ initial: 1, maximum: mostPages, shared: true });
  readonly #words = new Int32Array(new SharedArrayBuffer(control.words * 4));
  readonly #workers: Worker[] = [];
  readonly #module = new WebAssembly.Module(Buffer.from(kernelWasm, 'base64'));
  readonly #exports = new WebAssembly.Instance(this.#module, { env: { memory: this.memory } }).exports;
  /** All memory after this is zeros. */
  #usedBytes = blockAt;

  /** Makes so many bytes zeros, from the parameter block on. */
  clear(bytes: number): void {
    new Uint8Array(this.memory.buffer, 0, Math.min(bytes, this.#usedBytes)).fill(0, blockAt);
    const missing = Math.ceil(bytes / pageBytes) - this.memory.buffer.byteLength / pageBytes;
    if (missing > 0) this.memory.grow(missing);
    this.#usedBytes = Math.max(bytes, this.#usedBytes);
  }

  run(threads: number, entry: EntryPoint, layOut: () => void): number {
    const words = this.#words;
    while (this.#workers.length + 1 < threads) this.#start();
    layOut();
    words[control.entry] = entries.indexOf(entry);
    words[control.threads] = threads;
    Atomics.add(words, control.call, 1);
    Atomics.notify(words, control.call);
    try {
      return (this.#exports[entry] as (thread: number) => number)(0);
    } catch (cause) {
      Atomics.store(new Int32Array(this.memory.buffer), failed, 1);
      throw cause;
    } finally {
      Atomics.add(words, control.call, 1);
      for (let inside = Atomics.load(words, control.inside); inside > 0; inside = Atomics.load(words, control.inside))
        Atomics.wait(words, control.inside, inside);
    }
  }

  end(): void {
    Atomics.store(this.#words, control.call, over);
    Atomics.notify(this.#words, control.call);
  }

  #start(): void {
    const workerData = {
      ...{ module: this.#module, memory: this.memory, words: this.#words, control, over, entries, failed },
      ...{ thread: this.#workers.length + 1, call: this.#words[control.call] },
    };
    const worker = new Worker(workerSource, { eval: true, execArgv: [], workerData });
    // A thread that can't start is not needed, but without a listener its error would end the process.
    worker.on('error', () => {});
    worker.unref();
    this.#workers.push(worker);
  }
}

let kernel: Kernel | undefined;

/** Allocates parts of the kernel's memory, each aligned to a cache line. They are zeros at first. */
export class Layout {
  private end = 4096;

  reserve(bytes: number): number {
    const at = this.end;
    this.end += Math.ceil(bytes / 64) * 64;
    return at;
  }

  /**
   * The memory, until the next layout's. @throws RangeError if it would be more than 4 GiB; `what` names what needs
   * them, `fix` says what to do.
   */
  memory(what: string, fix: string): WebAssembly.Memory {
    if (this.end > mostPages * pageBytes)
      throw new RangeError(
        `${what} need ${(this.end / 2 ** 30).toFixed(1)} GiB, more than the 4 GiB of one WebAssembly memory: ${fix}`,
      );
    kernel ??= new Kernel();
    kernel.clear(this.end);
    return kernel.memory;
  }
}

/**
 * Calls `entry` on `threads` threads, this one included, which it holds until done, after `layOut` has filled the memory
 * of the last layout. The kernel's phases do not wait for late threads. Returns what the kernel returns.
 */
export function runKernel(threads: number, entry: EntryPoint, layOut: () => void): number {
  if (!kernel) throw new Error('no memory is laid out');
  const failure = kernel.run(threads, entry, layOut);
  if (failure === 1) throw new Error('a training thread failed: train again, or with threads: 1');
  return failure;
}

/** Gives up the memory and the threads, until the next call. */
export function endKernel(): void {
  kernel?.end();
  kernel = undefined;
}
