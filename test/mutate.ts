// npm run mutate [-- --count 60 --seed 1]: changes one place of the code at a time, as a slip would, and runs the tests of
// the file: a change that no test notices is printed. Sampled and seeded: the same numbers are the same changes.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { equivalents } from './mutants.ts';

const root = join(import.meta.dirname, '..');
/** The rules. Adapters have contracts of their own. */
const folders = ['functions/core', 'functions/process', 'functions/collect', 'functions/http', 'functions/serve'];
/** Kernels are compared with brute force on seeded data, whose slips are not of this kind. */
const kernels = ['bytes/names', 'map/cluster', 'map/pyramid', 'map/png', 'recommender/als'].map(
  (name) => `functions/core/${name}.ts`,
);
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
  [/return undefined;/g, 'return null as never;'],
];

interface Mutant {
  file: string;
  at: number;
  from: string;
  to: string;
  /** The line it is in, and the change: lasts while other lines move. */
  line: string;
  change: string;
}

const filesIn = (folder: string) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !/lambda|env|server/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((file) => !kernels.includes(file));

/** Code only: a comment is no place for a slip. */
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

/** The tests that name the file, then those of its folder's mirror, which may reach it by others. */
function testsOf(file: string, tests: Map<string, string>): string[] {
  const imported = `#${file.replace(/^functions\//, '')}`;
  const direct = [...tests].filter(([, text]) => text.includes(imported)).map(([name]) => name);
  const mirror = `${dirname(file.replace(/^functions/, 'test'))}/`;
  const others = [...tests.keys()].filter((name) => name.startsWith(mirror) && !direct.includes(name));
  return [...direct, ...others];
}

/** Seconds that a test file may run; counted, so that a machine that sleeps meanwhile is not taken for a hang. */
const patience = 900;

const passes = (test: string): Promise<boolean> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [test], { cwd: root, stdio: 'ignore' });
    let seconds = 0;
    // What hangs was noticed.
    const late = setInterval(() => ++seconds > patience && child.kill('SIGKILL'), 1000);
    child.on('exit', (code) => {
      clearInterval(late);
      resolve(code === 0);
    });
  });

/** A test that fails without a change would kill everything. */
const sound = new Set<string>();
async function assertSound(test: string) {
  for (let tries = 0; tries < 3 && !sound.has(test); tries++) if (await passes(test)) sound.add(test);
  if (!sound.has(test)) throw new Error(`${test} fails without a change: make it pass first`);
}

const { values } = parseArgs({
  options: { count: { type: 'string', default: '60' }, seed: { type: 'string', default: '1' } },
});
const tests = new Map(
  filesIn('test')
    .filter((name) => name.endsWith('.test.ts') && !/^test\/(local|aws|web|infra|real-clients|train)\//.test(name))
    .map((name) => [name, readFileSync(join(root, name), 'utf8')]),
);
const rank = ({ file, line, change }: Mutant) =>
  createHash('sha256').update(`${values.seed} ${file} ${line} ${change}`).digest('hex');
const isEquivalent = ({ file, line, change }: Mutant) =>
  equivalents.some((one) => one.file === file && one.change === change && line.includes(one.line));
const sample = folders
  .flatMap(filesIn)
  .flatMap(mutantsOf)
  .map((mutant) => ({ mutant, rank: rank(mutant) }))
  .sort((a, b) => (a.rank < b.rank ? -1 : 1))
  .slice(0, Number(values.count))
  .map(({ mutant }) => mutant);
const judged = sample.filter((mutant) => !isEquivalent(mutant));

/** Runs the tests on the code as it is changed, until one fails; returns that. */
async function killerOf({ file, at, from, to }: Mutant): Promise<string | undefined> {
  const path = join(root, file);
  const text = readFileSync(path, 'utf8');
  const restore = () => writeFileSync(path, text);
  const interrupted = () => {
    restore();
    process.exit(1);
  };
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    writeFileSync(path, text.slice(0, at) + to + text.slice(at + from.length));
    for (const test of testsOf(file, tests)) if (!(await passes(test))) return test;
  } finally {
    restore();
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted);
  }
}

let killed = 0;
for (const mutant of judged) {
  const { file, at, change } = mutant;
  const killer = await killerOf(mutant);
  if (killer) await assertSound(killer);
  if (killer) killed++;
  const number = readFileSync(join(root, file), 'utf8').slice(0, at).split('\n').length;
  console.log(`${killer ? 'killed' : 'lives '} ${file}:${number}  ${change}  ${killer ?? mutant.line}`);
}
const equivalent = sample.length - judged.length;
console.log(
  JSON.stringify({ seed: values.seed, count: sample.length, equivalent, killed, share: killed / judged.length }),
);
