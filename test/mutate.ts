// npm run mutate [-- --count 60 --seed 1 --only core/hits]: mutation testing: changes one place of the code at a time
// and runs the tests that reach it; prints each change that no test notices. Sampled and seeded: the same flags give
// the same changes. The change is made as the file is loaded (mutant.ts), never in the file itself. --only: only code
// below this folder, with every test that reaches it.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { equivalents } from './mutants.ts';

const root = join(import.meta.dirname, '..');
const functionsUrl = pathToFileURL(join(root, 'functions/')).href;
const hook = join(import.meta.dirname, 'mutant.ts');
/** The folders with rules. Adapters are tested by contracts. */
const folders = ['functions/core', 'functions/process', 'functions/collect', 'functions/http', 'functions/serve'];
/** Kernels are left out: they are compared with brute force on seeded data. */
const kernels = ['bytes/names', 'map/cluster', 'map/pyramid', 'map/png', 'recommender/als'].map(
  (name) => `functions/core/${name}.ts`,
);
/** Only mutations that the compiler would not notice. */
const slips: [RegExp, string][] = [
  [/ < (?=[\w(])/g, ' <= '],
  [/ <= /g, ' < '],
  [/ > (?=[\w(])/g, ' >= '],
  [/ >= /g, ' > '],
  [/ === /g, ' !== '],
  [/ !== /g, ' === '],
  [/ && /g, ' || '],
  [/ \|\| /g, ' && '],
  [/ \+ 1\b/g, ' - 1'],
  [/ - 1\b/g, ' + 1'],
  [/\btrue\b/g, 'false'],
  [/\bfalse\b/g, 'true'],
];

interface Mutant {
  file: string;
  at: number;
  from: string;
  to: string;
  /** The text of its line and the change, so that it stays valid when lines move. */
  line: string;
  change: string;
}

const filesIn = (folder: string) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !/lambda|env|server/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((file) => !kernels.includes(file));

/** Code only, no comments. */
function mutantsOf(file: string): Mutant[] {
  const text = readFileSync(join(root, file), 'utf8');
  return slips.flatMap(([pattern, to]) =>
    [...text.matchAll(pattern)].flatMap(({ index, 0: from }) => {
      const start = text.lastIndexOf('\n', index) + 1;
      if (/^\s*(\/\/|\*|\/\*|import )|\/\/ |\/\*\* /.test(text.slice(start, index + 1))) return [];
      const end = text.indexOf('\n', index);
      const line = text.slice(start, end).trim();
      return { file, at: index, from, to, line, change: `${from.trim()} -> ${to.trim()}` };
    }),
  );
}

/**
 * The time limit of a test file without a change, in counted seconds, so that a sleep of the machine is not taken for a
 * hang.
 */
const patience = 900;
/** The time limit with a change: a multiple of the time without it, plus a constant. */
const slower = 20;
const leastPatience = 30;

/** Runs a test file; a hang counts as noticed. */
const passes = (test: string, environment: Record<string, string>, patience: number): Promise<boolean> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [test], {
      cwd: root,
      stdio: 'ignore',
      env: { ...process.env, ...environment },
    });
    let seconds = 0;
    const late = setInterval(() => ++seconds > patience && child.kill('SIGKILL'), 1000);
    child.on('exit', (code) => {
      clearInterval(late);
      resolve(code === 0);
    });
  });

/** The code that a test file ran: offsets where the count changes, from V8's block coverage. */
interface Coverage {
  seconds: number;
  /** Hash of the text of the test and of each file it ran. */
  hashes: Record<string, string>;
  ranges: Record<string, [start: number, end: number, count: number][]>;
}

const hashOf = (file: string) =>
  createHash('sha256')
    .update(existsSync(join(root, file)) ? readFileSync(join(root, file)) : '')
    .digest('hex');
const cache = join(root, '.cache/mutate');

/**
 * Cached until the test or a file that it ran changes. Throws if a test fails without a change, as it would notice
 * every change.
 */
