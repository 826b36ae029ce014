// npm test [-- FILE|FOLDER...] [--concurrency N]: node's own test runner, several files at a time, the slowest first.
import { globSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { parseArgs } from 'node:util';

const root = join(import.meta.dirname, '..');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  // Half of a file's time is waiting for servers and browsers: two files a core.
  options: { concurrency: { type: 'string', default: String(2 * availableParallelism()) } },
});

/** Seconds that each file took when it last ran here. */
const timesFile = join(root, 'build/test-seconds.json');
const seconds: Record<string, number> = read(timesFile);

const wanted = positionals.length > 0 ? positionals : ['test'];
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
const ran: Ran[] = [];
const tests = run({ files: files.map((file) => join(root, file)), concurrency: Number(values.concurrency), cwd: root });
tests.on('test:pass', note).on('test:fail', (event) => {
  process.exitCode = 1;
  note(event);
});
tests.compose(spec).pipe(process.stdout);
tests.on('end', () => {
  // After the summary of the reporter.
  process.once('exit', () => {
    remember();
    console.log('slowest ten');
    for (const { seconds, name, file } of ran.sort((a, b) => b.seconds - a.seconds).slice(0, 10))
      console.log(`${seconds.toFixed(1).padStart(6)} s  ${file}  ${name}`);
  });
});

function note({
  name,
  nesting,
  file,
  details,
}: {
  name: string;
  nesting: number;
  file?: string;
  details: { duration_ms: number };
}) {
  if (nesting === 0 && file) ran.push({ name, file: relative(root, file), seconds: details.duration_ms / 1000 });
}

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

function filesOf(name: string): string[] {
  const path = relative(root, name);
  const at = statSync(join(root, path), { throwIfNoEntry: false });
  if (at?.isFile()) return [path];
  return globSync(join(path, '**/*.test.ts'), { cwd: root });
}

function read(file: string): Record<string, number> {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return {};
  }
}
