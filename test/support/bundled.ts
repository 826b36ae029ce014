// The server as a few files: loading its hundreds of modules one by one in each thread is a quarter of the processor time
// of a start, and the whole suite starts it more than a hundred times.
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build, type Plugin } from 'esbuild';

const root = join(import.meta.dirname, '../..');
const outdir = join(root, 'build/server');
const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** The files that a process or a thread begins with. */
const entries = [
  'infra/local/start.ts',
  ...['processor', 'hits-processor', 'exporter', 'trainer'].map((stage) => `infra/local/stages/${stage}.ts`),
  'infra/local/stores/search/reader.ts',
  'infra/local/stores/sqlite/integrity-check.ts',
  'infra/local/stores/sqlite/wiper.ts',
];

/** Code finds folders and programs where its source is, and threads among the bundled files. */
const atItsSource: Plugin = {
  name: 'at-its-source',
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^[^.#/]/ }, ({ path, importer }) => {
      const [name] = /^(@[^/]+\/)?[^/]+/.exec(path) ?? [];
      const isBundled = importer.includes('/node_modules/') || (name !== undefined && name in dependencies);
      return isBundled ? undefined : { path, external: true };
    });
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const threadUrl = pathToFileURL(join(outdir, relative(root, path)));
      const contents = readFileSync(path, 'utf8')
        .replaceAll('import.meta.dirname', JSON.stringify(dirname(path)))
        .replaceAll('import.meta.filename', JSON.stringify(path))
        .replace(/\.ts(['`], )import\.meta\.url/g, `.js$1${JSON.stringify(threadUrl)}`);
      return { contents, loader: 'ts' };
    });
  },
};

/** Builds it, writing only what differs from what is built, and returns the file that starts it. */
export async function bundledServer(): Promise<string> {
  const { outputFiles } = await build({
    ...{ absWorkingDir: root, outdir, outbase: root, entryPoints: entries, write: false },
    ...{ bundle: true, splitting: true, format: 'esm', platform: 'node', target: 'node24' },
    mainFields: ['module', 'main'],
    plugins: [atItsSource],
    // Bundled CommonJS calls require for Node's own modules.
    banner: { js: "import{createRequire as requireOf}from'node:module';const require=requireOf(import.meta.url);" },
  });
  for (const { path, contents } of outputFiles) {
    if (existsSync(path) && readFileSync(path).equals(contents)) continue;
    mkdirSync(dirname(path), { recursive: true });
    // Renamed into place, so that a run beside this one never reads half a file.
    const whole = `${path}.${process.pid}`;
    writeFileSync(whole, contents);
    renameSync(whole, path);
  }
  const current = new Set(outputFiles.map(({ path }) => path));
  for (const file of globSync('**/*.js', { cwd: outdir }))
    if (!current.has(join(outdir, file))) rmSync(join(outdir, file));
  return join(outdir, 'infra/local/start.js');
}
