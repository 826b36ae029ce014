// The data on which recommenders are compared: seeded communities of users, a public data set, or any file of pairs.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { seeded } from '#core/bytes/random.ts';
import type { Entry } from '#core/recommender/entries.ts';
import { compress, indexPairs, type Rows } from '#core/recommender/ratings.ts';
import type { Pair } from '#core/stores.ts';
import { readPairs } from '#train/pairs.ts';

export interface World {
  name: string;
  users: number;
  items: number;
  /** One row for each user, each pair once. */
  rows: Rows;
  /** The time of each entry of `rows`; absent if the pairs have no times. */
  times?: Float64Array;
}

/** The pairs to learn from, and the held-out pairs to find. */
export interface Split {
  rows: Rows;
  held: Entry[];
}

const groups = 50;

/**
 * Every user is in one of 50 communities; every repository has a popularity and a community; 3 in 4 pulls are from the
 * user's own community. Pulls per user are exponentially distributed. `pairs` is roughly the number that remains when a
 * tenth is held out.
 */
export function communities(users: number, items: number, pairs: number): World {
  const random = seeded(7);
  // A quarter of the draws repeat a repository that the user already has.
  const draws = (pairs / users) * 1.33;
  const starts = new Uint32Array(users + 1);
  let columns = new Uint32Array(Math.ceil(pairs * 1.3));
  let values = new Float32Array(columns.length);
  let count = 0;
  const perGroup = Math.floor(items / groups);
  for (let user = 0; user < users; user++) {
    const group = Math.floor(random() * groups);
    const most = Math.max(1, Math.round(-Math.log(1 - random()) * draws));
    const own = new Set<number>();
    for (let n = 0; n < most; n++)
      own.add(
        random() < 0.75 ? group * perGroup + Math.floor(random() ** 2 * perGroup) : Math.floor(random() ** 3 * items),
      );
    if (count + own.size > columns.length) {
      const longer = new Uint32Array(columns.length * 2);
      longer.set(columns);
      columns = longer;
      const more = new Float32Array(longer.length);
      more.set(values);
      values = more;
    }
    for (const item of own) {
      columns[count] = item;
      values[count++] = 1 + Math.floor(-Math.log(1 - random()) * 2);
    }
    starts[user + 1] = count;
  }
  const rows = { starts, columns: columns.slice(0, count), values: values.slice(0, count) };
  return { name: 'seeded communities', users, items, rows };
}

/**
 * MovieLens-100k as the PyPI package recbole ships it: 943 users, 1,682 films, 100,000 ratings with their times.
 * F. M. Harper, J. A. Konstan, The MovieLens Datasets: History and Context (ACM TiiS 5:4, 2015). GroupLens allows
 * research with it and forbids redistribution: so it is fetched here, and in no commit. Undefined if that fails.
 */
export function movieLens(python: string, cache: string): World | undefined {
  const wheel = join(cache, 'recbole-1.2.1-py3-none-any.whl');
  try {
    if (!existsSync(wheel))
      execFileSync(python, ['-m', 'pip', 'download', '-q', '--no-deps', '-d', cache, 'recbole==1.2.1'], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
  } catch {
    return undefined;
  }
  const script = `import sys, zipfile
sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read("recbole/dataset_example/ml-100k/ml-100k.inter"))`;
  const text = execFileSync(python, ['-c', script, wheel], { encoding: 'utf8', maxBuffer: 2 ** 26 });
  const [, ...lines] = text.trim().split('\n');
  const pairs = lines.map((line): Pair => {
    const [user, repository, rating, seconds] = line.split('\t');
    const time = Number(seconds) * 1000;
    return { user, repository, pulls: Number(rating), firstPull: time, lastPull: time };
  });
  return ofPairs('MovieLens-100k', pairs);
}

/** A .csv or .ndjson file as `npm run tune` takes it. */
export function pairsFile(file: string): World {
  return ofPairs(file, readPairs(readFileSync(file, 'utf8'), /\.csv$/i.test(file) ? 'csv' : 'ndjson'));
}

export function ofPairs(name: string, pairs: Pair[]): World {
  const { users, items, entries } = indexPairs(pairs);
  const byUser = (value: (at: number) => number) =>
    compress(
      Array.from(entries, (entry, at) => ({ ...entry, value: value(at) })),
      users.length,
      ({ user }) => user,
      ({ item }) => item,
    );
  const rows = byUser((at) => pairs[at].pulls);
  // Milliseconds don't fit into a row's float32 values; indexes of pairs do, up to 2^24.
  const times = Float64Array.from(byUser((at) => at).values, (at) => pairs[at].firstPull);
  return { name, users: users.length, items: items.length, rows, times };
}

/** Holds out a tenth of the pairs, uniformly at random. */
export function byChance({ rows }: World, seed: number): Split {
  const random = seeded(seed);
  return splitWhere(rows, () => random() < 0.1);
}

/** Holds out the newest tenth; undefined if the pairs have no times. */
export function byTime({ rows, times }: World): Split | undefined {
  if (!times) return undefined;
  const from = times.toSorted()[Math.floor(times.length * 0.9)];
  return splitWhere(rows, (at) => times[at] >= from);
}

function splitWhere({ starts, columns, values }: Rows, isHeld: (at: number) => boolean): Split {
  const kept = { starts: new Uint32Array(starts.length), columns: columns.slice(), values: values.slice() };
  const held: Entry[] = [];
  let count = 0;
  for (let user = 0; user + 1 < starts.length; user++) {
    for (let at = starts[user]; at < starts[user + 1]; at++)
      if (isHeld(at)) held.push({ user, item: columns[at], value: values[at] });
      else {
        kept.columns[count] = columns[at];
        kept.values[count++] = values[at];
      }
    kept.starts[user + 1] = count;
  }
  return {
    rows: { starts: kept.starts, columns: kept.columns.slice(0, count), values: kept.values.slice(0, count) },
    held,
  };
}

/** The entries of some users, or of all. */
export function entriesOf({ starts, columns, values }: Rows, only?: ReadonlySet<number>): Entry[] {
  const entries: Entry[] = [];
  for (let user = 0; user + 1 < starts.length; user++)
    if (!only || only.has(user))
      for (let at = starts[user]; at < starts[user + 1]; at++)
        entries.push({ user, item: columns[at], value: values[at] });
  return entries;
}
