// node infra/bundle.ts: each function of AWS minified in build/functions/NAME, the handler in its index.mjs. No Docker.
import { readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { build, type Plugin } from 'esbuild';

export const entries = {
  collect: 'functions/collect/lambda.ts',
  'collect-server': 'functions/collect/server.ts',
  process: 'functions/process/lambda.ts',
  export: 'functions/process/export-lambda.ts',
  train: 'functions/train/lambda.ts',
  'train-task': 'functions/train/task.ts',
  serve: 'functions/serve/lambda.ts',
};
export type FunctionName = keyof typeof entries;

/** Tasks on Fargate fetch one file, and start seldom. */
const oneFile = new Set(['collect-server', 'train-task']);

/** Most kB of a function: what is loaded at every cold start. */
export const budgetKilobytes = 1000;

const root = join(import.meta.dirname, '..');
export const bundleFolder = (name: string) => join(root, 'build/functions', name);

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
 * Builds all functions; answers the bytes of each, all its files together. What is imported with `import()` (the SDK's
 * other ways to credentials, half of it) is a file of its own, which no cold start parses: 70 ms a megabyte.
 */
export async function bundle(): Promise<Record<FunctionName, number>> {
  const sizes = Object.entries(entries).map(async ([name, entry]) => {
    const outdir = bundleFolder(name);
    const { metafile } = await build({
      absWorkingDir: root,
      entryPoints: { index: entry },
      outdir,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      splitting: !oneFile.has(name),
      minify: true,
      keepNames: true,
      platform: 'node',
      target: 'node24',
      format: 'esm',
      mainFields: ['module', 'main'],
      // Some of AWS' packages are CommonJS inside and ask for Node's own modules.
      banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
      plugins: [english],
      metafile: true,
      logLevel: 'warning',
    });
    const files = Object.entries(metafile.outputs).map(([path, { bytes }]) => ({ file: basename(path), bytes }));
    // Of earlier builds: only then is the same source the same asset.
    for (const file of readdirSync(outdir))
      if (!files.some((made) => made.file === file)) rmSync(join(outdir, file), { force: true });
    return [name, files.reduce((sum, { bytes }) => sum + bytes, 0)] as const;
  });
  return Object.fromEntries(await Promise.all(sizes)) as Record<FunctionName, number>;
}

if (import.meta.main) for (const [name, bytes] of Object.entries(await bundle())) console.log(name, bytes);
