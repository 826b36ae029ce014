// node infra/bundle.ts: each function of AWS as one minified file in build/functions/NAME/index.mjs. No Docker.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build, type Plugin } from 'esbuild';

export const entries = {
  collect: 'functions/collect/lambda.ts',
  process: 'functions/process/lambda.ts',
  export: 'functions/process/export-lambda.ts',
  train: 'functions/train/lambda.ts',
  'train-task': 'functions/train/task.ts',
  serve: 'functions/serve/lambda.ts',
};
export type FunctionName = keyof typeof entries;

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

/** Builds all functions; answers the bytes of each. */
export async function bundle(): Promise<Record<FunctionName, number>> {
  const sizes = Object.entries(entries).map(async ([name, entry]) => {
    const outfile = join(bundleFolder(name), 'index.mjs');
    await build({
      absWorkingDir: root,
      entryPoints: [entry],
      outfile,
      bundle: true,
      minify: true,
      keepNames: true,
      platform: 'node',
      target: 'node24',
      format: 'esm',
      mainFields: ['module', 'main'],
      // Some of AWS' packages are CommonJS inside and ask for Node's own modules.
      banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
      plugins: [english],
      logLevel: 'warning',
    });
    return [name, readFileSync(outfile).length] as const;
  });
  return Object.fromEntries(await Promise.all(sizes)) as Record<FunctionName, number>;
}

if (import.meta.main) for (const [name, bytes] of Object.entries(await bundle())) console.log(name, bytes);
