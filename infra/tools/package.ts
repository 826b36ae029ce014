// Runs before `npm pack`: writes `dist`, the content of the installed package.
//
// The server and its commands as JavaScript, file by file; the CDK construct as one file, for import and for require;
// the pages, the functions of AWS and the IP table, built. None of it needs a development dependency.
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { buildTable } from '../../layers/geo/build.ts';
import { cityDatabases } from '../../layers/geo/city.ts';
import { buildPages } from '../../web/build.ts';
import { bundle } from './bundle.ts';
import { bundledIntoServer, licences } from './licences.ts';
import { typesOf } from './types.ts';

const root = join(import.meta.dirname, '../..');
const dist = join(root, 'dist');
const target = 'node22';
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Bundled packages call require for Node's own modules. */
const requireInModule = "import{createRequire as requireOf}from'node:module';const require=requireOf(import.meta.url);";

/** Matches a row of the command table. */
const commands = [
  ...readFileSync(join(root, 'infra/command.ts'), 'utf8').matchAll(/^ {2}'?(\w[\w-]*)'?: \{\s+does: /gm),
].map(([, name]) => name);

/**
 * Texts name commands as in a clone, `npm run token -- --name ci`; in the package they are `whalewatch token --name
 * ci`.
 */
export function installedNames(text: string): string {
  const names = commands.join('|');
  return text.replace(
    new RegExp(`\\bnpm (?:run (${names}|\\$\\{name\\})|(start))(?![\\w:-])( \\[| )?(?:-- )?`, 'g'),
    (_, run, start, gap = '') => `whalewatch ${run ?? start}${gap}`,
  );
}

/** Node 22 has no import.meta.main, and the files in `dist` are JavaScript. */
function installed(text: string): string {
  return installedNames(text)
    .replaceAll('import.meta.main', '(process.argv[1] === import.meta.filename)')
    .split('\n')
    .map((line) => (line.includes('import.meta') ? line.replace(/\.ts(?=['"`])/g, '.js') : line))
    .join('\n');
}

/** Paths of the modules that `import` names. */
const packageOf = (path: string) => /^(@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? path;

const isBundled = (path: string) => bundledIntoServer.includes(packageOf(path));

/** Files stay separate files, and packages stay imports except for the bundled ones. */
const fileByFile: Plugin = {
  name: 'file-by-file',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^[.#].*\.tsx?$/ }, ({ path, kind }) =>
      kind === 'entry-point' ? undefined : { path: path.replace(/\.tsx?$/, '.js'), external: true },
    );
    onResolve({ filter: /^[^.#/]/ }, ({ path, importer }) =>
      importer.includes('/node_modules/') || isBundled(path) ? undefined : { path, external: true },
    );
    onLoad({ filter: /\.ts$/ }, ({ path }) => ({ contents: installed(readFileSync(path, 'utf8')), loader: 'ts' }));
  },
};

/** In a one-file bundle, `import.meta.dirname` becomes the folder of `dist` that has the source folder's name. */
const oneFile: Plugin = {
  name: 'one-file',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const folder = relative(root, dirname(path));
      const contents = readFileSync(path, 'utf8').replaceAll(
        'import.meta.dirname',
        `(import.meta.dirname + '/${folder}')`,
      );
      return { contents, loader: 'ts' };
    });
  },
};

if (import.meta.main) await pack();

async function pack(): Promise<void> {
  step('the pages');
  await buildPages();
  step('the functions of AWS');
  await bundle();
  rmSync(dist, { recursive: true, force: true });
  step('the server and the library');
  await server();
  await library();
  for (const folder of ['build/web', 'build/functions'])
    cpSync(join(root, folder), join(dist, folder), { recursive: true });
  for (const name of readdirSync(join(dist, 'build/web'), { recursive: true, encoding: 'utf8' }))
    if (/\.(js|html)$/.test(name)) rewrite(join(dist, 'build/web', name), installedNames);
  cpSync(join(root, 'functions/train/spark/als.py'), join(dist, 'functions/train/spark/als.py'));
  step('the IP table');
  mkdirSync(join(dist, 'build/geo'), { recursive: true });
  writeFileSync(join(dist, 'build/geo/dbip-city.bin'), buildTable(cityDatabases().map((file) => readFileSync(file))));
  const { version, type, imports, devDependencies } = manifest;
  writeFileSync(
    join(dist, 'package.json'),
    JSON.stringify({ version, type, imports, devDependencies: { node: devDependencies.node } }),
  );
  writeFileSync(join(dist, 'LICENCES.md'), licences());
}

/** npm prints nothing during the minute that this takes. */
function step(what: string): void {
  console.error(`building ${what}`);
}

async function server(): Promise<void> {
  const folder = join(root, 'infra/local');
  const threads = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  const entries = ['infra/command.ts', 'layers/geo/build.ts', ...threads.map((name) => `infra/local/${name}`)];
  const common = { absWorkingDir: root, platform: 'node', target, format: 'esm', logLevel: 'warning' } as const;
  // First finds what belongs to the package: all that the entries reach.
  const { metafile } = await build({
    ...common,
    ...{ entryPoints: entries, bundle: true, packages: 'external', write: false, metafile: true, outdir: dist },
  });
  // A module that is imported on demand (the pages' builder, AWS clients) may be missing; one that a command imports
  // may not.
  const reached = new Set([...entries, ...metafile.inputs['infra/command.ts'].imports.map(({ path }) => path)]);
  for (const file of reached)
    for (const { path, external, kind } of metafile.inputs[file]?.imports ?? []) {
      if (kind !== 'import-statement') continue;
      const name = packageOf(path);
      if (!external) reached.add(path);
      else if (!path.startsWith('node:') && !(name in manifest.dependencies) && !isBundled(path))
        throw new Error(`${file} imports ${path}: must be a dependency in package.json, and not for development only`);
    }
  const files = Object.groupBy(Object.entries(metafile.inputs), ([, { imports }]) =>
    imports.some(({ path }) => isBundled(path)) ? 'bundling' : 'plain',
  );
  for (const [kind, inputs = []] of Object.entries(files))
    await build({
      ...common,
      ...{
        entryPoints: inputs.map(([file]) => file),
        bundle: true,
        plugins: [fileByFile],
        outdir: dist,
        outbase: root,
      },
      ...(kind === 'bundling' ? { mainFields: ['module', 'main'], banner: { js: requireInModule } } : {}),
    });
  chmodSync(join(dist, 'infra/command.js'), 0o755);
}

async function library(): Promise<void> {
  for (const format of ['esm', 'cjs'] as const)
    await build({
      ...{ absWorkingDir: root, platform: 'node', target, format, bundle: true, logLevel: 'warning' },
      entryPoints: ['infra/whalewatch.ts'],
      outfile: join(dist, format === 'esm' ? 'whalewatch.mjs' : 'whalewatch.cjs'),
      external: ['aws-cdk-lib', 'constructs', 'vite', 'esbuild'],
      plugins: [oneFile],
      mainFields: ['module', 'main'],
      ...(format === 'cjs'
        ? {
            define: { 'import.meta.dirname': '__dirname', 'import.meta.url': 'importMetaUrl' },
            banner: { js: "const importMetaUrl = require('node:url').pathToFileURL(__filename).href;" },
          }
        : {
            banner: { js: requireInModule },
          }),
    });
  const types = typesOf(join(root, 'infra/whalewatch.ts'));
  for (const ending of ['mts', 'cts']) writeFileSync(join(dist, `whalewatch.d.${ending}`), types);
}

function rewrite(file: string, by: (text: string) => string): void {
  if (statSync(file).isFile()) writeFileSync(file, by(readFileSync(file, 'utf8')));
}
