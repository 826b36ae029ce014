// The contract of the store of alerts: what every stage relies on in each implementation. `make` returns an empty store
// for a test.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Alert, stormMs } from '#core/rules.ts';
import { type AlertFeed, type AlertQueue, alertKeptMs, BadCursor, type Page } from '#core/stores.ts';
import { pages, start } from './samples.ts';

export function alertContract(name: string, make: (clock: () => number) => Promise<AlertFeed & AlertQueue>): void {
  const alert = (id: string, time: number, user?: string): Alert => ({
    ...{ id, time, rule: 'people', when: 'first-pull', text: `${user} pulls`, data: user ? { user } : {} },
  });
  const ids = ({ items }: Page<Alert>) => items.map(({ id }) => id);

  test(`${name}: alerts come newest first, page by page, each once`, async () => {
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

  test(`${name}: an alert is gone after its retention time`, async () => {
    let now = start;
    const feed = await make(() => now);
    await feed.add(alert('old', start));
    // By steps in which no clock jumped.
    for (const end = now + alertKeptMs + 1000; now < end; now = Math.min(end, now + 86_400_000))
      await feed.add(alert('old', start));
    await feed.add(alert('new', start - 1000));
    assert.deepEqual(ids(await feed.alerts({ limit: 5 })), ['new']);
  });

  test(`${name}: alerts that name a forgotten user go, and no others`, async () => {
    const feed = await make(() => start);
    for (const [n, user] of ['ann', 'annette', undefined, 'ann'].entries())
      await feed.add(alert(`n${n}`, start + n, user));
    assert.equal(await feed.forget('ann'), 2);
    assert.deepEqual(ids(await feed.alerts({ limit: 5 })), ['n2', 'n1']);
    assert.equal(await feed.forget('ann'), 0);
  });

  /** Takes alerts until none is left, and returns them. */
  async function taken(queue: AlertQueue, most: number): Promise<Alert[]> {
    const all: Alert[] = [];
    for (let one = await queue.next(most); one; one = await queue.next(most)) all.push(one);
    return all;
  }

  test(`${name}: an alert added twice, even with another time, is handed out once`, async () => {
    const queue = await make(() => start);
    await queue.add(alert('one', start));
    await queue.add(alert('one', start - 5000));
    assert.deepEqual(await taken(queue, 5), [alert('one', start)]);
    await queue.add(alert('one', start));
    assert.deepEqual(await taken(queue, 5), []);
    assert.deepEqual(ids(await queue.alerts({ limit: 5 })), ['one']);
  });

  test(`${name}: with any number of concurrent takers, a rule hands out its hourly limit, and one digest the rest`, async () => {
    let now = start;
    const queue = await make(() => now);
    const added = Array.from({ length: 15 }, (_, n) => alert(`n${String(n).padStart(2, '0')}`, start + n));
    for (const one of added) await queue.add(one);
    await queue.add({ ...alert('other', start), rule: 'pushes' });
    const sent = (await Promise.all(Array.from({ length: 4 }, () => taken(queue, 5)))).flat();
    assert.deepEqual(sent.map(({ id }) => id).sort(), [...added.slice(0, 5).map(({ id }) => id), 'other']);
    now += stormMs - 1000;
    assert.equal(await queue.digest(), undefined);
    now += 2000;
    const digests = await Promise.all(Array.from({ length: 4 }, () => queue.digest()));
    const [digest, ...more] = digests.filter((one) => one !== undefined);
    assert.equal(more.length, 0);
    assert.deepEqual([digest.when, digest.rule, digest.data.alerts], ['digest', 'people', 10]);
    assert.match(digest.text, /^10 more alerts of the rule "people" since /);
    assert.equal(await queue.digest(), undefined);
    // An hour later.
    await queue.add(alert('later', now));
    assert.deepEqual(
      (await taken(queue, 5)).map(({ id }) => id),
      ['later'],
    );
  });

  test(`${name}: an alert that waited for more than an hour is not handed out`, async () => {
    let now = start;
    const queue = await make(() => now);
    await queue.add(alert('old', start));
    now += stormMs + 1000;
    await queue.add(alert('new', now));
    assert.deepEqual(
      (await taken(queue, 5)).map(({ id }) => id),
      ['new'],
    );
  });

  test(`${name}: alerts of a forgotten user are in no queue and no digest`, async () => {
    let now = start;
    const queue = await make(() => now);
    for (const [n, user] of ['bob', 'ann', 'eve', 'ann'].entries()) await queue.add(alert(`n${n}`, start + n, user));
    assert.deepEqual((await queue.next(1))?.id, 'n0');
    assert.equal(await queue.next(1), undefined);
    await queue.add(alert('n4', start + 4, 'ann'));
    assert.equal(await queue.forget('ann'), 3);
    assert.equal(await queue.next(1), undefined);
    now += stormMs + 1000;
    const digest = await queue.digest();
    assert.deepEqual([digest?.data.alerts, digest?.text.split('\n').slice(1)], [1, ['- eve pulls']]);
    // A user who comes back after being forgotten is new again.
    await queue.add(alert('n1', now, 'ann'));
    assert.equal((await queue.next(1))?.id, 'n1');
  });
}