async function coverageOf(test: string): Promise<Coverage> {
  const kept = join(cache, `${test.replaceAll('/', '+')}.json`);
  if (existsSync(kept)) {
    const coverage: Coverage = JSON.parse(readFileSync(kept, 'utf8'));
    if (Object.entries(coverage.hashes).every(([file, hash]) => hashOf(file) === hash)) return coverage;
  }
  const folder = mkdtempSync(join(tmpdir(), 'whalewatch-mutate-'));
  try {
    const began = performance.now();
    let sound = false;
    for (let tries = 0; tries < 3 && !sound; tries++)
      sound = await passes(test, { NODE_V8_COVERAGE: folder }, patience);
    if (!sound) throw new Error(`${test} fails without a change: make it pass first`);
    const coverage: Coverage = {
      seconds: (performance.now() - began) / 1000,
      hashes: { [test]: hashOf(test) },
      ranges: {},
    };
    for (const name of readdirSync(folder)) {
      const { result }: { result: { url: string; functions: { ranges: Range[] }[] }[] } = JSON.parse(
        readFileSync(join(folder, name), 'utf8'),
      );
      for (const { url, functions } of result) {
        if (!url.startsWith(functionsUrl)) continue;
        const file = relative(root, fileURLToPath(url));
        coverage.hashes[file] = hashOf(file);
        coverage.ranges[file] ??= [];
        for (const { ranges } of functions)
          for (const { startOffset, endOffset, count } of ranges)
            coverage.ranges[file].push([startOffset, endOffset, count]);
      }
    }
    mkdirSync(cache, { recursive: true });
    writeFileSync(kept, JSON.stringify(coverage));
    return coverage;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

interface Range {
  startOffset: number;
  endOffset: number;
  count: number;
}

/** Whether the smallest range around the offset ran, in any of the processes. */
function ran(ranges: Coverage['ranges'][string] | undefined, at: number): boolean {
  let smallest = Number.POSITIVE_INFINITY;
  let is = false;
  for (const [start, end, count] of ranges ?? []) {
    if (at < start || at >= end || end - start > smallest) continue;
    is = count > 0 || (is && end - start === smallest);
    smallest = end - start;
  }
  return is;
}

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
  },
});
const tests = filesIn('test').filter(
  (name) => name.endsWith('.test.ts') && /^test\/(core|collect|http|layers|process|serve|train)\//.test(name),
);
const rank = ({ file, line, change }: Mutant) =>
  createHash('sha256').update(`${values.seed} ${file} ${line} ${change}`).digest('hex');
const isEquivalent = ({ file, line, change }: Mutant) =>
  equivalents.some((one) => one.file === file && one.change === change && line.includes(one.line));
const sample = folders
  .flatMap(filesIn)
  .filter((file) => file.startsWith(`functions/${values.only}`))
  .flatMap(mutantsOf)
  .map((mutant) => ({ mutant, rank: rank(mutant) }))
  .sort((a, b) => (a.rank < b.rank ? -1 : 1))
  .slice(0, Number(values.count))
  .map(({ mutant }) => mutant);
const judged = sample.filter((mutant) => !isEquivalent(mutant));

/** Runs the tests that reach the change, the quickest first, until one fails; returns that test. */
async function killerOf({ file, at, from, to }: Mutant): Promise<string | undefined> {
  const reaching = [...coverages]
    .filter(([, { ranges }]) => ran(ranges[file], at))
    .sort(([, one], [, other]) => one.seconds - other.seconds);
  const change = JSON.stringify({ file: pathToFileURL(join(root, file)).href, at, from, to });
  const environment = { NODE_OPTIONS: `--import=${hook}`, WHALEWATCH_MUTANT: change };
  for (const [test, { seconds }] of reaching)
    if (!(await passes(test, environment, leastPatience + slower * seconds))) return test;
}

const coverages = new Map<string, Coverage>();
await inParallel(tests, async (test) => {
  coverages.set(test, await coverageOf(test));
});
let killed = 0;
await inParallel(judged, async (mutant) => {
  const { file, at, change } = mutant;
  const killer = await killerOf(mutant);
  if (killer) killed++;
  const number = readFileSync(join(root, file), 'utf8').slice(0, at).split('\n').length;
  console.log(`${killer ? 'killed' : 'lives '} ${file}:${number}  ${change}  ${killer ?? mutant.line}`);
});
const equivalent = sample.length - judged.length;
console.log(
  JSON.stringify({ seed: values.seed, count: sample.length, equivalent, killed, share: killed / judged.length }),
);

async function inParallel<T>(all: T[], work: (one: T) => Promise<void>): Promise<void> {
  const left = all.values();
  await Promise.all(
    Array.from({ length: availableParallelism() }, async () => {
      for (const one of left) await work(one);
    }),
  );
}
