import { spawnSync } from 'node:child_process';
import { basename, join } from 'node:path';
import { build } from 'esbuild';

/** Runs a bench in its own process with these flags of Node and these arguments; returns its output. */
export type Run = (flags: string[], ...words: (string | number)[]) => string;

/** Bundles a bench as a function is deployed, so that no types are stripped while it is timed. */
export async function bundled(bench: string, external: string[] = []): Promise<Run> {
  const outfile = join(import.meta.dirname, '../build/bench', basename(bench).replace(/ts$/, 'mjs'));
  await build({
    entryPoints: [bench],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    external: ['esbuild', ...external],
    logLevel: 'error',
  });
  return (flags, ...words) => {
    const { stdout, status } = spawnSync(process.execPath, [...flags, outfile, ...words.map(String)], {
      stdio: ['ignore', 'pipe', 'inherit'],
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`${words[0]} ended with ${status}`);
    return stdout;
  };
}
