import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

// core <- http <- a stage's logic <- its handler -> aws; infra -> functions; web -> core only; test -> anything.
const stages = ['collect', 'process', 'train', 'serve'];
const allowed: Record<string, string[]> = {
  'functions/core': ['functions/core'],
  'functions/http': ['functions/http', 'functions/core'],
  'functions/aws': ['functions/aws', 'functions/core'],
  ...Object.fromEntries(
    stages.map((stage) => [
      `functions/${stage}`,
      ['functions/core', 'functions/http', 'functions/aws', `functions/${stage}`, 'layers/geo', 'whalewatch.config.ts'],
    ]),
  ),
  'layers/geo': ['layers/geo', 'functions/core'],
  settings: ['settings', 'functions/core'],
  infra: ['infra', 'settings', 'functions', 'layers/geo', 'whalewatch.config.ts', 'web/build.ts', 'web/policy.ts'],
  web: ['web', 'functions/core'],
};

const root = join(import.meta.dirname, '..');

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name) && !name.includes('node_modules'))
    .map((name) => join(folder, name));
}

/** The project file an import names, or undefined for a package. */
function target(file: string, specifier: string): string | undefined {
  if (specifier.startsWith('#')) {
    const [alias, rest] = [specifier.slice(1, specifier.indexOf('/')), specifier.slice(specifier.indexOf('/') + 1)];
    const folder =
      alias === 'geo'
        ? 'layers/geo'
        : alias === 'local'
          ? 'infra/local'
          : alias === 'settings'
            ? alias
            : `functions/${alias}`;
    return `${folder}/${rest}`;
  }
  if (specifier.startsWith('.')) return join(file, '..', specifier);
}

const imports = /(?:^|\n)\s*(?:import|export)\s[^;]*?from\s+'([^']+)'|import\('([^']+)'\)|(?:^|\n)import\s+'([^']+)'/g;

for (const [folder, targets] of Object.entries(allowed)) {
  test(`${folder} imports only from ${targets.join(', ')}`, () => {
    const files = sources(folder);
    for (const file of files) {
      for (const match of readFileSync(join(root, file), 'utf8').matchAll(imports)) {
        const to = target(file, match[1] ?? match[2] ?? match[3]);
        if (to)
          assert.ok(
            targets.some((allow) => to === allow || to.startsWith(`${allow}/`)),
            `${file} imports ${to}`,
          );
      }
    }
  });
}

test('core is browser-safe: no node: module, no clock, no Math.random', () => {
  for (const file of sources('functions/core')) {
    const text = readFileSync(join(root, file), 'utf8');
    for (const banned of [/from 'node:/, /Date\.now\(\)/, /Math\.random\(\)/, /\bprocess\.env\b/])
      assert.doesNotMatch(text, banned, file);
  }
});

test('no local branch in functions', () => {
  for (const file of sources('functions'))
    assert.doesNotMatch(readFileSync(join(root, file), 'utf8'), /isLocal|if \(local\)|localhost|127\.0\.0\.1/, file);
});

test('only env.ts reads process.env', () => {
  for (const file of sources('functions').filter((name) => !name.endsWith('/env.ts')))
    assert.doesNotMatch(readFileSync(join(root, file), 'utf8'), /process\.env/, file);
});

// npm drops an optional package from the lock file when the registry does not answer for it, and then refuses `npm ci`.
test('the lock file names every optional package, for any machine, and no registry', () => {
  const text = readFileSync(join(root, 'package-lock.json'), 'utf8');
  assert.doesNotMatch(text, /"resolved"/);
  const { packages } = JSON.parse(text) as {
    packages: Record<string, { inBundle?: boolean; optionalDependencies?: Record<string, string> }>;
  };
  for (const [path, { inBundle, optionalDependencies = {} }] of Object.entries(packages))
    for (const name of inBundle ? [] : Object.keys(optionalDependencies))
      assert.ok(packages[`${path}/node_modules/${name}`] ?? packages[`node_modules/${name}`], `${path} wants ${name}`);
});
