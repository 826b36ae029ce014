import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Steady, steady } from '#core/steady.ts';

const hour = 3_600_000;
const day = 24 * hour;
const start = Date.UTC(2026, 10, 21);

/** Reads the steady time of a clock at each of these times. */
const after = (times: number[]): Steady =>
  times.reduce<Steady | undefined>((known, now) => steady(known, now), undefined) as Steady;
const running = (from: number, to: number, step = 10 * 60_000) =>
  Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, n) => from + n * step);

test('the time follows a running clock, also one that is set back', () => {
  assert.equal(after([start]).time, start);
  assert.equal(after([start, start + 5, start + day + 5]).time, start + day + 5, 'a step of one day is not a jump');
  assert.equal(after([start, start - 2 * day]).time, start - 2 * day);
  assert.equal(after([start, start - 2 * day, start - 2 * day + 7]).time, start - 2 * day + 7);
});

test('a jump ahead is ignored until the process has run for a day since', () => {
  for (const jump of [day + 1, 8 * day, 365 * day]) {
    const ahead = start + jump;
    assert.equal(after([start, ahead]).time, start);
    const held = after([start, ...running(ahead, ahead + day - 10 * 60_000)]);
    assert.ok(held.time <= start + day, `${held.time - start}`);
    assert.equal(after([start, ...running(ahead, ahead + day)]).time, ahead + day);
    // Readings far apart do not count as running time either.
    assert.equal(after([start, ahead, ahead + 23 * hour]).time, start + 15 * 60_000);
  }
});

test('a corrected clock is followed at once', () => {
  const back = after([start, ...running(start + 8 * day, start + 8 * day + hour), start + hour]);
  assert.deepEqual(back, { clock: start + hour, time: start + hour });
  const later = after([start, start + 365 * day, start + 3 * hour, start + 4 * hour]);
  assert.deepEqual(later, { clock: start + 4 * hour, time: start + 4 * hour });
});

test('whatever the clock does, the time is never ahead of it, and advances by more than a day only after a day of running', () => {
  const steps = fc.array(fc.integer({ min: -400 * day, max: 400 * day }), { maxLength: 40 });
  fc.assert(
    fc.property(steps, (all) => {
      let known = steady(undefined, start);
      let ran = 0;
      for (const step of all) {
        const before = known;
        known = steady(before, before.clock + step);
        assert.ok(known.time <= known.clock);
        ran = before.ranMs === undefined ? 0 : ran + Math.min(15 * 60_000, Math.max(0, step));
        if (known.time - before.time > day) assert.ok(ran >= day);
      }
    }),
  );
});
