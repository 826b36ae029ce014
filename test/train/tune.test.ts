import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alsDefaults, fit } from '#core/recommender/als.ts';
import { type Entry, indexPairs } from '#core/recommender/ratings.ts';
import type { Pair } from '#core/stores.ts';
import { advice, type TuneOptions, table, tune } from '#train/tune.ts';

const pairs = Array.from(
  { length: 60 },
  (_, n): Pair => ({
    ...{ user: `u${n % 12}`, repository: `r${(n % 3) * 10 + Math.floor(n / 12)}` },
    ...{ pulls: 1, firstPull: n, lastPull: n },
  }),
);

/** A clock that goes on by a second whenever it is looked at. */
function run(options: Partial<TuneOptions> = {}) {
  let time = 0;
  const lines: string[] = [];
  const given = structuredClone(pairs);
  const log = (line: string) => lines.push(line);
  const trials = tune({
    ...{ pairs: given, trials: 5, seconds: 1000, seed: 4, clock: () => time++ * 1000, fit, log },
    ...options,
  });
  assert.deepEqual(given, pairs);
  return { trials, lines, tried: trials.filter(({ options }) => options) };
}

test('the defaults, seeded others and both baselines are tried, and told one by one', () => {
  const { trials, tried, lines } = run();
  assert.equal(tried.length, 5);
  assert.equal(new Set(tried.map(({ name }) => name)).size, 5);
  assert.deepEqual(
    trials
      .filter(({ options }) => !options)
      .map(({ name }) => name)
      .sort(),
    ['popular', 'similar'],
  );
  for (let at = 1; at <= 5; at++) assert.equal(lines.filter((line) => line.startsWith(`${at} of 5 `)).length, 1);
  assert.equal(table(trials).split('\n').length, 8);
  assert.match(table(trials), /^ {2}10 {10}5 {3}0\.01 {5}1 .* \*$/m);
});

test('the best three and the defaults are tried on three other splits, and stand first by what came of it', () => {
  const learned = new Set<string>();
  const { trials, tried } = run({
    fit: (entries, ...rest) => {
      learned.add(JSON.stringify(entries));
      return fit(entries, ...rest);
    },
  });
  assert.equal(learned.size, 4);
  const again = trials.findIndex((trial) => !trial.again);
  assert.ok(trials.slice(0, again).some(({ options }) => options === alsDefaults));
  assert.ok(trials.slice(again).every((trial) => !trial.again));
  const falling = (values: (number | undefined)[]) =>
    assert.deepEqual(
      values,
      values.toSorted((a, b) => b! - a!),
    );
  falling(trials.slice(0, again).map((trial) => trial.again!.ndcg));
  falling(trials.slice(again).map(({ scores }) => scores.ndcg));
  const best = tried.toSorted((a, b) => b.scores.ndcg! - a.scores.ndcg!).slice(0, 3);
  assert.ok(best.every((trial) => trial.again));
});

test('it repeats exactly for a seed, and differs for another', () => {
  assert.equal(table(run().trials), table(run().trials));
  assert.notEqual(table(run({ seed: 5 }).trials), table(run().trials));
});

test('it says how to train with what it found, if that is not the defaults', () => {
  const { trials } = run();
  const found = trials.filter(({ options }) => options && options !== alsDefaults);
  const { rank, iterations, lambda, alpha } = found[0].options!;
  assert.equal(
    advice(found),
    `to train with the first: npm start -- --als rank=${rank},iterations=${iterations},lambda=${lambda},alpha=${alpha}\n` +
      `on AWS, in whalewatch.config.ts: als: { rank: ${rank}, iterations: ${iterations}, lambda: ${lambda}, alpha: ${alpha} }`,
  );
  assert.equal(advice(trials.filter(({ options }) => options === alsDefaults)), undefined);
  assert.equal(advice([]), undefined);
});

test('it ends with its time: no trial begins later', () => {
  const { trials, tried } = run({ seconds: 7 });
  assert.equal(tried.length, 2);
  assert.ok(trials.every((trial) => !trial.again));
  assert.equal(run({ seconds: 0 }).trials.length, 0);
});

test('no fit begins after its time, in the last rounds either; a round that it cuts off counts for nobody', () => {
  for (let seconds = 1; seconds < 70; seconds++) {
    let time = 0;
    const { tried } = run({
      seconds,
      clock: () => time++ * 1000,
      fit: (...given) => {
        // The clock goes on twice at most from the look that let it begin.
        assert.ok(time <= seconds + 1, `a fit at ${time} s of ${seconds}`);
        time += 2;
        return fit(...given);
      },
    });
    const again = tried.filter((trial) => trial.again).length;
    assert.ok(again === 0 || again === 3 || again === 4, `${again} have been tried again`);
  }
});

test('by time, only the newest tenth is to be found, by what was before it; the best again by tenths before', () => {
  const { entries } = indexPairs(pairs);
  const learned: Entry[][] = [];
  const { lines, tried } = run({
    by: 'time',
    trials: 1,
    fit: (entries, ...rest) => {
      learned.push(entries);
      return fit(entries, ...rest);
    },
  });
  assert.match(lines[0], /held out by time/);
  // Pairs come in the order of their time: the last six are held out, then six that end three, six and nine pairs earlier.
  assert.deepEqual(
    learned,
    [54, 51, 48, 45].map((count) => entries.slice(0, count)),
  );
  // Six pairs of six people; later ones would be of more.
  assert.deepEqual([tried[0].scores.people, tried[0].again?.people], [6, 6]);
});

test('a setting that has no finite factors has no score, and comes last', () => {
  const { trials, tried } = run({
    fit: (entries, users, items, options, random) => {
      const factors = fit(entries, users, items, options, random);
      return options === alsDefaults ? factors : { ...factors, items: factors.items.fill(Number.NaN) };
    },
  });
  assert.equal(trials[0].options, alsDefaults);
  assert.equal(tried.filter(({ scores }) => scores.auc === undefined).length, 4);
  assert.match(table(trials), /\d {7}- {8}- {10}- {9}- /);
});

test('nothing to learn from is a table all the same', () => {
  assert.match(table(run({ pairs: [], trials: 1 }).trials), /-/);
});
