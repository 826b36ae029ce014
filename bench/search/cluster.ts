// A real OpenSearch on this machine, with new data, for a bench. Needs test/aws/install.sh.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

export interface Cluster {
  endpoint: string;
  pid: number;
  /** For files of the bench; removed with the cluster. */
  folder: string;
  call<T>(method: string, path: string, body?: object): Promise<T>;
  /** Resolves when no segments are being merged and what was written is on disk. */
  settled(): Promise<void>;
  stop(): void;
}

/** Starts it; `heap`: `1g`, … */
export async function startCluster(heap: string): Promise<Cluster> {
  const scripts = join(import.meta.dirname, '../../test/opensearch');
  const folder = mkdtempSync(join(tmpdir(), 'whalewatch-search-'));
  const [port, transport] = [String(await freePort()), String(await freePort())];
  const endpoint = `http://127.0.0.1:${port}`;
  const run = (script: string) =>
    execFileSync(join(scripts, script), [port, join(folder, 'opensearch')], {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { HEAP: heap, ...process.env, TRANSPORT_PORT: transport },
    });
  run('start.sh');

  const call = async <T>(method: string, path: string, body?: object): Promise<T> => {
    const headers = { 'Content-Type': 'application/json' };
    const response = await fetch(endpoint + path, { method, headers, body: body && JSON.stringify(body) });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as T;
  };
  return {
    ...{ endpoint, folder, call },
    pid: Number(readFileSync(join(folder, 'opensearch/pid'), 'utf8')),
    async settled() {
      for (let merges = 1; merges > 0; await wait(100)) {
        const { _all } = await call<{ _all: { total: { merges?: { current: number } } } }>('GET', '/_stats/merge');
        merges = _all.total.merges?.current ?? 0;
      }
      execFileSync('sync');
    },
    stop() {
      run('stop.sh');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}
