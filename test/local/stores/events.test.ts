import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Pull, StoredEvent } from '#core/event.ts';
import { openEvents } from '#local/stores/events.ts';
import { pull, storedEvent } from '../../contracts/samples.ts';
import { dataFolder } from '../../support/run.ts';

const text = fc.string({ unit: 'binary', maxLength: 8 });
const digits = fc.stringMatching(/^[1-9]0{0,60}[1-9]0{0,9}$/);
const optional = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });
const defined = <T extends object>(of: T) =>
  Object.fromEntries(Object.entries(of).filter(([, value]) => value !== undefined)) as T;
const moreOfEvent = fc.record({
  ...{ tag: optional(text), digest: optional(text), mediaType: optional(text), subject: optional(text) },
  ...{ references: optional(fc.array(text)), referenceTypes: optional(fc.array(text)), userType: optional(text) },
  ...{ size: optional(fc.nat()), addressDigests: fc.array(text), country: text, userAgent: text },
  origin: fc
    .tuple(text, digits, fc.nat())
    .map(([shard, sequence, line]) => `${shard.replaceAll('~', '')}:${sequence}:${line}`),
});
const moreOfPull = fc.record({
  ...{ tag: optional(text), digest: optional(text), country: text, events: fc.integer({ min: 1, max: 9 }) },
  uncertain: optional(fc.constant(true as const)),
});

test('events and pulls are read as they were stored, whatever their fields', async (t) => {
  const events = openEvents(join(dataFolder(t), 'events.db'), Date.now);
  let n = 0;
  await fc.assert(
    fc.asyncProperty(moreOfEvent, moreOfPull, async (ofEvent, ofPull) => {
      const time = ++n * 1000;
      const event = defined<StoredEvent>({ ...storedEvent(`e${n}`, time), ...ofEvent });
      const act = defined<Pull>({ ...pull(`e${n}`, time), ...ofPull });
      const { user, repository } = event;
      assert.deepEqual(await events.put([event]), [true]);
      assert.deepEqual(await events.put([event]), [true], 'a retry');
      assert.deepEqual(await events.put([{ ...event, origin: 'another:1:0' }]), [false]);
      const version = await events.version(user, repository);
      await events.replacePulls([{ user, repository, version, remove: [], put: [act] }]);
      assert.deepEqual(await events.events(user, repository, time, time), [event]);
      assert.deepEqual(await events.pulls(user, repository, time, time), [act]);
      assert.deepEqual(await events.eventsAfter(user, repository, time - 1, 1), [event]);
    }),
  );
});

test('events and pulls of an older version, with the names of their fields, are read', async (t) => {
  const file = join(dataFolder(t), 'events.db');
  const events = openEvents(file, Date.now);
  const [event, act] = [storedEvent('e1', 1000), pull('e1', 1000)];
  const { user, repository } = event;
  const older = new DatabaseSync(file);
  older
    .prepare('INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)')
    .run('e1', user, repository, 1000, event.origin, JSON.stringify(event));
  older.prepare('INSERT INTO pulls VALUES (?, ?, ?, ?, ?)').run('e1', user, repository, 1000, JSON.stringify(act));
  assert.deepEqual(await events.events(user, repository, 0, 2000), [event]);
  assert.deepEqual(await events.pulls(user, repository, 0, 2000), [act]);
  assert.deepEqual(await events.put([event]), [true], 'a retry');
  assert.deepEqual(await events.put([{ ...event, origin: 'another:1:0' }]), [false]);
});
