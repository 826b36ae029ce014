import assert from 'node:assert/strict';
import test from 'node:test';
import { isSupported } from '#serve/recommender/recommend.ts';

test('two users who pulled both are enough, one is not; if that number is unknown, two who pulled the candidate', () => {
  const similar = (shared?: number) => ({ item: 0, score: 1, shared }) as unknown as Parameters<typeof isSupported>[0];
  assert.deepEqual(
    [0, 1, 2, 3].map((shared) => isSupported(similar(shared), 100)),
    [false, false, true, true],
  );
  assert.deepEqual(
    [0, 1, 2, 3].map((pulledBy) => isSupported(similar(), pulledBy)),
    [false, false, true, true],
  );
});
