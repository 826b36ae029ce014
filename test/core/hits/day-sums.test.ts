import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { packColumns } from '#core/bytes/columns.ts';
import { DaySums } from '#core/hits/day-sums.ts';
import { dayName } from '#core/hits/delta.ts';
import { deltaOf, now } from '../../support/fold.ts';

const hit = (domain: string, time = now) =>
  ({ type: 'hit', time, address: domain.length > 9 ? '0' : '', domain, action: 'view' }) as const;

test('the sums of a day are by domain, country and action, most hits first, ties by key', () => {
  const sums = DaySums.empty('2026-11-21');
  sums.merge(deltaOf(['b.example', 'a.example', 'c.example', 'c.example', 'longer.example'].map((d) => hit(d))));
  sums.merge(deltaOf([hit('c.example', now - 86_400_000)]));
  assert.deepEqual(sums.top('domain'), [
    ['c.example', 2],
    ['a.example', 1],
    ['b.example', 1],
    ['longer.example', 1],
  ]);
  assert.deepEqual(sums.top('country'), [
    ['', 4],
    ['DE', 1],
  ]);
  assert.deepEqual(sums.top('action'), [['view', 5]]);
  assert.equal(sums.total, 5);
});

test('the pages of a list together make the whole list', () => {
  const sums = DaySums.empty(dayName(0));
  sums.merge(deltaOf(Array.from({ length: 900 }, (_, index) => hit(`d${(index * index) % 101}.example`, 5))));
  const whole = sums.top('domain');
  assert.equal(whole.length, sums.count('domain'));
  const pages = Array.from({ length: 12 }, (_, page) => sums.top('domain', page * 10, 10)).flat();
  assert.deepEqual(pages, whole);
  assert.deepEqual(
    whole,
    whole.toSorted((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)),
  );
});

test('sums go on growing after a read, and survive encoding', () => {
  const sums = DaySums.empty('2026-11-21');
  const delta = deltaOf([hit('a.example')]);
  sums.merge(delta);
  assert.equal(sums.top('domain')[0][1], 1);
  sums.merge(delta);
  const again = DaySums.decode(sums.encode());
  assert.equal(again.day, '2026-11-21');
  assert.deepEqual(again.top('domain'), [['a.example', 2]]);
  assert.equal(again.total, 2);
});

test('a truncated object is not read as a day’s sums', () => {
  const bytes = DaySums.empty('2026-11-21').encode();
  assert.throws(() => DaySums.decode(bytes.subarray(0, bytes.length - 1)), /hits\/1 is torn: \d+ bytes of \d+/);
});

test('a day of many domains is sorted in steps, with the same result as in one go; concurrent callers share one sort', async () => {
  const count = 30_000;
  const names = Array.from({ length: count }, (_, n) => `d${(n * 7919) % count}.example`);
  const day = (shuffled: string[]) => {
    const utf8 = new TextEncoder().encode(shuffled.join(''));
    const offsets = Uint32Array.from({ length: count + 1 }, (_, n) => (n === 0 ? 0 : shuffled[n - 1].length));
    for (let n = 0; n < count; n++) offsets[n + 1] += offsets[n];
    const hits = Float64Array.from(shuffled, (name) => 1 + (name.length % 3));
    const none = { offsets: new Uint32Array(1), hits: new Float64Array(0), utf8: new Uint8Array(0) };
    return DaySums.decode(
      packColumns(
        'hits/1',
        { day: '2026-11-28' },
        {
          ...{ domainOffsets: offsets, domainNames: utf8, domainHits: hits },
          ...{ countryOffsets: none.offsets, countryNames: none.utf8, countryHits: none.hits },
          ...{ actionOffsets: none.offsets, actionNames: none.utf8, actionHits: none.hits },
        },
      ),
    );
  };
  const [atOnce, inSteps] = [day(names), day(names)];
  let pauses = 0;
  const pause = async () => {
    pauses++;
  };
  await Promise.all([inSteps.inOrder('domain', pause), inSteps.inOrder('domain', pause)]);
  const once = pauses;
  assert.ok(once > 8 && once < 20, `${once} pauses`);
  await inSteps.inOrder('domain', pause);
  assert.equal(pauses, once, 'it is sorted');
  assert.deepEqual(inSteps.top('domain'), atOnce.top('domain'));
  await inSteps.inOrder('country', pause);
  assert.deepEqual(inSteps.top('country'), []);
});

const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

test('whatever hits come, sums, order and pages are those of a plain count, also read back and beyond the most domains', async () => {
  const name = fc.string({ unit: fc.constantFrom('a', 'b', 'ab', '-', 'é'), minLength: 1, maxLength: 4 });
  const row = fc.record({
    domain: name.map((text) => `${text.replaceAll(/[-é]/g, '_')}`),
    action: name,
    day: fc.nat(1),
  });
  const batches = fc.array(fc.array(row, { maxLength: 12 }), { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(batches, fc.integer({ min: 1, max: 12 }), fc.boolean(), async (list, most, inSteps) => {
      let sums = DaySums.empty(dayName(20_000));
      const want = { domain: new Map<string, number>(), action: new Map<string, number>() };
      const add = (by: keyof typeof want, key: string) => want[by].set(key, (want[by].get(key) ?? 0) + 1);
      let [others, wantOthers, total] = [0, 0, 0];
      for (const batch of list) {
        const hits = batch.map(({ domain, action, day }) => ({
          ...({ type: 'hit', address: '', domain, action, time: (20_000 + day) * 86_400_000 } as const),
        }));
        others += sums.merge(deltaOf(hits), most);
        for (const { domain, action } of batch.filter(({ day }) => day === 0)) {
          total++;
          add('action', action);
          const key = want.domain.has(domain) || want.domain.size < most ? domain : 'other';
          if (key === 'other') wantOthers++;
          add('domain', key);
        }
        if (inSteps) sums = DaySums.decode(sums.encode());
      }
      assert.equal(sums.total, total);
      assert.equal(others, wantOthers);
      for (const by of ['domain', 'action'] as const) {
        const whole = [...want[by]].sort((a, b) => b[1] - a[1] || byBytes(a[0], b[0]));
        if (inSteps) await sums.inOrder(by, async () => {});
        assert.equal(sums.count(by), whole.length);
        assert.deepEqual(sums.top(by), whole);
        for (const start of [0, 1, whole.length])
          for (const limit of [0, 1, whole.length])
            assert.deepEqual(sums.top(by, start, limit), whole.slice(start, start + limit));
        for (const [key, hits] of whole) assert.equal(sums.hits(by, key), hits);
        assert.equal(sums.hits(by, 'never'), 0);
      }
    }),
    { seed: 16, numRuns: 300 },
  );
});
