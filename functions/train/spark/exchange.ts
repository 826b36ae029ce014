// What training passes to Spark and reads back: objects under one folder, in the formats described in als.py and
// README.md.
import { collecting, type Entries, type Entry } from '#core/recommender/entries.ts';
import type { ItemModel } from '#core/recommender/recommend.ts';
import type { ObjectStore } from '#core/stores.ts';
import type { Lessons, Part } from '../compete.ts';
import type { Split } from '../evaluate.ts';

const rowsAtOnce = 500_000;

interface Head extends Pick<Lessons, 'began' | 'seed' | 'users' | 'items' | 'readSeconds'> {
  byTime: boolean;
}

/** Writes lessons.json and pairs/*.csv, with a row per entry. */
export async function writeLessons(objects: ObjectStore, folder: string, lessons: Lessons): Promise<void> {
  const { began, seed, users, items, entries, random, byTime, readSeconds } = lessons;
  const isLearned = inPart(random[0].train);
  const isEarlier = inPart(byTime?.train ?? []);
  function* rows(): Generator<PairRow> {
    for (const entry of entries) {
      const { user, item, value, firstPull = 0 } = entry;
      yield [user, item, value, isLearned(entry) ? 1 : 0, isEarlier(entry) ? value : 0, firstPull];
    }
  }
  await writePairs(objects, folder, rows());
  const head: Head = { began, seed, users, items, readSeconds, byTime: byTime !== undefined };
  await objects.put(`${folder}/lessons.json`, JSON.stringify(head));
}

/** Whether an entry is in a part; asked for all entries in their order, which is also that of the part. */
function inPart(part: Entries): (entry: Entry) => boolean {
  const rest = part[Symbol.iterator]();
  let first = rest.next().value;
  return ({ user, item }) => {
    const isNext = first?.user === user && first.item === item;
    if (isNext) first = rest.next().value;
    return isNext;
  };
}

/** A row of pairs as als.py reads it; `learned`: the random split learns from the pair; `earlier`: 0 for none. */
export type PairRow = [user: number, item: number, pulls: number, learned: 0 | 1, earlier: number, firstPull: number];

/** Writes pairs/*.csv; holds one file's rows at a time. */
export async function writePairs(objects: ObjectStore, folder: string, rows: Iterable<PairRow>): Promise<void> {
  let lines: string[] = [];
  let from = 0;
  const flush = async () => {
    if (lines.length === 0) return;
    await objects.put(`${folder}/pairs/${String(from).padStart(12, '0')}.csv`, `${lines.join('\n')}\n`);
    from += lines.length;
    lines = [];
  };
  for (const row of rows) if (lines.push(row.join()) === rowsAtOnce) await flush();
  await flush();
}

/** Reads the lessons back. */
export async function readLessonsBack(objects: ObjectStore, folder: string): Promise<Lessons> {
  const { byTime, ...head } = JSON.parse(decoder.decode(await body(objects, `${folder}/lessons.json`))) as Head;
  const entries = collecting();
  const random = { train: collecting(), test: collecting() };
  const time = { train: collecting(), test: collecting() };
  for await (const row of rowsOf(objects, `${folder}/pairs/`)) {
    const [user, item, value, learned, earlier, firstPull] = row;
    const entry = { user, item, value, firstPull };
    entries.add(entry);
    (learned === 1 ? random.train : random.test).add(entry);
    if (earlier > 0) time.train.add({ ...entry, value: earlier });
    else time.test.add(entry);
  }
  const collected = ({ train, test }: typeof random): Split => ({ train: train.entries(), test: test.entries() });
  return {
    ...{ ...head, entries: entries.entries(), random: [collected(random)] },
    ...(byTime ? { byTime: collected(time) } : {}),
  };
}

/**
 * The items' factors of one part; items without factors there get zeros. Throws if a row has another rank, or if the
 * fit on everything has no row: then Spark wrote none, and a model of zeros would recommend nothing.
 */
export async function readFactors(
  objects: ObjectStore,
  folder: string,
  part: Part,
  { items }: Pick<Lessons, 'items'>,
  rank: number,
): Promise<ItemModel> {
  const factors = new Float32Array(items.length * rank);
  let rows = 0;
  for await (const [row, ...values] of rowsOf(objects, `${folder}/factors/${part}/part-`)) {
    if (values.length !== rank || !(row < items.length))
      throw new Error(`${part}: row ${row} of ${items.length} has ${values.length} factors, not ${rank}`);
    factors.set(values, row * rank);
    rows++;
  }
  if (part === 'all' && rows === 0)
    throw new Error(`${folder}/factors/all/ has no factors: see the log of the Spark job, and train again`);
  return { rank, items: factors };
}

/** Removes the whole folder, because it contains user names. */
export async function removeExchange(objects: ObjectStore, folder: string): Promise<void> {
  await objects.remove((await objects.list(`${folder}/`)).map(({ key }) => key));
}

const decoder = new TextDecoder();

async function body(objects: ObjectStore, key: string): Promise<Uint8Array> {
  const found = await objects.get(key);
  if (!found) throw new Error(`${key} is missing`);
  return found.body;
}

async function* rowsOf(objects: ObjectStore, prefix: string): AsyncGenerator<number[]> {
  for (const { key } of await objects.list(prefix))
    for (const line of decoder.decode(await body(objects, key)).split('\n'))
      if (line !== '') yield line.split(',').map(Number);
}
