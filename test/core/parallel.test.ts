import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turnOfLoop } from 'node:timers/promises';
import fc from 'fast-check';
import { inParallel, inTurn } from '#core/parallel.ts';

test('at most so many items are in work at a time, and results keep the order of the items', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 20 }),
      fc.integer({ min: 1, max: 5 }),
      async (waits, many) => {
        let [now, most] = [0, 0];
        const results = await inParallel([...waits.entries()], many, async ([at, wait]) => {
          most = Math.max(most, ++now);
          for (let turns = 0; turns < wait; turns++) await turnOfLoop();
          now--;
          return at;
        });
        assert.deepEqual(results, [...waits.keys()]);
        assert.equal(most, Math.min(many, waits.length));
      },
    ),
  );
});

test('turns come in the order of the calls, one at a time, and a turn that is ended twice ends once', async () => {
  const turn = inTurn();
  const log: string[] = [];
  const work = async (name: string, ends: number) => {
    const over = await turn();
    log.push(`${name} begins`);
    await turnOfLoop();
    log.push(`${name} ends`);
    for (let n = 0; n < ends; n++) over();
  };
  await Promise.all([work('a', 2), work('b', 1), work('c', 1)]);
  assert.deepEqual(
    log,
    ['a', 'b', 'c'].flatMap((name) => [`${name} begins`, `${name} ends`]),
  );
});
