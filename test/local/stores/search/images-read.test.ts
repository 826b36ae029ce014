// What is kept in memory of a repository's images is what a look at the file says, whatever was written since.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Action, PullClass } from '#core/event.ts';
import type { SearchChange } from '#core/stores.ts';
import { openSearch } from '#local/stores/search/search.ts';
import { pull, start, storedEvent } from '../../../contracts/samples.ts';
import { dataFolder } from '../../../support/run.ts';

const day = 86_400_000;
const event = fc.record({
  day: fc.nat(4),
  ms: fc.nat(3),
  repository: fc.constantFrom('a', 'b', 'east//a'),
  digest: fc.constantFrom('sha256:1', 'sha256:2', 'sha256:3'),
  tag: fc.constantFrom(undefined, '1', '2'),
  action: fc.constantFrom<Action[]>('pull', 'pull', 'push', 'push', 'delete'),
  class: fc.constantFrom<PullClass[]>('human', 'mirror'),
});
const step = fc.record({
  events: fc.array(event, { minLength: 1, maxLength: 4 }),
  since: fc.nat(5),
  ms: fc.nat(4),
  registry: fc.constantFrom(undefined, undefined, 'default', 'east'),
  limit: fc.constantFrom(1, 2, 3, 5),
});

test('unused images read again and again are those of a first look', async (t) => {
  const folder = dataFolder(t);
  let files = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 12, size: 'max' }), async (steps) => {
      const file = join(folder, `${files++}.db`);
      const search = openSearch(file, undefined, { unusedKept: 2 });
      let id = 0;
      for (const { events, since, ms, registry, limit } of steps) {
        await search.write(
          events.flatMap(({ day: days, ms, action, ...more }): SearchChange[] => {
            const [name, time] = [`${id++}`, start + days * day + ms * 1000];
            const doc = storedEvent(name, time, { ...more, action, kind: action === 'delete' ? 'other' : 'manifest' });
            const event: SearchChange = { kind: 'event', id: name, version: 1, doc };
            if (action !== 'pull') return [event];
            return [event, { kind: 'pull', id: name, version: 1, doc: pull(name, time, more) }];
          }),
        );
        const query = { since: start + since * day + ms * 1000, registry, limit };
        assert.deepEqual(await search.unused(query), await openSearch(file).unused(query));
      }
    }),
    { seed: 19, numRuns: 40, endOnFailure: true },
  );
});

/** The event of a push or a pull, and the pull. */
function changesOf(id: string, time: number, action: Action, more: { digest?: string; user?: string }): SearchChange[] {
  const doc = storedEvent(id, time, { ...more, action, kind: 'manifest', repository: 'a' });
  const event: SearchChange = { kind: 'event', id, version: 1, doc };
  if (action !== 'pull') return [event];
  return [event, { kind: 'pull', id, version: 1, doc: pull(id, time, { ...more, repository: 'a' }) }];
}

test('once the newest pull is gone, a later pull on the day of the one before changes what is unused', async (t) => {
  const file = join(dataFolder(t), 'search.db');
  const search = openSearch(file);
  await search.write([
    ...changesOf('1', start, 'push', { digest: 'sha256:1' }),
    ...changesOf('2', start + 2 * day, 'pull', { digest: 'sha256:1' }),
    ...changesOf('3', start + 4 * day, 'pull', { digest: 'sha256:2' }),
  ]);
  const query = { since: start + 2 * day + 2000, limit: 9 };
  assert.equal((await search.unused(query)).length, 1);
  await search.write([{ kind: 'pull', id: '3', version: 2, doc: null }]);
  assert.equal((await search.unused(query)).length, 1);
  await search.write(changesOf('4', start + 2 * day + 3000, 'pull', { digest: 'sha256:1' }));
  assert.deepEqual([await search.unused(query), await openSearch(file).unused(query)], [[], []]);
});

test('forgetting a user who did not pull last changes nothing that is known of images', async (t) => {
  const file = join(dataFolder(t), 'search.db');
  const search = openSearch(file);
  await search.write([
    ...changesOf('1', start, 'push', { user: 'ci' }),
    ...changesOf('2', start + day, 'pull', { user: 'ann' }),
    ...changesOf('3', start + 2 * day, 'pull', { user: 'bob' }),
  ]);
  const database = new DatabaseSync(file);
  t.after(() => database.close());
  const stamp = () => Number(database.prepare('SELECT stamp FROM repositories').get()?.stamp);
  const before = stamp();
  await search.forget('ann');
  assert.equal(stamp(), before);
  await search.forget('bob');
  assert.ok(stamp() > before);
});
