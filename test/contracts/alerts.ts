// The contract of the store of alerts: what every stage relies on, whichever way it is made. `make` gives a test an empty one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Alert } from '#core/rules.ts';
import { type AlertFeed, alertKeptMs, BadCursor, type Page } from '#core/stores.ts';
import { pages, start } from './samples.ts';

export function alertContract(name: string, make: (clock: () => number) => Promise<AlertFeed>): void {
  const alert = (id: string, time: number, user?: string): Alert => ({
    ...{ id, time, rule: 'people', when: 'first-pull', text: `${user} pulls`, data: user ? { user } : {} },
  });
  const ids = ({ items }: Page<Alert>) => items.map(({ id }) => id);

  test(`${name}: messages come newest first, page by page, each once`, async () => {
    const feed = await make(() => start);
    const added = Array.from({ length: 12 }, (_, n) => alert(`n${n}`, start - Math.floor(n / 2) * 1000.5, 'ann'));
    for (const one of [...added].reverse().concat(added[3])) await feed.add(one);
    const read = (await pages((cursor) => feed.alerts({ cursor, limit: 5 }))).flat();
    assert.deepEqual(new Set(read.map(({ id }) => id)).size, 12);
    for (let n = 1; n < read.length; n++) assert.ok(read[n].time <= read[n - 1].time);
    assert.deepEqual(
      read.find(({ id }) => id === 'n3'),
      added[3],
    );
    await assert.rejects(feed.alerts({ cursor: 'x', limit: 1 }), BadCursor);
  });

  test(`${name}: a message is gone when it has been kept for its time`, async () => {
    let now = start;
    const feed = await make(() => now);
    await feed.add(alert('old', start));
    now += alertKeptMs + 1000;
    await feed.add(alert('new', start - 1000));
    assert.deepEqual(ids(await feed.alerts({ limit: 5 })), ['new']);
  });

  test(`${name}: messages that name a forgotten person go, no others`, async () => {
    const feed = await make(() => start);
    for (const [n, user] of ['ann', 'annette', undefined, 'ann'].entries())
      await feed.add(alert(`n${n}`, start + n, user));
    assert.equal(await feed.forget('ann'), 2);
    assert.deepEqual(ids(await feed.alerts({ limit: 5 })), ['n2', 'n1']);
    assert.equal(await feed.forget('ann'), 0);
  });
}
