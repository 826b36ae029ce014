// Runs the rows of table.ts: real clients, real registries, and what `npm start` makes of the events.
// CAPTURE=1 also writes the traffic to test/fixtures/registry/clients-*.ndjson.
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { fixtures } from '../support/captured.ts';
import { notInstalled, password, startRegistry, writeImage } from '../support/registry.ts';
import { eventually, type Running, startLocal } from '../support/run.ts';
import { type Counts, expected, type Row, rows } from './table.ts';

const built = join(import.meta.dirname, '../../.cache/real-clients');
process.env.PATH = `${built}${delimiter}${process.env.PATH}`;

const programs = ['skopeo', 'podman', 'buildah', 'ctr', 'helm', 'oras', 'crane', 'regctl', 'regsync', 'cosign', 'curl'];
const missing = notInstalled('docker-registry', 'registry', 'containerd', ...programs);
const run = promisify(execFile);

/** What somebody else pushes before a row runs. */
const seeds: Record<NonNullable<Row['seed']>, string> = {
  nothing: ':',
  image: 'skopeo copy $SINGLE docker://$IMAGE:1; skopeo copy $SINGLE docker://$IMAGE:2',
  index: 'skopeo copy --all $INDEX docker://$IMAGE:1',
  chart: 'chart; helm push $W/*.tgz oci://$(dirname $IMAGE)',
  artifact: 'oras push $IMAGE:1 notes.txt',
  described: 'skopeo copy $SINGLE docker://$IMAGE:1; oras attach --artifact-type example/notes $IMAGE:1 notes.txt',
  signed: 'skopeo copy $SINGLE docker://$IMAGE:1; cp $KEYS/cosign.* .; cosign sign $IMAGE@$DIGEST',
};

/** Why a row can't run here; undefined if it can. */
function skipped(row: Row, ...needed: string[]): string | false {
  const script = `${seeds[row.seed ?? 'image']} ${row.run}`;
  for (const program of programs) if (new RegExp(`\\b${program}\\b`).test(script)) needed.push(program);
  if (needed.includes('ctr')) needed.push('containerd');
  const absent = needed.filter((program) => missing.includes(program));
  return absent.length > 0 && `not installed (.ci/run does): ${absent.join(', ')}`;
}

interface Ran {
  row: Row;
  /** The output of the commands, shown if they fail. */
  failed?: string;
  counts?: Counted;
  other?: Counted;
}
interface Counted {
  pulls: Counts;
  raw: number;
  pushes: number;
}

interface Setup {
  /** Name of the captured file. */
  name: string;
  program: string;
  /** The program of the pull-through cache: 2.8 can only cache a registry that requires no password. */
  cacheProgram: string;
  signedIn: boolean;
}
const setups: Setup[] = [
  { name: '2.8', program: 'docker-registry', cacheProgram: 'registry', signedIn: true },
  { name: '3', program: 'registry', cacheProgram: 'registry', signedIn: true },
  { name: '2.8-cache', program: 'docker-registry', cacheProgram: 'docker-registry', signedIn: false },
];

for (const setup of setups)
  describe(`registry ${setup.name}`, () => {
    const { name, program, cacheProgram, signedIn } = setup;
    const whySkipped = (row: Row) => skipped(row, program, ...(row.user === 'cache' ? [cacheProgram] : []));
    const mine = rows.filter((row) => signedIn || row.user === 'cache');
    const ran = new Map<Row, Ran>();
    let world: World | undefined;
    before(async () => {
      const here = mine.filter((row) => !whySkipped(row));
      if (here.length === 0) return;
      world = await startWorld(setup);
      const runRow = async (row: Row) => ran.set(row, await world!.run(row));
      await inParallel(here, 2 * availableParallelism(), runRow);
      await world.settle();
      for (const one of ran.values()) if (!one.failed) await world.count(one);
      if (process.env.CAPTURE) world.capture();
    });
    after(() => world?.stop());

    for (const row of mine)
      test(row.row, { skip: whySkipped(row) }, () => {
        const { failed, counts, other } = ran.get(row)!;
        assert.equal(failed, undefined, failed);
        const { pulls, raw, pushes = 0 } = expected(row, name);
        // Without users the counts include what was pushed before.
        if (!signedIn) assert.deepEqual({ pulls: counts?.pulls, raw: counts?.raw }, { pulls, raw });
        else {
          assert.deepEqual(counts, { pulls, raw, pushes });
          assert.deepEqual(other, row.other ?? { pulls: {}, raw: 0, pushes: 0 });
        }
      });
  });

const slug = (row: Row) => row.row.toLowerCase().replace(/[^a-z0-9]+/g, '-');
const repositoryOf = (row: Row) => `rows/${slug(row)}`;
const otherOf = (row: Row) => `other/${slug(row)}`;

interface World {
  run(row: Row): Promise<Ran>;
  /** Resolves when all that the registry reported is counted. */
  settle(): Promise<void>;
  count(ran: Ran): Promise<void>;
  capture(): void;
  stop(): void;
}

