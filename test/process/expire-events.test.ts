import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { openEvents } from '#local/stores/events.ts';
import { eventExpiry } from '#process/expire-events.ts';
import { day, hour, pull, start, storedEvent } from '../contracts/samples.ts';
import { dataFolder } from '../support/run.ts';

test('after keepEventsDays events, pulls, quarantined entries and the versions of users are removed', async (t) => {
  let now = start;
  const file = join(dataFolder(t), 'events.db');
  const events = openEvents(file, () => now);
  const versions = () => new DatabaseSync(file).prepare("SELECT user FROM versions WHERE user <> ''").all();
  const store = async (id: string, time: number, repository: string) => {
    await events.put([storedEvent(id, time, { repository })]);
    await events.replacePulls([
      {
        ...{ user: 'Ann', repository, version: await events.version('Ann', repository), remove: [] },
        put: [pull(id, time, { repository })],
      },
    ]);
    await events.quarantine([{ id, time, reason: 'x', position: 'x', body: '' }]);
  };
  await store('old', start - 31 * day, 'gone');
  await store('older', start - 31 * day, 'kept');
  await store('new', start - 29 * day, 'kept');
  const expire = eventExpiry({ keepEventsDays: 30, stores: [events], clock: () => now });
  await eventExpiry({ keepEventsDays: undefined, stores: [events], clock: () => now })();
  const held = async () => (await events.history('Ann', { limit: 9 })).items.map(({ id }) => id);
  assert.deepEqual(await held(), ['new', 'older', 'old']);
  assert.equal(versions().length, 2);

  await expire();
  assert.deepEqual(await held(), ['new']);
  assert.deepEqual(await events.events('Ann', 'gone', 0, now), []);
  assert.deepEqual(
    (await events.quarantined({ limit: 9 })).items.map(({ id }) => id),
    ['new'],
  );
  assert.deepEqual(versions(), []);
  assert.ok((await events.version('Ann', 'kept')) >= 2, 'it never decreases');

  now += 2 * day;
  await expire();
  assert.deepEqual(await held(), []);
  // Runs at most every six hours.
  await store('late', start - 99 * day, 'late');
  const ran = now;
  for (const later of [-6 * hour + 1, 6 * hour - 1]) {
    now = ran + later;
    await expire();
    assert.deepEqual(await held(), ['late']);
  }
  now = ran + 6 * hour;
  await expire();
  assert.deepEqual(await held(), []);
  // After the clock was set back it goes on, too.
  await store('again', start - 99 * day, 'late');
  now = ran;
  await expire();
  assert.deepEqual(await held(), []);
});
