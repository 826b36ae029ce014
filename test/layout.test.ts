import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

// Which folder may import which; "ARCHITECTURE.md" says why. A file outside of these folders may not import anything of
// the project.
const stages = ['collect', 'process', 'train', 'serve', 'alerts'];
const allowed: Record<string, string[]> = {
  'functions/core': [],
  'functions/http': ['functions/core'],
  'functions/aws': ['functions/core'],
  ...Object.fromEntries(
    stages.map((stage) => [`functions/${stage}`, ['functions/core', 'functions/http', 'functions/aws', 'layers/geo']]),
  ),
  'layers/geo': ['functions/core'],
  settings: ['functions/core'],
  infra: ['settings', 'functions', 'layers/geo', 'whalewatch.config.ts', 'web/build.ts', 'web/policy.ts'],
  web: ['functions/core', 'functions/serve/types.ts'],
  'whalewatch.config.ts': ['settings'],
  bench: ['functions', 'infra', 'settings', 'layers/geo', 'web'],
  test: ['functions', 'infra', 'settings', 'layers/geo', 'web', 'bench', 'whalewatch.config.ts', 'examples'],
};

const root = join(import.meta.dirname, '..');

function sources(folder: string): string[] {
  if (/\.tsx?$/.test(folder)) return [folder];
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name) && !name.includes('node_modules'))
    .map((name) => join(folder, name));
}

const aliases = Object.entries<string>(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).imports);

/** The project file an import names, or undefined for a package. */
function target(file: string, specifier: string): string | undefined {
  if (specifier.startsWith('.')) return join(file, '..', specifier);
  for (const [alias, folder] of aliases)
    if (specifier.startsWith(alias.slice(0, -1))) return join(folder.slice(0, -1), specifier.slice(alias.length - 1));
}

const imports =
  /(?:^|\n)\s*(?:import|export)\s[^;]*?from\s+'([^']+)'|\bimport\('([^']+)'\)|(?:^|\n)import\s+'([^']+)'/g;

/** The project's files that a file's text imports, types too. */
const importsOf = (file: string, text: string): string[] =>
  [...text.matchAll(imports)].flatMap((match) => target(file, match[1] ?? match[2] ?? match[3]) ?? []);

const within = (file: string, folder: string) => file === folder || file.startsWith(`${folder}/`);

/** Imports that no arrow allows. */
const forbidden = (graph: Map<string, string[]>): string[] =>
  [...graph].flatMap(([file, targets]) => {
    const [folder] = Object.keys(allowed).filter((one) => within(file, one));
    const may = folder === undefined ? [] : [folder, ...allowed[folder]];
    return targets.filter((to) => !may.some((one) => within(to, one))).map((to) => `${file} imports ${to}`);
  });

/** The import circles: for each file that closes one, the first, as `a > b > a`. */
function circles(graph: Map<string, string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: string[]) => {
    const at = path.indexOf(file);
    if (at >= 0) found.push([...path.slice(at), file].join(' > '));
    if (at >= 0 || done.has(file)) return;
    for (const to of graph.get(file) ?? []) visit(to, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return found;
}

const files = Object.keys(allowed).flatMap(sources);
const graph = new Map(files.map((file) => [file, importsOf(file, readFileSync(join(root, file), 'utf8'))]));

test('imports follow the arrows', () => assert.deepEqual(forbidden(graph), []));

test('no file imports itself through others, not even types', () => assert.deepEqual(circles(graph), []));

test('a forbidden import and a circle are found', () => {
  const file = 'functions/core/cursor.ts';
  const importing = (text: string) =>
    new Map([...graph, [file, importsOf(file, `${readFileSync(join(root, file), 'utf8')}\n${text}`)]]);
  const user = files.find((one) => graph.get(one)?.includes(file) && within(one, 'functions'));
  assert.deepEqual(circles(importing(`import type {} from '../../${user}';`)).length > 0, true);
  assert.deepEqual(circles(importing("import type {} from './cursor.ts';")), [`${file} > ${file}`]);
  for (const text of [
    "import type { A } from '#http/errors.ts';",
    "import {\n  a,\n  b,\n} from '#http/errors.ts';",
    "export * from '../http/errors.ts';",
    `const a = import(${"'../http/errors.ts'"});`,
    "import '../http/errors.ts';",
  ])
    assert.deepEqual(forbidden(importing(text)), [`${file} imports functions/http/errors.ts`], text);
});

test('core knows no HTTP', () => {
  for (const file of sources('functions/core'))
    assert.doesNotMatch(readFileSync(join(root, file), 'utf8'), /from '(@?hono|node:http)/, file);
});

test('core runs in browsers: no node: module, no clock, no Math.random', () => {
  for (const file of sources('functions/core')) {
    const text = readFileSync(join(root, file), 'utf8');
    for (const banned of [/from 'node:/, /Date\.now\(\)/, /Math\.random\(\)/, /\bprocess\.env\b/])
      assert.doesNotMatch(text, banned, file);
  }
});

test('web takes only types from functions/serve: no schema reaches a browser', () => {
  for (const file of sources('web'))
    assert.doesNotMatch(readFileSync(join(root, file), 'utf8'), /\bimport(?! type\b)[^;]*?'[^']*serve\//, file);
});

test('functions has no branch for the local run', () => {
  // One file lists the endings of private hosts, this machine's among them.
  for (const file of sources('functions').filter((name) => name !== 'functions/core/map/private-hosts.ts'))
    assert.doesNotMatch(readFileSync(join(root, file), 'utf8'), /isLocal|if \(local\)|localhost|127\.0\.0\.1/, file);
});

test('only env.ts reads process.env', () => {
  for (const file of sources('functions').filter((name) => !name.endsWith('/env.ts')))
    assert.doesNotMatch(readFileSync(join(root, file), 'utf8'), /process\.env/, file);
});

// If the registry fails for an optional package, npm drops it from the lock file, and then refuses `npm ci`.
test('the lock file has every optional package for any platform, and names no registry', () => {
  const text = readFileSync(join(root, 'package-lock.json'), 'utf8');
  assert.doesNotMatch(text, /"resolved"/);
  const { packages } = JSON.parse(text) as {
    packages: Record<string, { inBundle?: boolean; optionalDependencies?: Record<string, string> }>;
  };
  for (const [path, { inBundle, optionalDependencies = {} }] of Object.entries(packages))
    for (const name of inBundle ? [] : Object.keys(optionalDependencies))
      assert.ok(packages[`${path}/node_modules/${name}`] ?? packages[`node_modules/${name}`], `${path} wants ${name}`);
});
