// als.py on a local Spark (test/aws/install.sh), and the objects that it and we exchange as files.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type AlsOptions, alsDefaults } from '#core/recommender/als.ts';
import type { ObjectStore } from '#core/stores.ts';

const root = join(import.meta.dirname, '../..');
const python = join(root, '.venv/spark/bin/python');
/** Why Spark can't run; undefined if it can. */
export const sparkIsMissing = existsSync(python) ? undefined : 'install Spark with test/aws/install.sh';

/** Starts als.py on two threads; its process is Spark's JVM. */
export function startSpark(folder: string, conf: string[], als: AlsOptions = alsDefaults): ChildProcess {
  const home = execFileSync(python, ['-c', 'import pyspark; print(pyspark.__path__[0])'], { encoding: 'utf8' }).trim();
  const job = [join(root, 'functions/train/spark/als.py'), '--folder', folder, '--seed', '1'];
  const numbers = Object.entries(als).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const set = ['spark.ui.enabled=false', ...conf].flatMap((text) => ['--conf', text]);
  return spawn(join(home, 'bin/spark-submit'), ['--master', 'local[2]', ...set, ...job, ...numbers], {
    env: { ...process.env, SPARK_HOME: home, PYSPARK_PYTHON: python, SPARK_LOCAL_IP: '127.0.0.1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Objects as files, where a local Spark finds them. */
export function files(folder: string): ObjectStore {
  const path = (key: string) => join(folder, key);
  return {
    async get(key) {
      return existsSync(path(key)) ? { body: readFileSync(path(key)), etag: '' } : undefined;
    },
    head: async () => assert.fail('not asked'),
    async put(key, body) {
      mkdirSync(dirname(path(key)), { recursive: true });
      writeFileSync(path(key), body);
      return { etag: '' };
    },
    async list(prefix) {
      const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
      const keys = names.filter((name) => name.startsWith(prefix) && statSync(path(name)).isFile());
      return keys.map((key) => ({ key, etag: '', size: 0, modified: 0 }));
    },
    async remove(keys) {
      for (const key of keys) rmSync(path(key), { force: true });
    },
  };
}
