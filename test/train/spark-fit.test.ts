import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { alsDefaults } from '#core/recommender/als.ts';
import { popularFamilies, seedAls } from '#train/candidates.ts';
import { prepareSpark, publishSpark } from '#train/spark/spark.ts';
import { publish, readLessons } from '#train/train.ts';
import { communities, folder, world } from '../support/spark-world.ts';

const root = join(import.meta.dirname, '../..');
const python = join(root, '.venv/spark/bin/python');
const skip = !existsSync(python) && 'install Spark with test/aws/install.sh';

test('a model fitted by Spark is as good as ours, and is published by the same step', {
  skip,
  timeout: 300_000,
}, async (t) => {
  const pairs = communities();
  // Spark fits a single random split; with so few pairs, our training would use two.
  const here = world(folder(t), pairs).options;
  const ours = await publish(await readLessons(here, 1), seedAls(), { ...here, families: popularFamilies });
  const data = folder(t);
  const { options, saved } = world(data, pairs);
  assert.deepEqual(await prepareSpark('run', options), { pairs: pairs.length });

  const { rank, iterations, lambda, alpha } = alsDefaults;
  const job = [join(root, 'functions/train/spark/als.py'), '--folder', join(data, 'training/run'), '--seed', '1'];
  const numbers = Object.entries({ rank, iterations, lambda, alpha }).flatMap(([name, value]) => [
    `--${name}`,
    String(value),
  ]);
  const home = execFileSync(python, ['-c', 'import pyspark; print(pyspark.__path__[0])'], { encoding: 'utf8' }).trim();
  // Only the JVM's first compiler: compiling with the second takes longer than so small a fit.
  const java = 'spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC';
  const quick = ['spark.ui.enabled=false', 'spark.sql.shuffle.partitions=2', java].flatMap((conf) => ['--conf', conf]);
  execFileSync(join(home, 'bin/spark-submit'), ['--master', 'local[2]', ...quick, ...job, ...numbers], {
    env: { ...process.env, SPARK_HOME: home, PYSPARK_PYTHON: python, SPARK_LOCAL_IP: '127.0.0.1' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });

  const card = await publishSpark('run', options);
  assert.equal(card.refused, undefined);
  const { auc: spark = 0, popularityAuc = 1 } = card;
  t.diagnostic(`AUC ${spark.toFixed(4)}, ours ${ours.auc?.toFixed(4)}, popularity ${popularityAuc.toFixed(4)}`);
  assert.ok(Math.abs(spark - (ours.auc ?? 0)) < 0.02, `${spark} beside ${ours.auc}`);
  assert.equal(card.popularityAuc, ours.popularityAuc, 'judged on the same pairs');
  assert.ok((card.candidates?.find(({ name }) => name === 'als')?.byTime?.auc ?? 0) > 0.6);
  assert.equal(saved.size, 400);
  assert.deepEqual(await options.objects.list('training/'), [], 'no file with user names is left');
});
