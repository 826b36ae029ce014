// Training with the fit on Spark: reading before it, and judging and publishing after it, are the same as usual.
import type { Card } from '#core/recommender/model-list.ts';
import { fitSetting, popularFamilies, seedAls } from '../candidates.ts';
import type { Part } from '../compete.ts';
import { publish, readLessons, type TrainOptions } from '../train.ts';
import { readFactors, readLessonsBack, removeExchange, writeLessons } from './exchange.ts';

const folderOf = (run: string) => `training/${run}`;

/** Writes what Spark is to fit into the run's folder; returns how many pairs there are. */
export async function prepareSpark(run: string, options: TrainOptions): Promise<{ pairs: number }> {
  // An earlier attempt may have left files of other pairs.
  await removeExchange(options.objects, folderOf(run));
  // Each split is a separate fit, so there is only one round.
  const lessons = await readLessons(options, 1);
  if (lessons.entries.length > 0) await writeLessons(options.objects, folderOf(run), lessons);
  return { pairs: lessons.entries.length };
}

/** Judges and publishes the models that Spark fitted, and removes the folder. */
export async function publishSpark(run: string, options: Omit<TrainOptions, 'seed'>): Promise<Card> {
  const { objects } = options;
  // Spark's lambda is multiplied by a row's number of entries.
  const als = { ...seedAls(options.als), weightedLambda: true };
  const lessons = await readLessonsBack(objects, folderOf(run));
  const fitted = async (part: Part) => readFactors(objects, folderOf(run), part, lessons, als.rank);
  const factors = { all: await fitted('all'), random: await fitted('random'), byTime: await fitted('byTime') };
  const card = await publish(lessons, als, {
    ...options,
    fit: (setting, training, part) =>
      setting.kind === 'als'
        ? { ...als, items: lessons.items, factors: factors[part].items }
        : fitSetting(setting, training, lessons.seed),
    families: [{ name: 'als', starts: [als], axes: {} }, ...popularFamilies],
  });
  await removeExchange(objects, folderOf(run));
  return card;
}
