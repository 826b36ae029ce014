// node infra/tools/bundle.ts: each function of AWS minified in build/functions/NAME, the handler in its index.mjs. No
// Docker.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { build as esbuild, type Plugin } from 'esbuild';
import { alone, hashOf } from '../../web/build.ts';
import { bundleFolder, entries, type FunctionName } from '../bundles.ts';

/** Tasks on Fargate fetch one file, and start rarely. */
const oneFile = new Set(['collect-server', 'train-task']);

const root = join(import.meta.dirname, '../..');

/** zod's messages in 50 languages are a quarter of a megabyte; ours are English. */
const english: Plugin = {
  name: 'english',
  setup({ onLoad }) {
    onLoad({ filter: /zod\/v4\/locales\/index\.js$/ }, ({ path }) => ({
      contents: "export { default as en } from './en.js';",
      resolveDir: dirname(path),
    }));
  },
};

/**
 * The SDK describes every shape of a service by arrays whose keys are constants, `{ [_B]: 0 }`: no bundler removes code
 * that might call toString. With literal names, unused shapes are removed: nine tenths of S3's.
 */
const unusedShapes: Plugin = {
  name: 'unused-shapes',
  setup({ onLoad }) {
    onLoad({ filter: /@aws-sdk.client-[^/\\]+.dist-es.schemas.schemas_0\.js$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      const names = new Map(
        [...text.matchAll(/^const (_\w+) = ("[^"]*");$/gm)].map(([, name, value]) => [name, value]),
      );
      const contents = text.replace(/\[(_\w+)\]:/g, (key, name) => (names.has(name) ? `${names.get(name)}:` : key));
      return { contents, resolveDir: dirname(path) };
    });
  },
};

/**
 * Builds all functions unless they are built already; returns the bytes of each, all files together. Concurrent
 * processes build them once.
 */
export async function bundle(): Promise<Record<FunctionName, number>> {
  const folder = join(root, 'build/functions');
  const stamp = `${folder}.json`;
  return alone(folder, async () => {
    const inputs = hashOf('functions', 'layers', 'infra/bundles.ts', 'infra/tools/bundle.ts', 'package-lock.json');
    const built = existsSync(folder) && existsSync(stamp) ? JSON.parse(readFileSync(stamp, 'utf8')) : {};
    if (built.inputs === inputs) return built.bytes;
    const bytes = await build();
    writeFileSync(stamp, JSON.stringify({ inputs, bytes }));
    return bytes;
  });
}

/**
 * Modules loaded with `import()` (the SDK's other credential providers, half of it) are separate files, which no cold
 * start parses: 70 ms per megabyte.
 */
async function build(): Promise<Record<FunctionName, number>> {
  const sizes = Object.entries(entries).map(async ([name, entry]) => {
    const outdir = bundleFolder(name);
    const { metafile } = await esbuild({
      absWorkingDir: root,
      entryPoints: { index: entry },
      outdir,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      splitting: !oneFile.has(name),
      minify: true,
      // Without names a stack trace in a log says nothing; they cost 4 ms of collect's cold start.
      keepNames: true,
      platform: 'node',
      target: 'node24',
      format: 'esm',
      mainFields: ['module', 'main'],
      // Some AWS packages are CommonJS inside and require Node's own modules.
      banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
      plugins: [english, unusedShapes],
      metafile: true,
      logLevel: 'warning',
    });
    const files = Object.entries(metafile.outputs).map(([path, { bytes }]) => ({ file: basename(path), bytes }));
    // Removes files of earlier builds, so that the same source gives the same asset.
    for (const file of readdirSync(outdir))
      if (!files.some((made) => made.file === file)) rmSync(join(outdir, file), { force: true });
    return [name, files.reduce((sum, { bytes }) => sum + bytes, 0)] as const;
  });
  return Object.fromEntries(await Promise.all(sizes)) as Record<FunctionName, number>;
}

if (import.meta.main) for (const [name, bytes] of Object.entries(await bundle())) console.log(name, bytes);
