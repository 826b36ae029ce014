import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { openEvents } from '#local/stores/events.ts';
import { bytesATurn } from '#local/stores/sqlite/turns.ts';
import { dataFolder } from '../../support/run.ts';

const hour = 3_600_000;
const day = 24 * hour;
const start = Date.UTC(2026, 10, 21);
const aside = (id: string, body: string, time = start) => ({ id, time, reason: `of "${body}"`, position: id, body });

test('no file in the data folder contains a quarantined text', async (t) => {
  const folder = dataFolder(t);
  const store = openEvents(join(folder, 'events.db'), () => start);
  await store.quarantine([aside('1', 'the-secret-of-a-stranger')]);
  assert.equal((await store.quarantined({ limit: 1 })).items[0].body, 'the-secret-of-a-stranger');
  for (const name of readdirSync(folder)) {
    const bytes = readFileSync(join(folder, name));
    assert.ok(!bytes.includes('the-secret-of-a-stranger'), name);
  }
});

test('entries that an older version quarantined are readable, counted, and expire', async (t) => {
  const file = join(dataFolder(t), 'events.db');
  const older = new DatabaseSync(file);
  older.exec('CREATE TABLE quarantine (id TEXT PRIMARY KEY, time REAL, doc TEXT) WITHOUT ROWID');
  const old = aside('old', 'plain');
  older.prepare('INSERT INTO quarantine VALUES (?, ?, ?)').run(old.id, old.time, JSON.stringify(old));
  older.close();
  let now = start + day;
  const store = openEvents(file, () => now);
  await store.quarantine([aside('new', 'sealed', start + day)]);
  const { items } = await store.quarantined({ limit: 10 });
  assert.deepEqual(items, [aside('new', 'sealed', start + day), old]);
  assert.equal((await store.quarantineState()).entries, 2);
  for (; now < start + 30 * day + hour; now += 12 * hour) await store.expireQuarantine();
  await store.expireQuarantine();
  assert.deepEqual(
    (await store.quarantined({ limit: 10 })).items.map(({ id }) => id),
    ['new'],
  );
  assert.equal((await store.quarantineState()).entries, 1);
  for (; now < start + 33 * day; now += 12 * hour) await store.expireQuarantine();
  assert.equal((await store.quarantineState()).entries, 0);
});

for (const jump of [8 * day, 365 * day])
  test(`a clock that is ${jump / day} days ahead for hours neither destroys keys and marks early nor keeps them longer`, async (t) => {
    let now = start + hour;
    const store = openEvents(join(dataFolder(t), 'events.db'), () => now);
    const key = await store.digestKey('2026-11-21');
    await store.markForgotten('ann', start);
    await store.quarantine([aside('1', 'kept')]);
    now += jump;
    for (let n = 0; n < 20; n++, now += hour) {
      assert.deepEqual(await store.digestKey('2026-11-21'), key);
      assert.deepEqual(await store.forgotten(['ann']), new Map([['ann', start]]));
      await store.expireQuarantine();
    }
    await store.markForgotten('bob', now);
    const ahead = await store.digestKey(new Date(now).toISOString().slice(0, 10));
    now = start + 3 * hour;
    assert.deepEqual(await store.digestKey('2026-11-21'), key);
    assert.equal((await store.quarantined({ limit: 1 })).items.length, 1);
    assert.deepEqual(
      await store.forgotten(['ann', 'bob']),
      new Map([
        ['ann', start],
        ['bob', now],
      ]),
      "a user forgotten meanwhile is forgotten as of the true time, not the clock's",
    );
    for (const end = now + 3 * day; now < end; now += 6 * hour) await store.expireQuarantine();
    const again = await store.digestKey(new Date(start + 2 * hour + jump + 18 * hour).toISOString().slice(0, 10));
    assert.notDeepEqual(again, ahead, 'the key of the future day is gone on time');
  });

test('forgetting, paging and making room yield to other work after each part', async (t) => {
  const store = openEvents(join(dataFolder(t), 'events.db'), () => start);
  const body = 'x'.repeat(60_000);
  const entries = Array.from({ length: 100 }, (_, n) => aside(`${n}`, body, start + n));
  await store.quarantine(entries);
  let turns = 0;
  let counting = true;
  const count = () => {
    turns++;
    if (counting) setImmediate(count);
  };
  setImmediate(count);
  assert.equal(await store.forget('ann'), 0);
  counting = false;
  const parts = (await store.quarantineState()).bytes / bytesATurn;
  assert.ok(turns >= parts, `${turns} turns for ${parts} parts`);
});
