import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { coalesce } from '#collect/coalesce.ts';
import { type StreamRecord, StreamRefused } from '#core/stores.ts';

/** Resolves when every pending microtask has run. */
const settled = () => new Promise((resolve) => setImmediate(resolve));
const text = ({ data }: { data: Uint8Array }) => Buffer.from(data).toString();

/** How a call to the stream ends: accepted; some records refused (chosen by a seed); down; or broken. */
type End = 'taken' | 'down' | 'broken' | number;

/** A stream whose calls end when the test says so. */
function stream() {
  const taken: StreamRecord[] = [];
  let call: { records: StreamRecord[]; end: (end: End) => void } | undefined;
  return {
    taken,
    finish(end: End) {
      call?.end(end);
      call = undefined;
    },
    idle: () => call === undefined,
    put: (records: StreamRecord[]) =>
      new Promise<void>((resolve, reject) => {
        assert.equal(call, undefined, 'one call at a time');
        const end = (how: End) => {
          if (how === 'down') return reject(new StreamRefused('down'));
          if (how === 'broken') return reject(new Error('broken'));
          const refused = typeof how === 'number' ? records.filter((_, at) => ((how * (at + 7)) >> 3) % 2 === 1) : [];
          taken.push(...records.filter((record) => !refused.includes(record)));
          if (refused.length > 0) reject(new StreamRefused('full', { refused }));
          else resolve();
        };
        call = { records, end };
      }),
  };
}

const end = fc.oneof(
  { weight: 3, arbitrary: fc.constant('taken' as const) },
  fc.constantFrom('down' as const, 'broken' as const),
  { weight: 3, arbitrary: fc.nat(10_000) },
);
const action = fc.oneof(
  {
    weight: 4,
    // Keys of the records of one put; '' stands for any key.
    arbitrary: fc.record({ put: fc.array(fc.constantFrom('', '', 'a', 'b', 'c'), { maxLength: 4 }) }),
  },
  fc.record({ finish: end }),
);

test('each line is in one record, in order, and exactly the requests whose records were accepted succeed', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 60, size: 'max' }), fc.boolean(), async (actions, big) => {
      const to = stream();
      let keys = 0;
      const coalescer = coalesce(to, { gather: settled as () => Promise<void>, newKey: () => `any${keys++}` });
      const puts: { lines: { key: string; text: string }[]; answer?: 'taken' | 'refused' | 'broken' }[] = [];
      let line = 0;
      for (const act of actions) {
        if ('finish' in act) {
          await settled();
          to.finish(act.finish);
          continue;
        }
        const lines = act.put.map((key) => {
          const length = big ? 12_000 : 0;
          return { key: key || coalescer.anyKey(), text: `${key}:${`${line++}`.padEnd(length, '.')}` };
        });
        const put: (typeof puts)[number] = { lines };
        puts.push(put);
        coalescer.put(lines.map(({ key, text }) => ({ key, data: Buffer.from(text) }))).then(
          () => {
            put.answer = 'taken';
          },
          (cause) => {
            put.answer = cause instanceof StreamRefused ? 'refused' : 'broken';
          },
        );
      }
      for (let rounds = 0; rounds < 200 && puts.some(({ answer }) => !answer); rounds++) {
        await settled();
        to.finish('taken');
      }
      await coalescer.drained();

      const found = to.taken.flatMap((record) =>
        text(record)
          .split('\n')
          .map((line) => ({ line, record })),
      );
      const where = new Map(found.map(({ line, record }) => [line, record]));
      assert.equal(where.size, found.length, 'no line is in two records');
      for (const { lines, answer } of puts) {
        const all = lines.every(({ text }) => where.has(text));
        assert.equal(answer === 'taken', all, `${answer}: ${lines.map(({ text }) => text.slice(0, 9))}`);
      }
      // A given key stays, and its lines keep their order.
      for (const key of ['a', 'b', 'c']) {
        const own = found
          .filter(({ line }) => line.startsWith(key))
          .map(({ line }) => Number.parseInt(line.slice(2), 10));
        assert.deepEqual(
          own,
          own.toSorted((x, y) => x - y),
        );
        for (const { line, record } of found) if (line.startsWith(key)) assert.equal(record.key, key);
      }
    }),
    { seed: 7, numRuns: 300 },
  );
});

test('requests that come during a call to the stream share the next one, in records of up to one billed unit', async () => {
  const to = stream();
  let keys = 0;
  const coalescer = coalesce(to, { gather: settled as () => Promise<void>, newKey: () => `any${keys++}` });
  const hit = (length: number) => coalescer.put([{ key: coalescer.anyKey(), data: Buffer.alloc(length, 'h') }]);
  const first = hit(100);
  await settled();
  await settled();
  const rest = [...Array(100)].map(() => hit(1000));
  to.finish('taken');
  await first;
  await settled();
  to.finish('taken');
  await Promise.all(rest);
  assert.deepEqual(
    to.taken.map(({ data }) => data.length),
    [100, 25_024, 25_024, 25_024, 25_024],
  );
  assert.equal(new Set(to.taken.map(({ key }) => key)).size, 5, 'full records may go to different shards');
  assert.deepEqual(
    to.taken.slice(0, 2).map(({ key }) => key),
    ['any0', 'any1'],
    'the first keeps the key that they were given',
  );
});

test('a stream that does not respond does not fill the memory', async () => {
  const to = stream();
  const coalescer = coalesce(to, { gather: settled as () => Promise<void>, newKey: () => 'any', mostBytes: 200 });
  const put = () => coalescer.put([{ key: 'a', data: Buffer.alloc(100) }]);
  const held = [put(), put()];
  await assert.rejects(put(), StreamRefused);
  await settled();
  await settled();
  to.finish('taken');
  await Promise.all(held);
  const again = put();
  await settled();
  await settled();
  to.finish('taken');
  await again;
});

test('a record too large for the stream fails only its own request', async () => {
  const to = stream();
  const coalescer = coalesce(to, { gather: settled as () => Promise<void>, newKey: () => 'any' });
  const small = coalescer.put([{ key: 'a', data: Buffer.alloc(100) }]);
  // The key counts, by its bytes.
  await assert.rejects(coalescer.put([{ key: '\u00e9', data: Buffer.alloc(2 ** 20 - 1) }]), /more than 1048576/);
  const largest = coalescer.put([{ key: '\u00e9', data: Buffer.alloc(2 ** 20 - 2) }]);
  await settled();
  await settled();
  to.finish('taken');
  await Promise.all([small, largest]);
});
