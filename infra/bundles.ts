// The bundles of the Lambda functions: their entry files, and their folders. `tools/bundle.ts` builds them.
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
 * Builds the bundles once per run of CDK, in a separate process, because esbuild's plugins are asynchronous. The
 * installed package contains the bundles and no builder.
 */
export function bundles(): void {
  if (!bundled && existsSync(builder))
    execFileSync(process.execPath, [builder], { stdio: ['ignore', 'ignore', 'inherit'] });
  bundled = true;
}