async function startWorld({ name, program, cacheProgram, signedIn }: Setup): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'whalewatch-clients-'));
  const users = ['alice', 'publisher', 'cache'];
  const running = await startLocal(join(folder, 'data'));
  const webhook = `${running.origin}/v1/registry-events`;
  const registry = await startRegistry({
    folder: join(folder, 'registry'),
    ...{ program, webhook, users: signedIn ? users : [], ignore: ['application/octet-stream'] },
  });
  const proxy = { remoteurl: `http://${registry.host}`, ...(signedIn ? { username: 'cache', password } : {}) };
  const cache = missing.includes(cacheProgram)
    ? undefined
    : await startRegistry({ folder: join(folder, 'cache'), program: cacheProgram, users: [], proxy });
  const containerd = startContainerd(join(folder, 'containerd'));

  const auth = join(folder, 'auth');
  mkdirSync(auth);
  const hosts = cache ? [registry.host, cache.host] : [registry.host];
  const insecure = hosts.map((host) => `[[registry]]\nlocation = "${host}"\ninsecure = true\n`);
  writeFileSync(join(auth, 'registries.conf'), insecure.join(''));
  for (const user of users) {
    mkdirSync(join(auth, user));
    const login = { auth: Buffer.from(`${user}:${password}`).toString('base64') };
    const auths = Object.fromEntries(hosts.map((host) => [host, login]));
    writeFileSync(join(auth, user, 'config.json'), JSON.stringify({ auths }));
  }
  const keys = join(folder, 'keys');
  mkdirSync(keys);
  if (!missing.includes('cosign'))
    await run('cosign', ['generate-key-pair'], { cwd: keys, env: { ...process.env, COSIGN_PASSWORD: '' } });

  const bash = async (script: string, role: string, row: Row) => {
    const work = mkdtempSync(join(folder, 'row-'));
    // Images of its own for each row, as containerd keeps content by digest.
    const [single, index] = ['image', 'index'].map((kind) => join(folder, kind, slug(row)));
    const digests = { image: writeImage(single, ['amd64']), index: writeImage(index, ['amd64', 'arm64']) };
    const env = {
      PATH: process.env.PATH,
      ...{ REGISTRY: registry.host, REPOSITORY: repositoryOf(row), CREDS: `${role}:${password}`, ROLE: role },
      IMAGE: `${registry.host}/${repositoryOf(row)}`,
      OTHER: `${registry.host}/${otherOf(row)}`,
      CACHE: `${cache?.host}/${repositoryOf(row)}`,
      DIGEST: row.seed === 'index' ? digests.index : digests.image,
      ...{ W: work, SINGLE: `oci:${single}:made`, INDEX: `oci:${index}:made`, AUTH: auth, KEYS: keys },
      SOCKET: containerd.socket,
    };
    const prelude = join(import.meta.dirname, 'prelude.sh');
    await run('bash', ['--norc', '-c', `. ${prelude}\n${script}`], { env, timeout: 60_000 });
  };

  return {
    async run(row) {
      try {
        await bash(seeds[row.seed ?? 'image'], 'publisher', row);
        await bash(row.run, 'alice', row);
        return { row };
      } catch (cause) {
        const { message, stdout, stderr } = cause as Error & { stdout: string; stderr: string };
        return { row, failed: `${message}\n${stdout}\n${stderr}` };
      }
    },
    async settle() {
      // A registry reports events one after another, and events of one user are processed in order.
      for (const user of users) {
        const path = `rows/last-of-${user}`;
        const sentinel = { row: path, run: '', pulls: {}, raw: 0 };
        await bash(`skopeo copy $SINGLE docker://$REGISTRY/${path}:1`, user, sentinel);
        const pushed = () => countsOf(running, path, signedIn ? user : undefined);
        await eventually(30, pushed, ({ pushes }) => pushes > 0);
      }
    },
    async count(ran) {
      const { row } = ran;
      const user = signedIn ? (row.user ?? 'alice') : undefined;
      ran.counts = await countsOf(running, repositoryOf(row), user);
      ran.other = await countsOf(running, otherOf(row), user);
    },
    capture() {
      const labels = new Map(rows.flatMap((row) => [repositoryOf(row), otherOf(row)].map((name) => [name, row.row])));
      const lines = registry.posted.flatMap(({ receivedAt, headers, body }) => {
        const envelope = JSON.parse(body);
        const label = labels.get(envelope.events[0].target.repository);
        const type = headers.filter(([name]) => name === 'Content-Type');
        const post = { label, receivedAt, answered: 'ok', method: 'POST', path: '/notify', headers: type };
        Object.assign(post, { body: JSON.stringify(envelope) });
        return label ? [JSON.stringify(post)] : [];
      });
      writeFileSync(join(fixtures, `clients-${name}.ndjson`), lines.map((line) => `${line}\n`).join(''));
    },
    stop() {
      for (const one of [registry, cache, containerd]) one?.stop();
      running.child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

async function countsOf(running: Running, repository: string, user?: string): Promise<Counted> {
  interface Answer {
    total: { pulls: number; raw: number; pushes: number };
    buckets: { key: PullClassKey; pulls: number }[];
  }
  type PullClassKey = keyof Counts;
  const query = `repository=${encodeURIComponent(repository)}${user ? `&user=${user}` : ''}`;
  const { total, buckets } = await running.get<Answer>(`/v1/pulls?${query}&by=class`);
  const pulls: Counts = {};
  for (const { key, pulls: count } of buckets) if (count > 0) pulls[key] = (pulls[key] ?? 0) + count;
  return { pulls, raw: total.raw, pushes: total.pushes };
}

function startContainerd(folder: string): { socket: string; stop(): void } {
  mkdirSync(folder);
  const socket = join(folder, 'containerd.sock');
  writeFileSync(
    join(folder, 'config.toml'),
    `version = 2
root = "${folder}/root"
state = "${folder}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "${socket}"
`,
  );
  const child: ChildProcess = spawn('containerd', ['--config', join(folder, 'config.toml')], { stdio: 'ignore' });
  return { socket, stop: () => child.kill('SIGKILL') };
}

async function inParallel<T>(items: T[], workers: number, work: (item: T) => Promise<unknown>) {
  const left = [...items];
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: workers }, worker));
}
