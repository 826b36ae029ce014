// Starts the real thing, `infra/local/start.ts`, in a process of its own, as a user would. A run of the whole suite
// (test/run.ts) starts the same code bundled (bundled.ts).
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
export const token = 'test-token';
export const serverSource = join(root, 'infra/local/start.ts');
export const serverFile = process.env.WHALEWATCH_TEST_SERVER ?? serverSource;

/** A data folder of the test's own, removed when the test is over. */
export function dataFolder(t: { after(work: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'whalewatch-'));
  t.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

export interface Running {
  origin: string;
  child: ChildProcess;
  /** Its output so far. */
  output(): string;
  /** A clean stop. */
  stop(): Promise<number | null>;
  /** kill -9. */
  kill(): Promise<void>;
  get<T = unknown>(path: string): Promise<T>;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
}

interface Ended {
  code: number | null;
  output: string;
}

/** Runs a script of `infra` to its end. */
export const runScript = (name: string, args: string[]) => runToEnd(join(root, 'infra', name), args);
/** Runs a server that is not to start. */
export const runServer = (args: string[]) => runToEnd(serverFile, args);

function runToEnd(file: string, args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, [file, ...args], { cwd: root });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output += chunk;
    });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })));
}

export async function startLocal(
  folder: string,
  args: string[] = [],
  environment: Record<string, string> = {},
  file = serverFile,
): Promise<Running> {
  const child = spawn(process.execPath, [file, '--port', '0', '--data', folder, ...args], {
    cwd: root,
    env: { ...process.env, WHALEWATCH_TOKEN: token, ...environment },
  });
  let output = '';
  const exited = new Promise<number | null>((resolve) => child.on('exit', resolve));
  const origin = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      output += chunk;
      const ready = output.match(/^ready (http\S+)$/m);
      if (ready) resolve(ready[1]);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('exit', (code) => reject(new Error(`start ended with ${code}: ${output}`)));
  });
  const running: Running = {
    origin,
    child,
    output: () => output,
    async stop() {
      child.kill('SIGTERM');
      return exited;
    },
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
    async get<T>(path: string) {
      const answer = await fetch(origin + path);
      if (!answer.ok) throw new Error(`GET ${path}: ${answer.status} ${await answer.text()}`);
      return (await answer.json()) as T;
    },
    post: (path, body, headers = {}) =>
      fetch(origin + path, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}`, ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      }),
  };
  return running;
}

/** Resident memory of a process. Linux. */
export function rssMiBOf(pid: number | undefined): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** Calls `read` again until its result is right; fails with the last result after `seconds`. */
export async function eventually<T>(seconds: number, read: () => Promise<T>, right: (value: T) => boolean): Promise<T> {
  const end = performance.now() + seconds * 1000;
  for (;;) {
    const value = await read().catch((cause: Error) => cause);
    if (!(value instanceof Error) && right(value)) return value;
    if (performance.now() > end)
      throw new Error(
        `the condition did not hold within ${seconds} s: ${value instanceof Error ? value.message : JSON.stringify(value).slice(0, 2000)}`,
      );
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
