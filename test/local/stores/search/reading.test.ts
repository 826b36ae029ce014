import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { openReader } from '#local/stores/search/reading.ts';
import { dataFolder } from '../../../support/run.ts';

test('a failing long query rejects only for its caller, and the next one succeeds', async (t) => {
  const search = openReader(join(dataFolder(t), 'search.db'));
  const list = (limit: unknown) => search.users({ sort: 'recent', now: 0, limit: limit as number });
  const answers = await Promise.allSettled([list(5), list('many'), list(5)]);
  assert.deepEqual(
    answers.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  assert.match(String((answers[1] as PromiseRejectedResult).reason), /datatype mismatch/);
});
