// Emulators of AWS's services, for the AWS side of the contract suite and for the deploy test: MiniStack (`.venv`, from
// PyPI) and OpenSearch (`test/opensearch`, from Maven Central). `.ci/run` installs both.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');
const ministack = join(root, '.venv/bin/ministack');
const openSearchLibraries = join(root, '.cache/opensearch/lib-2.19.1.0/.done');

/** Why the servers can't be started here, or undefined if they can. */
export const notInstalled =
  existsSync(ministack) && existsSync(openSearchLibraries) ? undefined : 'test/aws/install.sh';

export interface Server {
  url: string;
  stop(): Promise<void>;
}

/** Starts MiniStack on a free port, its state in memory. AWS SDK clients reach it with `awsEnvironment(url)`. */
export async function startMiniStack(environment: Record<string, string> = {}): Promise<Server & { log(): string }> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'ministack-'));
  const log = join(folder, 'log');
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(ministack, [], {
    cwd: folder,
    env: { ...process.env, GATEWAY_PORT: String(port), ...environment },
    stdio: ['ignore', openSync(log, 'a'), openSync(log, 'a')],
    detached: true,
  });
  const exited = new Promise<void>((resolve) => child.on('exit', () => resolve()));
  for (let tries = 0; ; tries++) {
    if (child.exitCode !== null || tries > 300)
      throw new Error(`MiniStack did not start: ${readFileSync(log, 'utf8')}`);
    if (await answers(`${url}/_ministack/health`)) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    url,
    log: () => readFileSync(log, 'utf8'),
    async stop() {
      // Its own process group: MiniStack starts functions as children.
      if (child.pid) process.kill(-child.pid, 'SIGTERM');
      await exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export interface Node extends Server {
  /** kill -9; the stored data stays. */
  kill(): void;
  /** Starts it again on the same port and data. */
  start(): void;
}

/** Starts a real OpenSearch node on a free port. */
export async function startOpenSearch(): Promise<Node> {
  const [port, transport] = [await freePort(), await freePort()];
  const folder = mkdtempSync(join(tmpdir(), 'opensearch-'));
  const script = (name: string) =>
    execFileSync(join(root, 'test/opensearch', name), [String(port), folder], {
      stdio: ['ignore', 'ignore', 'inherit'],
      // Only the JVM's first compiler: compiling with the second takes longer than everything a test asks of the node.
      env: { TIER: '1', ...process.env, TRANSPORT_PORT: String(transport) },
    });
  const start = () => {
    try {
      script('start.sh');
    } catch (cause) {
      // A node that is not ready in time still runs.
      script('stop.sh');
      throw cause;
    }
  };
  start();
  return {
    url: `http://127.0.0.1:${port}`,
    start,
    kill: () => {
      process.kill(Number(readFileSync(join(folder, 'pid'), 'utf8')), 'SIGKILL');
    },
    async stop() {
      script('stop.sh');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The environment that makes the SDK, CDK and functions use MiniStack. */
export const awsEnvironment = (url: string): Record<string, string> => ({
  AWS_ENDPOINT_URL: url,
  AWS_ACCESS_KEY_ID: 'test',
  AWS_SECRET_ACCESS_KEY: 'test',
  AWS_REGION: 'us-east-1',
  AWS_DEFAULT_REGION: 'us-east-1',
});

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close((cause) => (cause ? reject(cause) : resolve(port)));
    });
  });
}

const answers = (url: string) =>
  fetch(url).then(
    ({ ok }) => ok,
    () => false,
  );
