import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { seeded } from '#core/bytes/random.ts';
import { alsDefaults } from '#core/recommender/als.ts';
import type { ObjectStore, Pair, SavedRecommendations, SearchStore } from '#core/stores.ts';
import { popularFamilies, seedAls } from '#train/candidates.ts';
import { readFactors, readLessonsBack, writeLessons } from '#train/spark/exchange.ts';
import { prepareSpark, publishSpark } from '#train/spark/spark.ts';
import { publish, readLessons } from '#train/train.ts';

const root = join(import.meta.dirname, '../..');
const python = join(root, '.venv/spark/bin/python');

/** Objects as files, where Spark on one machine finds them. */
function files(folder: string): ObjectStore {
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

/** Groups of images whose people pull most of them, and now and then one of another group. */
function communities(): Pair[] {
  const random = seeded(5);
  const pairs: Pair[] = [];
  for (let user = 0; user < 400; user++)
    for (let image = 0; image < 80; image++)
      if (random() < (image % 4 === user % 4 ? 0.6 : 0.03)) {
        const pulls = 1 + Math.floor(random() * 5);
        const time = 1 + Math.floor(random() * 1e9);
        const names = { user: `user "${user}", é`, repository: `group${image % 4}/image${image}` };
        pairs.push({ ...names, pulls, firstPull: time, lastPull: time });
      }
  return pairs;
}

function world(folder: string, pairs: Pair[]) {
  const saved = new Map<string, SavedRecommendations>();
  const search: Partial<SearchStore> = {
    async *pairs({ to = Infinity }) {
      yield* pairs.filter(({ firstPull }) => firstPull < to);
    },
    async saveRecommendations(rows) {
      for (const row of rows) saved.set(row.user, row);
    },
    async *allShown() {},
    async saveShown() {},
  };
  let ids = 0;
  const options = { objects: files(folder), clock: () => 1e12, newId: () => `${ids++}-spark`, seed: 1 };
  return { saved, options: { ...options, search: search as SearchStore } };
}

function folder(t: { after(end: () => void): void }): string {
  const made = mkdtempSync(join(tmpdir(), 'spark-'));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}

test('what is handed to Spark is read back as it was, split by split', async (t) => {
  for (const pairs of [communities(), communities().map((pair) => ({ ...pair, firstPull: 7, lastPull: 7 }))]) {
    const { options } = world(folder(t), pairs);
    const lessons = await readLessons(options, 1);
    await writeLessons(options.objects, 'training/run', lessons);
    assert.ok(isDeepStrictEqual(await readLessonsBack(options.objects, 'training/run'), lessons));
  }
});

test('factors are read row by row, zeros for who has none, and another rank is refused', async (t) => {
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

test('preparing again leaves nothing of the attempt before', async (t) => {
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

const skip = !existsSync(python) && 'install Spark with test/aws/install.sh';

test('a model fitted by Spark is as good as ours, and published by the same step', {
  skip,
  timeout: 300_000,
}, async (t) => {
  const pairs = communities();
  // Spark fits one split by chance; so few pairs would be judged on two.
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
  // The first compiler alone: the second takes longer than so small a fit.
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
  assert.deepEqual(await options.objects.list('training/'), [], 'nothing that names people is left');
});
