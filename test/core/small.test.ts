// Small helpers that are used everywhere.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inParallel } from '#core/parallel.ts';
import { quoted } from '#core/quoted.ts';
import { accountName, isTime, jsonOf, quote, text, timestamp } from '#core/registry/fields.ts';

test("a value in a message is its JSON, cut after sixty characters; a value that JSON can't write is described", () => {
  assert.equal(quoted('x'), '"x"');
  assert.equal(quoted('x'.repeat(58)), `"${'x'.repeat(58)}"`);
  assert.equal(quoted('x'.repeat(59)), `"${'x'.repeat(59)}…`);
  assert.equal(quoted(undefined), 'undefined');
  assert.equal(quoted([1, 2, 3], 3), '[1,…');
  let deep: unknown = 1;
  for (let n = 0; n < 100_000; n++) deep = [deep];
  assert.equal(quoted(deep), 'nested too deep');
  assert.equal(jsonOf(deep), undefined);
});

test('at most the limit is in flight, results keep their order, and a failure rejects after all workers have ended', async () => {
  let flying = 0;
  let most = 0;
  const work = async (n: number) => {
    most = Math.max(most, ++flying);
    await new Promise((resolve) => setImmediate(resolve));
    flying--;
    if (n === 3) throw new Error('three');
    return n * 2;
  };
  assert.deepEqual(await inParallel([0, 1, 2], 2, work), [0, 2, 4]);
  assert.equal(most, 2);
  assert.deepEqual(await inParallel([], 2, work), []);
  await assert.rejects(inParallel([3, 4, 5, 6], 2, work), /three/);
  assert.equal(flying, 0);
});

test('a text has at most the given number of characters, and is not empty', () => {
  assert.equal(text({ a: 'x'.repeat(4096) }, 'a').length, 4096);
  assert.throws(() => text({ a: 'x'.repeat(4097) }, 'a'), /a has 4097 characters, more than 4096/);
  assert.throws(() => text({ a: '' }, 'a'), /a is empty/);
  assert.throws(() => text({ a: null }, 'a'), /a is null, not a string/);
  assert.throws(() => text({}, 'a'), /a is missing/);
  assert.equal(accountName({}, 'a'), '');
});

test('times from 1970 to 9999 are read, with microseconds', () => {
  assert.equal(timestamp('1970-01-01T00:00:00Z', 't'), 0);
  assert.equal(timestamp('2026-11-28T12:00:00.1234567Z', 't'), Date.parse('2026-11-28T12:00:00Z') + 123.456);
  assert.equal(timestamp('9999-12-31T23:59:59.999Z', 't'), 253_402_300_799_999);
  for (const wrong of ['1969-12-31T23:59:59Z', '9999-12-31T23:59:59-01:00', '2026-11-28', 5, undefined])
    assert.throws(() => timestamp(wrong, 't'), /not an RFC 3339 time/, String(wrong));
  assert.deepEqual([-1, 0, 253_402_300_799_999, 253_402_300_800_000, '1'].map(isTime), [
    false,
    true,
    true,
    false,
    false,
  ]);
});

test('a quoted name has at most forty characters, and its addresses are masked', () => {
  assert.equal(quote('x'.repeat(40)), `"${'x'.repeat(40)}"`);
  assert.equal(quote('x'.repeat(41)), `"${'x'.repeat(40)}…"`);
  assert.equal(quote('from 192.0.2.7'), '"from [address]"');
});
