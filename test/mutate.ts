// npm run mutate [-- --count 60 --seed 1]: changes one place of the code at a time, as a slip would, and runs the tests that
// import the file: a change that no test notices is printed. Sampled and seeded: the same numbers are the same changes.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { seeded } from '#core/bytes/random.ts';

const root = join(import.meta.dirname, '..');
/** The rules; kernels and adapters have brute force and contracts of their own. */
const folders = [
  'functions/core/hits',
  'functions/core/registry',
  'functions/process',
  'functions/collect',
  'functions/http',
  'functions/serve',
];
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
}

const filesIn = (folder: string) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts') && !/lambda|env|server/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)));

/** Code only: a comment is no place for a slip. */
function mutantsOf(file: string): Mutant[] {
  const text = readFileSync(join(root, file), 'utf8');
  return slips.flatMap(([pattern, to]) =>
    [...text.matchAll(pattern)]
      .filter(
        ({ index }) => !/^\s*(\/\/|\*|\/\*|import )|\/\/ /.test(text.slice(text.lastIndexOf('\n', index) + 1, index)),
      )
      .map(({ index, 0: from }) => ({ file, at: index, from, to })),
  );
}

/** The tests that name the file, or its folder's mirror. */
function testsOf(file: string, tests: Map<string, string>): string[] {
  const imported = `#${file.replace(/^functions\//, '')}`;
  const direct = [...tests].filter(([, text]) => text.includes(imported)).map(([name]) => name);
  if (direct.length > 0) return direct;
  const mirror = file.replace(/^functions/, 'test').replace(/\/[^/]+$/, '/');
  return [...tests.keys()].filter((name) => name.startsWith(mirror));
}

const run = (tests: string[]): Promise<boolean> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, ['--test', ...tests], { cwd: root, stdio: 'ignore' });
    // What hangs was noticed.
    const late = setTimeout(() => child.kill('SIGKILL'), 120_000);
    child.on('exit', (code) => {
      clearTimeout(late);
      resolve(code === 0);
    });
  });

const { values } = parseArgs({
  options: { count: { type: 'string', default: '60' }, seed: { type: 'string', default: '1' } },
});
const random = seeded(Number(values.seed));
const tests = new Map(
  filesIn('test')
    .filter((name) => name.endsWith('.test.ts') && !/^test\/(local|aws|web|infra|real-clients|train)\//.test(name))
    .map((name) => [name, readFileSync(join(root, name), 'utf8')]),
);
const all = folders.flatMap(filesIn).flatMap(mutantsOf);
const living: string[] = [];
for (let n = 0; n < Number(values.count); n++) {
  const { file, at, from, to } = all[Math.floor(random() * all.length)];
  const path = join(root, file);
  const text = readFileSync(path, 'utf8');
  const line = text.slice(0, at).split('\n').length;
  const own = testsOf(file, tests);
  const restore = () => writeFileSync(path, text);
  process.once('SIGINT', () => {
    restore();
    process.exit(1);
  });
  try {
    writeFileSync(path, text.slice(0, at) + to + text.slice(at + from.length));
    if (own.length === 0 || (await run(own))) living.push(`${file}:${line}  ${from.trim()} -> ${to.trim()}`);
  } finally {
    restore();
    process.removeAllListeners('SIGINT');
  }
}
for (const mutant of living) console.log(`lives  ${mutant}`);
const count = Number(values.count);
console.log(JSON.stringify({ count, killed: count - living.length, share: (count - living.length) / count }));
