// One recommender in a process of its own: a line of JSON in for each fit, a line of JSON out.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, openSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { AlsOptions } from '#core/recommender/als.ts';
import type { Rows } from '#core/recommender/ratings.ts';

/**
 * One fit of the matrix in `folder` (starts.u32, columns.u32, values.f32). Its factors go to OUT.users.f32,
 * OUT.items.f32.
 */
export interface Task extends AlsOptions {
  folder: string;
  out: string;
  users: number;
  items: number;
  /** Of the initial factors. Ours and implicit read the same: start.RANK.SEED.f32 in the folder. */
  seed: number;
  /** A solver that the contestant has. */
  solver: 'exact' | 'cg' | 'weighted';
  /** Also times the top-10 lists of all users. */
  top: boolean;
}

export interface Reply {
  /** Wall time from the matrix in memory to the factors. */
  seconds: number;
  /** Processor time of all threads; Spark's JVM is included where there is /proc. */
  processorS?: number;
  topS?: number;
  /** Peak memory in bytes, where there is /proc. */
  peakBytes?: number | null;
}

export class Contestant {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;
  #errors = '';

  constructor(command: string, args: string[]) {
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#reader = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
    this.#lines = this.#reader[Symbol.asyncIterator]();
    this.#child.stderr?.on('data', (text) => {
      this.#errors = (this.#errors + text).slice(-4000);
    });
  }

  async fit(task: Task): Promise<Reply> {
    this.#child.stdin?.write(`${JSON.stringify(task)}\n`);
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) throw new Error(`${this.#child.spawnargs.join(' ')} ended:\n${this.#errors}`);
      if (value.startsWith('{')) return JSON.parse(value);
    }
  }

  /** It ends by itself when there is no more input. */
  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stdin?.end();
    if (this.#child.exitCode === null) await ended;
    this.#reader.close();
  }
}

/** Writes the matrix as a task's folder has it. */
export function writeMatrix(folder: string, { starts, columns, values }: Rows): void {
  writeFileSync(join(folder, 'starts.u32'), starts);
  writeFileSync(join(folder, 'columns.u32'), columns);
  writeFileSync(join(folder, 'values.f32'), values);
}

/** A file's bytes, read without a copy. */
export function bytesOf(file: string): ArrayBuffer {
  const descriptor = openSync(file, 'r');
  const bytes = new Uint8Array(fstatSync(descriptor).size);
  let at = 0;
  while (at < bytes.length) {
    const read = readSync(descriptor, bytes, at, bytes.length - at, at);
    if (read === 0) throw new Error(`${file} ended at ${at} of ${bytes.length} bytes`);
    at += read;
  }
  closeSync(descriptor);
  return bytes.buffer;
}
