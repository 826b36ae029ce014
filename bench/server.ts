// Servers in processes of their own, for benches that measure over HTTP.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The webhook's token of the local run. */
export const token = 'of-the-bench';

export interface Started {
  child: ChildProcess;
  origin: string;
  stop(): Promise<void>;
}

/** Runs a script until it prints `ready URL`. It is killed with this process. */
export async function startServer(script: string, args: string[]): Promise<Started> {
  const child = spawn(process.execPath, [join(import.meta.dirname, '..', script), ...args], {
    env: { ...process.env, WHALEWATCH_TOKEN: token },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const killed = () => child.kill('SIGKILL');
  process.once('exit', killed);
  const ended = once(child, 'exit').then(() => void process.off('exit', killed));
  const origin = await new Promise<string>((resolve, reject) => {
    let output = '';
    child.stdout.on('data', (text) => {
      output += text;
      const ready = /^ready (http\S+)$/m.exec(output);
      if (ready) resolve(ready[1]);
    });
    child.on('exit', (code) => reject(new Error(`${script} ended with ${code} before it was ready`)));
  });
  return {
    child,
    origin,
    async stop() {
      child.kill();
      await ended;
    },
  };
}

/** Starts the whole local run on a data folder. */
export const startLocal = (folder: string, args: string[] = []): Promise<Started> =>
  startServer('infra/local/start.ts', ['--port', '0', '--data', folder, ...args]);

/** Processor time of a process and all its threads so far, in ticks of 10 ms; 0 if /proc can't be read. */
export function processorMs({ pid }: Pick<ChildProcess, 'pid'>): number {
  const file = `/proc/${pid}/stat`;
  if (!existsSync(file)) return 0;
  const fields = readFileSync(file, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
