import assert from 'node:assert/strict';
import { test } from 'node:test';
import { weeklyReport } from '#alerts/report.ts';
import { openSearch } from '#local/stores/search/search.ts';
import { pull, storedEvent } from '../contracts/samples.ts';
import { memoryObjects, open } from '../support/memory-stores.ts';

const now = Date.parse('2026-11-28T12:00:00Z');
const day = 86_400_000;

test('the weekly report: pulls, new repositories and users, the five most pulled, what is unused; no user is named', async () => {
  const search = openSearch(':memory:');
  let id = 0;
  const pulled = async (user: string, repository: string, ago: number, times = 1) => {
    for (let n = 0; n < times; n++) {
      const doc = pull(`p${id++}`, now - ago + n, { user, repository, class: 'human' });
      await search.write([{ kind: 'pull', id: doc.id, version: 1, doc }]);
    }
  };
  await pulled('ann', 'old', 8 * day);
  await pulled('ann', 'old', 7 * day, 1);
  await pulled('ann', 'a', day, 3);
  await pulled('bob', 'a', day, 1);
  for (const name of ['b', 'c', 'd', 'e', 'f']) await pulled('bob', name, day);
  await pulled('ann', 'old', 7 * day + 1, 1);
  const push = storedEvent('push', now - 31 * day, {
    ...{ action: 'push', kind: 'manifest', repository: 'left', tag: '1', digest: 'sha256:1', user: 'ann' },
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
  });
  await search.write([{ kind: 'event', id: 'push', version: 1, doc: push }]);
  const lines = (await weeklyReport({ search, objects: memoryObjects(() => now).through(open), now })).split('\n');
  assert.deepEqual(lines, [
    'Whalewatch: the week from 2026-11-21 to 2026-11-28',
    'Pulls: 10 of 7 repositories',
    'New repositories: a, b, c, d, e and 1 more',
    'New users: 1',
    'Most pulled: a (4, by 2 users), b (1, by 1 user), c (1, by 1 user), d (1, by 1 user), e (1, by 1 user) and 2 more',
    'Unused for 30 days: left:1',
    'Outdated and still pulled: none',
    'Recommendations: 0 followed of 0 shown in 30 days',
  ]);
  const empty = openSearch(':memory:');
  const none = await weeklyReport({ search: empty, objects: memoryObjects(() => now).through(open), now });
  assert.match(none, /Pulls: 0 of 0 repositories\nNew repositories: none\nNew users: 0\nMost pulled: none/);
});
