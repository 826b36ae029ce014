// npm test [-- FILE|FOLDER...] [--concurrency N]: Node's own test runner, several files at a time, the slowest first.
// Runs every test file except those of `groups`, which have their own commands: npm run GROUP.
import { globSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { run } from 'node:test';
import { spec, type TestEvent } from 'node:test/reporters';
import { parseArgs } from 'node:util';
import { keptTable } from '#geo/keep.ts';
import { bundledServer } from './support/bundled.ts';

const root = join(import.meta.dirname, '..');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  // More than half of a file's time is waiting for servers and browsers, so three files a core.
  options: { concurrency: { type: 'string', default: String(3 * availableParallelism()) } },
});

// Tests start hundreds of processes of the same code: compiling it only once halves their processor time.
process.env.NODE_COMPILE_CACHE ??= join(root, 'build/compile-cache');

interface Group {
  what: string;
  /** `text`: the content of the file. */
  holds(file: string, text: string): boolean;
}

/** Tests that take minutes, or need more than `npm ci` brings. */
const groups: Record<string, Group> = {
  'test:search': {
    what: 'a real OpenSearch fails for minutes',
    holds: (file) => file === 'test/aws/search-outage.test.ts',
  },
  'test:aws': {
    what: 'stores, stacks, templates and Spark on what test/aws/install.sh brings',
    holds: (_, text) => /aws\/install\.sh|\/(servers|worlds\/spark)\.ts'/.test(text),
  },
  'test:package': {
    what: 'packs, installs and runs the package',
    holds: (file) => file === 'test/package.test.ts',
  },
  'test:firefox': {
    what: 'the beacon in Firefox',
    holds: (file) => file === 'test/web/beacon/firefox.test.ts',
  },
  'test:clients': {
    what: 'eleven clients on real registries',
    holds: (file) => file.startsWith('test/real-clients/'),
  },
};
const groupOf = (file: string) =>
  Object.keys(groups).find((name) => groups[name].holds(file, readFileSync(join(root, file), 'utf8')));

/** How many seconds each file took when it last ran here. */
const timesFile = join(root, 'build/test-seconds.json');
const seconds: Record<string, number> = read(timesFile);

/** The slowest files, slowest first, for a fresh clone, which has no times yet. */
const slow = [
  ...[
    'web/pages',
    'web/map',
    'local/crash',
    'local/faults',
    'local/team/team',
    'web/beacon/chromium',
    'train/train',
    'web/live',
  ],
  ...['process/forgotten', 'local/start', 'infra/tools/verify', 'local/soak', 'flow', 'infra/findings', 'examples'],
].map((name) => `test/${name}.test.ts`);

const wanted = positionals.length > 0 ? positionals : ['test'];
const leftOut = new Set<string>();
const files = [...new Set(wanted.flatMap(filesOf))].sort((a, b) => guess(b) - guess(a));
if (files.length === 0) {
  console.error(`no test file is called ${wanted.join(', ')}: name files or folders, such as test/core`);
  process.exit(1);
}

interface Ran {
  name: string;
  file: string;
  seconds: number;
}
// Built once in advance: many tests start servers, which would otherwise build it or wait for it.
const table = positionals.length === 0 ? keptTable(console.error).catch(console.error) : undefined;

// A run of single files starts the source, so that both are started often.
if (positionals.length === 0) process.env.WHALEWATCH_TEST_SERVER ??= await bundledServer();

const ran: Ran[] = [];
const tests = run({ files: files.map((file) => join(root, file)), concurrency: Number(values.concurrency), cwd: root });
tests.on('test:fail', ({ todo }) => {
  if (todo === undefined) process.exitCode = 1;
});
pipeline(tests, withSlowest, new spec(), process.stdout, { end: false });
await table;

/** The events of a run, with the slowest tests inserted before the summary. */
async function* withSlowest(events: AsyncIterable<TestEvent>) {
  for await (const event of events) {
    const { type, data } = event;
    if ((type === 'test:pass' || type === 'test:fail') && data.nesting === 0 && data.file)
      ran.push({ name: data.name, file: relative(root, data.file), seconds: data.details.duration_ms / 1000 });
    if (type === 'test:diagnostic' && data.nesting === 0 && /^tests \d+$/.test(data.message)) {
      remember();
      const lines = [...slowest(10), ...(leftOut.size > 0 ? [leftOutLine()] : [])];
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
  `not run here: ${Array.from(leftOut, (name) => `npm run ${name} (${groups[name].what})`).join(', ')}`;

function remember(): void {
  for (const [file, own] of Map.groupBy(ran, ({ file }) => file))
    seconds[file] = Math.round(own.reduce((sum, { seconds }) => sum + seconds, 0) * 10) / 10;
  mkdirSync(dirname(timesFile), { recursive: true });
  writeFileSync(timesFile, JSON.stringify(seconds, undefined, 1));
}

/**
 * Estimated seconds of a file: those of its last run here, which are remembered under the names of the files that its
 * tests are written in, else by its position among the slow ones, else by what it starts.
 */
function guess(file: string): number {
  const text = readFileSync(join(root, file), 'utf8');
  const imported = Array.from(text.matchAll(/ from '(\..+\.ts)'/g), ([, path]) => join(dirname(file), path));
  const known = [file, ...imported].filter((name) => name in seconds);
  if (known.length > 0) return known.reduce((sum, name) => sum + seconds[name], 0);
  if (slow.includes(file)) return 1000 - slow.indexOf(file);
  return /servers\.ts|browser\.ts/.test(text) ? 60 : /run\.ts|spawn/.test(text) ? 20 : 2;
}

/** The test files that a name stands for: a group, a file, or a folder without the files that are in a group. */
function filesOf(name: string): string[] {
  if (name in groups) return below('test').filter((file) => groupOf(file) === name);
  const path = relative(root, name);
  if (statSync(join(root, path), { throwIfNoEntry: false })?.isFile()) return [path];
  return below(path).filter((file) => {
    const group = groupOf(file);
    if (group !== undefined) leftOut.add(group);
    return group === undefined;
  });
}

function below(folder: string): string[] {
  return globSync(join(folder, '**/*.test.ts'), { cwd: root, exclude: (name) => name.includes('node_modules') });
}

function read(file: string): Record<string, number> {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return {};
  }
}
