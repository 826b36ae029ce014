import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renewed } from '#serve/renewed.ts';

/** Readings that end when the test says, on the test's clock; a reading is used for 1000 ms. */
function world() {
  const state = { now: 0, reports: 0 };
  const begun: PromiseWithResolvers<string>[] = [];
  const current = renewed(
    () => {
      const reading = Promise.withResolvers<string>();
      begun.push(reading);
      return reading.promise;
    },
    { clock: () => state.now, report: () => state.reports++, longestMs: 1000 },
  );
  /** The current result, or that there is none yet. */
  const told = async (answer = current()) => {
    let found = 'waits';
    answer.then(
      (value) => {
        found = value;
      },
      (cause: Error) => {
        found = cause.message;
      },
    );
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    return found;
  };
  const first = async () => {
    const answer = current();
    begun[0].resolve('first');
    assert.equal(await answer, 'first');
  };
  return { state, begun, current, told, first };
}
const down = new Error('down');

test('after expire() the next call waits for a new reading, not for one in progress', async () => {
  for (const held of [false, true]) {
    const { state, begun, current, told, first } = world();
    if (held) await first();
    state.now = 2000;
    const early = current();
    current.expire();
    const late = current();
    const [old, renewal] = begun.slice(-2);
    old.resolve('old');
    assert.equal(await early, 'old');
    assert.equal(await told(late), 'waits');
    assert.equal(await told(), 'waits', 'nobody else gets what was read before');
    renewal.resolve('new');
    assert.equal(await late, 'new');
    state.now += 499;
    assert.equal(await told(), 'new');
    assert.equal(begun.length, held ? 3 : 2);
  }
});

test('an earlier reading that ends last, whether it succeeds or fails, changes nothing', async () => {
  for (const end of ['resolve', 'reject']) {
    const { state, begun, current, told, first } = world();
    await first();
    state.now = 2000;
    const early = current();
    current.expire();
    const late = current();
    begun[2].resolve('new');
    await late;
    state.now = 2600;
    if (end === 'resolve') begun[1].resolve('old');
    else begun[1].reject(down);
    await early;
    assert.equal(await told(), 'new');
    assert.equal(begun.length, 4, 'the next reading begins when it is due');
    assert.equal(await told(), 'new');
    assert.equal(begun.length, 4, 'one at a time');
  }
});

test('while the store is down, a request tries it once per half period, and none waits', async () => {
  const { state, begun, current, told, first } = world();
  await first();
  state.now = 5000;
  const waiting = current();
  state.now = 8000;
  begun[1].reject(down);
  assert.equal(await waiting, 'first');
  for (let request = 0; request < 10; request++) assert.equal(await told(), 'first');
  state.now = 8499;
  assert.equal(await told(), 'first');
  assert.deepEqual([begun.length, state.reports], [2, 1]);
  state.now = 8500;
  assert.equal(await told(), 'first', 'the next attempt runs beside the requests');
  assert.equal(begun.length, 3);
  // The attempt hangs for longer than a reading is used.
  state.now = 12_000;
  for (let request = 0; request < 10; request++) assert.equal(await told(), 'first');
  begun[2].reject(down);
  assert.equal(await told(), 'first');
  assert.deepEqual([begun.length, state.reports], [3, 2]);
  state.now = 12_500;
  await current();
  begun[3].resolve('again');
  await told();
  assert.equal(await told(), 'again');
  assert.deepEqual([begun.length, state.reports], [4, 2]);
});

test('after a failure and a pause the first request waits again', async () => {
  const { state, begun, current, told, first } = world();
  await first();
  state.now = 1000;
  const waiting = current();
  begun[1].reject(down);
  await waiting;
  state.now = 2000;
  const late = current();
  assert.equal(await told(late), 'waits');
  begun[2].resolve('again');
  assert.equal(await late, 'again');
});

test('expire() works while a store is down', async () => {
  const { state, begun, current, told, first } = world();
  await first();
  state.now = 1000;
  const waiting = current();
  begun[1].reject(down);
  await waiting;
  current.expire();
  assert.equal(await told(), 'waits');
  assert.equal(await told(), 'waits');
});

test("a reading's age counts from its start", async () => {
  const { state, begun, current, told } = world();
  const answer = current();
  state.now = 900;
  begun[0].resolve('first');
  await answer;
  state.now = 1000;
  assert.equal(await told(), 'waits');
});

test('before the first success every caller gets the failure, from one shared reading', async () => {
  const { state, begun, current, told } = world();
  const answers = [current(), current(), current()];
  begun[0].reject(down);
  for (const answer of answers) await assert.rejects(answer, /down/);
  assert.deepEqual([begun.length, state.reports], [1, 0]);
  const next = current();
  begun[1].resolve('first');
  assert.equal(await next, 'first');
  assert.equal(await told(), 'first');
  assert.equal(begun.length, 2);
});

test('a slow reading is used for longer; one during which the clock was set is not', async () => {
  const minute = 60_000;
  const week = 7 * 24 * 60 * minute;
  for (const [took, longest] of [
    ...[0, 100].map((quick) => [quick, 1000]),
    [101, 1010],
    [minute, 10 * minute],
    ...[minute + 1, week, -week].map((odd) => [odd, 1000]),
  ])
    for (const [age, value] of [
      [longest - 1, 1],
      [longest, 2],
    ]) {
      let now = 0;
      let begun = 0;
      const read = async () => {
        if (begun === 0) now += took;
        return ++begun;
      };
      const current = renewed(read, { clock: () => now, report: () => {}, longestMs: 1000, times: 10 });
      await current();
      now = age;
      assert.equal(await current(), value, `a reading of ${took} ms after ${age} ms`);
    }
});
