import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { popularFamilies, seedAls } from '#train/candidates.ts';
import { prepareSpark, publishSpark } from '#train/spark/spark.ts';
import { publish, readLessons } from '#train/train.ts';
import { sparkIsMissing, startSpark } from '../../bench/worlds/spark.ts';
import { communities, folder, world } from '../support/spark-world.ts';

test('a model fitted by Spark is as good as ours, and is published by the same step', {
  skip: sparkIsMissing,
  timeout: 300_000,
}, async (t) => {
  const pairs = communities();
  // Spark fits a single random split; with so few pairs, our training would use two.
  const here = world(folder(t), pairs).options;
  const ours = await publish(await readLessons(here, 1), seedAls(), { ...here, families: popularFamilies });
  const data = folder(t);
  const { options, saved } = world(data, pairs);
  assert.deepEqual(await prepareSpark('run', options), { pairs: pairs.length });

  // Only the JVM's first compiler: compiling with the second takes longer than so small a fit.
  const java = 'spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC';
  const job = startSpark(join(data, 'training/run'), ['spark.sql.shuffle.partitions=2', java]);
  const errors = text(job.stderr!);
  job.stdout?.resume();
  const [code] = await once(job, 'exit');
  assert.equal(code, 0, await errors);

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
