// What a hit may just have, and just not.
import assert from 'node:assert/strict';
import test from 'node:test';
import { validateHit } from '#core/hits/hit.ts';
import { hitLimits } from '#core/hits/limits.ts';

const now = Date.parse('2026-11-28T12:00:00Z');
const read = (fields: object) => validateHit({ domain: 'portal.example', ...fields }, { address: '', now });

for (const name of ['path', 'action', 'id'] as const)
  test(`a ${name} of ${hitLimits[name]} characters is taken, one more is not, and the reason names it`, () => {
    assert.ok(!('reason' in read({ [name]: 'x'.repeat(hitLimits[name]) })));
    const { reason } = read({ [name]: 'x'.repeat(hitLimits[name] + 1) }) as { reason: string };
    assert.match(reason, new RegExp(`^${name} .*${hitLimits[name]}`));
  });

test('a time is taken from the epoch on, to the last that a Date holds', () => {
  for (const time of [0, 8.64e15 - 1]) assert.ok(!('reason' in read({ time })), String(time));
  for (const time of [-1, 8.64e15, Number.NaN]) assert.ok('reason' in read({ time }), String(time));
});
