import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { readFactors, readLessonsBack, writeLessons } from '#train/spark/exchange.ts';
import { prepareSpark } from '#train/spark/spark.ts';
import { readLessons } from '#train/train.ts';
import { communities, folder, world } from '../support/spark-world.ts';

test('the pairs handed to Spark are read back unchanged, split by split', async (t) => {
  for (const pairs of [communities(), communities().map((pair) => ({ ...pair, firstPull: 7, lastPull: 7 }))]) {
    const { options } = world(folder(t), pairs);
    const lessons = await readLessons(options, 1);
    await writeLessons(options.objects, 'training/run', lessons);
    assert.ok(isDeepStrictEqual(await readLessonsBack(options.objects, 'training/run'), lessons));
  }
});

test('factors are read row by row, a missing row is zeros, and another rank is refused', async (t) => {
  const { options } = world(folder(t), []);
  const lessons = { items: ['a', 'b', 'c'] } as Awaited<ReturnType<typeof readLessons>>;
  await options.objects.put('f/factors/all/part-0.txt', '2,0.5,-1\n');
  await options.objects.put('f/factors/all/part-1.txt', '0,1e-3,2\n');
  await options.objects.put('f/factors/all/_SUCCESS', '');
  const { items } = await readFactors(options.objects, 'f', 'all', lessons, 2);
  assert.deepEqual([...items], [...Float32Array.of(1e-3, 2, 0, 0, 0.5, -1)]);
  await assert.rejects(readFactors(options.objects, 'f', 'all', lessons, 3), /row 2 of 3 has 2 factors, not 3/);
  await assert.rejects(
    readFactors(options.objects, 'g', 'all', lessons, 2),
    /g\/factors\/all\/ has no factors: see the/,
  );
  const { items: none } = await readFactors(options.objects, 'g', 'random', lessons, 2);
  assert.deepEqual([...none], [0, 0, 0, 0, 0, 0]);
});

test('preparing again removes everything of the previous attempt', async (t) => {
  const { options } = world(folder(t), communities().slice(0, 9));
  await options.objects.put('training/run/pairs/999999999999.csv', '0,0,1,1,1\n');
  await options.objects.put('training/run/factors/all/part-0.txt', '0,1\n');
  await options.objects.put('training/run2/lessons.json', '{}');
  await prepareSpark('run', options);
  assert.deepEqual(
    (await options.objects.list('training/')).map(({ key }) => key),
    ['training/run/lessons.json', 'training/run/pairs/000000000000.csv', 'training/run2/lessons.json'],
  );
});
