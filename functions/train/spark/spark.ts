// Training with the fit on Spark: the same reading before it, the same judging and publishing after it.
import { checkedAls } from '#core/recommender/als.ts';
import type { Card } from '#core/recommender/model-list.ts';
import { publish, readLessons, type TrainOptions } from '../train.ts';
import { readFactors, readLessonsBack, removeExchange, writeLessons } from './exchange.ts';

const folderOf = (run: string) => `training/${run}`;

/** Writes what Spark is to fit into the run's folder; answers how many pairs there are. */
export async function prepareSpark(run: string, options: TrainOptions): Promise<{ pairs: number }> {
  // What an attempt before this one left is of other pairs.
  await removeExchange(options.objects, folderOf(run));
  const lessons = await readLessons(options);
  if (lessons.entries.length > 0) await writeLessons(options.objects, folderOf(run), lessons);
  return { pairs: lessons.entries.length };
}

/** Judges and publishes what Spark made of it, and removes the folder. */
export async function publishSpark(run: string, options: Omit<TrainOptions, 'seed'>): Promise<Card> {
  const { objects } = options;
  const als = checkedAls(options.als ?? {});
  const lessons = await readLessonsBack(objects, folderOf(run));
  const fitted = async (part: 'all' | 'random' | 'byTime') =>
    readFactors(objects, folderOf(run), part, lessons, als.rank);
  const factors = { all: await fitted('all'), random: await fitted('random'), byTime: await fitted('byTime') };
  const card = await publish(lessons, als, (part) => factors[part], options);
  await removeExchange(objects, folderOf(run));
  return card;
}
