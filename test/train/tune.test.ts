import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pair } from '#core/stores.ts';
import { advice, type TuneOptions, table, tune } from '#train/tune.ts';

/** Three communities of twenty; everybody pulled seven of their ten. */
const pairs = Array.from({ length: 60 }, (_, user) =>
  Array.from({ length: 10 }, (_, at) => at)
    .filter((at) => (at * 3 + user) % 10 < 7)
    .map((at): Pair => {
      const time = (at * 17 + user * 5) % 100;
      const names = { user: `u${user}`, repository: `r${(user % 3) * 10 + at}` };
      return { ...names, pulls: 1 + (at % 3), firstPull: time, lastPull: time };
    }),
).flat();

/** A clock that advances by a second with each reading. */
function run(options: Partial<TuneOptions> = {}) {
  let time = 0;
  const lines: string[] = [];
  const given = structuredClone(pairs);
  const log = (line: string) => lines.push(line);
  const outcome = tune({
    ...{ pairs: given, trials: 3, seconds: 1000, seed: 4, by: 'chance', clock: () => time++ * 1000, log },
    ...options,
  });
  assert.deepEqual(given, pairs);
  return { outcome, lines };
}

const names = ['als', 'als-seed', 'blend', 'ease', 'knn', 'popular', 'popular-recent'];

test('all candidates are tried with their settings, and are listed best first', () => {
  for (const by of ['chance', 'time'] as const) {
    const { candidates, winner } = run({ by }).outcome;
    assert.deepEqual(candidates.map(({ name }) => name).sort(), names);
    const ndcgs = candidates.map(({ random, byTime }) => (by === 'time' ? byTime : random)!.ndcg!);
    assert.deepEqual(
      ndcgs,
      ndcgs.toSorted((a, b) => b - a),
    );
    assert.notEqual(winner.setting.kind, 'popular');
    for (const { name, tried } of candidates) assert.ok(tried >= 1 && tried <= 3, `${name}: ${tried} tried`);
    const lines = table(candidates).split('\n');
    assert.equal(lines.length, 1 + names.length);
    for (const [at, { name }] of candidates.entries()) assert.ok(lines[at + 1].startsWith(name));
  }
});

test('the advice names the winner', () => {
  const { outcome } = run();
  assert.match(advice(outcome), new RegExp(`^${outcome.winner.name} is .*--model ${outcome.winner.name}`, 's'));
});

test('the same seed gives the same table, whatever the clock, if there is time to try everything', () => {
  const figures = ({ outcome }: ReturnType<typeof run>) =>
    outcome.candidates.map(({ seconds, ...candidate }) => candidate);
  const slow = run({ clock: () => 0 });
  assert.deepEqual(figures(run({ seconds: 1e6 })), figures(slow));
});

test('without time for tuning each family has its first settings', () => {
  const { outcome } = run({ seconds: 0 });
  assert.ok(outcome.candidates.every(({ tried }) => tried === 1));
});

test('with almost no pairs, it says that there are too few', () => {
  for (const few of [[], pairs.slice(0, 1), pairs.slice(0, 9)]) {
    const outcome = tune({
      ...{ pairs: few, trials: 3, seconds: 10, seed: 1, by: 'chance', clock: () => 0, log: () => {} },
    });
    assert.match(advice(outcome), /^too few pulls to tell/);
    table(outcome.candidates);
  }
});
