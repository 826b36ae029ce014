// The functions of AWS: what each is bundled from, and where it lies. `tools/bundle.ts` builds them.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export const entries = {
  collect: 'functions/collect/lambda.ts',
  'collect-server': 'functions/collect/server.ts',
  process: 'functions/process/lambda.ts',
  export: 'functions/process/export-lambda.ts',
  train: 'functions/train/lambda.ts',
  'train-spark': 'functions/train/spark/lambda.ts',
  'train-task': 'functions/train/task.ts',
  serve: 'functions/serve/lambda.ts',
  tiles: 'functions/serve/tiles-lambda.ts',
  alerts: 'functions/alerts/lambda.ts',
};
export type FunctionName = keyof typeof entries;

export const bundleFolder = (name: string) => join(import.meta.dirname, '../build/functions', name);

const builder = join(import.meta.dirname, 'tools/bundle.ts');
let bundled = false;

/**
 * Builds the bundles once a run of CDK; esbuild's plugins want a promise, so in a process of its own. The installed
 * package has them, and no builder.
 */
export function bundles(): void {
  if (!bundled && existsSync(builder))
    execFileSync(process.execPath, [builder], { stdio: ['ignore', 'ignore', 'inherit'] });
  bundled = true;
}
