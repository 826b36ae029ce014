// A clock that is ahead for hours, and then right again: nothing that is kept for days has left, and nothing waits for
// the time that the clock showed.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Alert, stormMs } from '#core/rules.ts';
import { openAlerts } from '#local/stores/alerts.ts';
import { openCredentials } from '#local/stores/credentials.ts';
import { openEvents } from '#local/stores/events.ts';
import { openRefusals } from '#local/stores/refusals.ts';
import { openSearch } from '#local/stores/search/search.ts';
import { eventExpiry } from '#process/expire-events.ts';
import { day, hour, pull, start, storedEvent } from '../../contracts/samples.ts';
import { dataFolder } from '../../support/run.ts';

const alert = (id: string, time: number): Alert => ({
  ...{ id, time, rule: 'people', when: 'first-pull', text: `${id} pulls`, data: {} },
});

/** For each store: fills it at the start; `touch` is what goes on while the clock is ahead; `kept` what is left. */
const stores: Record<
  string,
  (
    file: string,
    clock: () => number,
  ) => Promise<{ touch: (n: number) => Promise<unknown>; kept: () => Promise<unknown> }>
> = {
  async 'events, pulls and search documents'(file, clock) {
    const [events, search] = [openEvents(file, clock), openSearch(`${file}-search`)];
    const [event, doc] = [storedEvent('e', start), pull('p', start)];
    await events.put([event]);
    await events.replacePulls([{ user: doc.user, repository: doc.repository, version: 0, remove: [], put: [doc] }]);
    await search.write([{ kind: 'pull', id: doc.id, version: 1, doc }]);
    return {
      touch: eventExpiry({ keepEventsDays: 30, stores: [events, search], clock: events.time }),
      kept: async () => [
        (await events.events(event.user, event.repository, 0, clock())).length,
        (await events.pulls(doc.user, doc.repository, 0, clock())).length,
        (await search.counts({})).total.pulls,
      ],
    };
  },
  async 'tokens and sessions'(file, clock) {
    const store = openCredentials(file, clock);
    const one = { name: 'ci', createdAt: start, expiresAt: start + 7 * day };
    await store.put({ kind: 'token', digest: 'old', ...one });
    return {
      touch: (n) => store.put({ kind: 'session', digest: `s${n}`, ...one, expiresAt: clock() + hour }),
      kept: async () => (await store.list('token')).map(({ digest }) => digest),
    };
  },
  async 'claims and alerts'(file, clock) {
    const store = openAlerts(file, clock);
    await store.claimAll([{ key: 'home a.example', by: 'DE' }]);
    await store.tally('minute', 'a', 60);
    await store.add(alert('old', start));
    return {
      touch: async (n) => {
        await store.claimAll([{ key: `home b${n}.example`, by: 'FR' }]);
        await store.tally(`minute ${n}`, 'a', 1);
        await store.add(alert(`n${n}`, clock()));
      },
      kept: async () => [
        await store.claimAll([{ key: 'home a.example', by: 'FR' }]),
        await store.tally('minute', 'b', 40),
        (await store.alerts({ limit: 100 })).items.some(({ id }) => id === 'old'),
      ],
    };
  },
  async 'counts of refused posts'(file, clock) {
    const store = openRefusals(file, clock);
    await store.add({ reason: 'no-token', registry: '', posts: 7, lastAt: start });
    return {
      touch: () => store.add({ reason: 'not-json', registry: '', posts: 1, lastAt: clock() }),
      kept: async () => (await store.list()).find(({ reason }) => reason === 'no-token')?.posts,
    };
  },
};

for (const [what, make] of Object.entries(stores))
  test(`${what} outlive a clock that is ahead for hours`, async (t) => {
    for (const jump of [8 * day, 100 * day, 3 * 365 * day]) {
      let now = start;
      const { touch, kept } = await make(join(dataFolder(t), 'file.db'), () => now);
      await touch(0);
      const before = JSON.stringify(await kept());
      now += jump;
      for (let n = 1; n <= 20; n++, now += hour) await touch(n);
      now = start + 3 * hour;
      await touch(21);
      assert.equal(JSON.stringify(await kept()), before, `${jump / day} days`);
    }
  });

test('alerts that were sent while the clock was ahead do not count as recent once it is right again', async (t) => {
  let now = start + 8 * day;
  const store = openAlerts(join(dataFolder(t), 'alerts.db'), () => now);
  const add = (id: string) => store.add(alert(id, now));
  const taken = async () => (await store.next(2))?.id;
  for (const id of ['a', 'b', 'c']) await add(id);
  assert.deepEqual([await taken(), await taken(), await taken()], ['a', 'b', undefined]);
  now = start;
  await add('d');
  assert.equal(await taken(), undefined, 'two were sent just now');
  now += stormMs + 1;
  await add('e');
  assert.equal(await taken(), 'e');
  assert.match(String((await store.digest())?.text), /^2 more alerts/);
});
