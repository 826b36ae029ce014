// npm test [-- FILE|FOLDER...] [--concurrency N]: node's own test runner, several files at a time, the slowest first.
// Runs every test file but those of `apart`, which have a command of their own and run where they are named.
import { globSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { run } from 'node:test';
import { spec, type TestEvent } from 'node:test/reporters';
import { parseArgs } from 'node:util';

const root = join(import.meta.dirname, '..');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  // Half of a file's time is waiting for servers and browsers: two files a core.
  options: { concurrency: { type: 'string', default: String(2 * availableParallelism()) } },
});

// Hundreds of processes of the same code are started: compiled once, they take half the time of the processor.
process.env.NODE_COMPILE_CACHE ??= join(root, 'build/compile-cache');

/** What takes minutes, and changes with few changes: the command that runs it, and what it is. */
const apart: Record<string, { command: string; what: string }> = {
  'test/aws/deploy.test.ts': { command: 'npm run test:aws', what: 'deploys the stacks to an emulator' },
  'test/package.test.ts': { command: 'npm run test:package', what: 'packs, installs and runs the package' },
  'test/real-clients/clients.test.ts': { command: 'npm run test:clients', what: 'eleven clients on real registries' },
};

/** Seconds that each file took when it last ran here. */
const timesFile = join(root, 'build/test-seconds.json');
const seconds: Record<string, number> = read(timesFile);

const wanted = positionals.length > 0 ? positionals : ['test'];
const found = [...new Set(wanted.flatMap(filesOf))];
const leftOut = found.filter((file) => file in apart && !wanted.some((name) => isNamed(file, name)));
const files = found.filter((file) => !leftOut.includes(file)).sort((a, b) => guess(b) - guess(a));
if (files.length === 0) {
  console.error(`no test file is called ${wanted.join(', ')}: name files or folders, such as test/core`);
  process.exit(1);
}

interface Ran {
  name: string;
  file: string;
  seconds: number;
}
const ran: Ran[] = [];
const tests = run({ files: files.map((file) => join(root, file)), concurrency: Number(values.concurrency), cwd: root });
tests.on('test:fail', ({ todo }) => {
  if (todo === undefined) process.exitCode = 1;
});
pipeline(tests, withSlowest, new spec(), process.stdout, { end: false });

/** The events of a run, the slowest tests told before the summary. */
async function* withSlowest(events: AsyncIterable<TestEvent>) {
  for await (const event of events) {
    const { type, data } = event;
    if ((type === 'test:pass' || type === 'test:fail') && data.nesting === 0 && data.file)
      ran.push({ name: data.name, file: relative(root, data.file), seconds: data.details.duration_ms / 1000 });
    if (type === 'test:diagnostic' && data.nesting === 0 && /^tests \d+$/.test(data.message)) {
      remember();
      const lines = [...slowest(10), ...(leftOut.length > 0 ? [leftOutLine()] : [])];
      yield* lines.map((message) => ({ type, data: { ...data, message } }));
    }
    yield event;
  }
}

function slowest(most: number): string[] {
  const rows = ran.toSorted((a, b) => b.seconds - a.seconds).slice(0, most);
  return [
    'slowest:',
    ...rows.map(({ seconds, file, name }) => `${seconds.toFixed(1).padStart(6)} s  ${file}  ${name}`),
  ];
}

const leftOutLine = () =>
  `not run here: ${leftOut.map((file) => `${apart[file].command} (${apart[file].what})`).join(', ')}`;

function remember(): void {
  for (const [file, own] of Map.groupBy(ran, ({ file }) => file))
    seconds[file] = Math.round(own.reduce((sum, { seconds }) => sum + seconds, 0) * 10) / 10;
  mkdirSync(dirname(timesFile), { recursive: true });
  writeFileSync(timesFile, JSON.stringify(seconds, undefined, 1));
}

/** What a file will take: as long as last time; unknown, by what it starts. */
function guess(file: string): number {
  if (file in seconds) return seconds[file];
  const text = readFileSync(join(root, file), 'utf8');
  return /servers\.ts|browser\.ts/.test(text) ? 60 : /run\.ts|spawn/.test(text) ? 20 : 2;
}

/** Whether a file was asked for by itself, or by a folder that is no more than what runs apart. */
function isNamed(file: string, name: string): boolean {
  const path = relative(root, name);
  return path === file || (path === dirname(file) && filesOf(name).every((one) => one in apart));
}

function filesOf(name: string): string[] {
  const path = relative(root, name);
  const at = statSync(join(root, path), { throwIfNoEntry: false });
  if (at?.isFile()) return [path];
  return globSync(join(path, '**/*.test.ts'), { cwd: root, exclude: (name) => name.includes('node_modules') });
}

function read(file: string): Record<string, number> {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return {};
  }
}
