import assert from 'node:assert/strict';
import { open, stat } from 'node:fs/promises';
import { test } from 'node:test';
import fc from 'fast-check';
import type { HitLine } from '#core/event.ts';
import { DeltaBuilder, decodeDelta, type HitSums } from '#core/hits/delta.ts';
import { encodeHit } from '#core/hits/hit.ts';
import { hitLimits } from '#core/hits/limits.ts';
import { keptTable } from '#geo/keep.ts';
import { IpTable } from '#geo/table.ts';
import { type Kernel, kernelRoom } from '#process/kernel.ts';

const now = Date.UTC(2026, 10, 21, 12);
const day = 86_400_000;
const path = await keptTable(() => {});
const { bytes: room, kernelOf } = kernelRoom((await stat(path)).size);
const file = await open(path);
await file.read(room, 0, room.length, 0);
await file.close();
const table = new IpTable(room);
const kernel = kernelOf(table) as Kernel;
const range = { shard: 's', previous: '0', last: '1' };

/** The result of a batch: its delta, and the lines that were passed on. */
function outcome(sums: HitSums, records: Uint8Array[], arrivedAt: number) {
  const handed: unknown[] = [];
  for (const data of records) {
    sums.read(data, arrivedAt, {
      other: (line, number) => handed.push([line, number]),
      bad: (text, number, reason) => handed.push([text, number, reason]),
    });
    handed.push(sums.promptHits);
  }
  sums.close();
  sums.count('quarantined', 3);
  return { handed, bytes: Buffer.from(sums.encode(range)) };
}

function same(records: Uint8Array[], arrivedAt = now): void {
  const quick = kernel.begin(records.reduce((sum, { length }) => sum + length, 0)) as HitSums;
  const expected = outcome(new DeltaBuilder(table), records, arrivedAt);
  const found = outcome(quick, records, arrivedAt);
  assert.deepEqual(found.handed, expected.handed);
  if (found.bytes.equals(expected.bytes)) return;
  assert.deepEqual(decodeDelta(found.bytes), decodeDelta(expected.bytes));
  assert.fail('the deltas differ');
}

const encoder = new TextEncoder();
const lines = (hits: HitLine[]) => encoder.encode(hits.map(encodeHit).join('\n'));
const v4 = (number: number) => [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.');

const word = fc.oneof(fc.nat(0xffff), fc.constantFrom(0, 0, 1, 0xffff));
const groups = fc.tuple(fc.oneof(fc.integer({ min: 0x2000, max: 0x2fff }), word), ...Array(7).fill(word));
const v6 = groups.map((words) => (words as number[]).map((word) => word.toString(16)).join(':'));
const shortV6 = v6.map((text) => text.replace(/(^|:)0(:0)*(:|$)/, '::'));
const address = fc.oneof(
  { weight: 4, arbitrary: fc.nat(0xffffffff).map(v4) },
  { weight: 2, arbitrary: v6 },
  { weight: 2, arbitrary: shortV6 },
  fc.ipV6(),
  fc.nat(0xffffffff).map((number) => `::ffff:${v4(number)}`),
  fc
    .tuple(shortV6, fc.nat(0xffffffff))
    .map(([text, number]) => `${text.split(':').slice(0, 6).join(':')}:${v4(number)}`),
  fc.constantFrom(
    '',
    '1.2.3',
    '256.1.1.1',
    '1.2.3.4.',
    '01.2.3.4',
    '::',
    ':',
    ':::',
    '1::2::3',
    '::1',
    '1:',
    '1::',
    'FE80::A',
  ),
  fc.string({ unit: fc.constantFrom(...'0123456789abcdefABG.:'), maxLength: 48 }),
  fc.string({ maxLength: 60 }),
);
const label = fc.stringMatching(/^[a-z0-9_]([a-z0-9_-]{0,20}[a-z0-9_])?$/);
const domain = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('a.example', 'b.example', 'other', 'portal-7.customer.example', 'a') },
  fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => labels.join('.')),
  fc.integer({ min: 1, max: 253 }).map((length) => 'a234567890.'.repeat(24).slice(0, length)),
  fc.constantFrom(
    'bücher.example',
    '[2001:db8::1]',
    `${'a'.repeat(63)}.example`,
    `${'a'.repeat(64)}.example`,
    '-a',
    'a-.b',
  ),
);
const anyHit: fc.Arbitrary<HitLine> = fc
  .record({
    time: fc.oneof(
      fc.constantFrom(
        now,
        now - 1,
        now - day,
        now - day - 1,
        now - 400 * day,
        now + 300_000,
        now + 300_001,
        0,
        1,
        1.5,
        1e15 - 1,
        1e15,
      ),
      fc.nat(2 ** 31 - 1),
    ),
    address,
    domain,
    action: fc.oneof(
      fc.constantFrom('view', 'login', 'other', '"', 'log in'),
      fc.string({ minLength: 1, maxLength: 66 }),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 9 }),
    ),
    id: fc.option(fc.oneof(fc.string({ minLength: 1, maxLength: 130 }), fc.constantFrom('x', 'y'))),
  })
  .map(({ id, ...rest }) => ({ type: 'hit', ...rest, ...(id === null ? {} : { id }) }));

test('batches of any hits give the same bytes as the reference', () => {
  fc.assert(
    fc.property(fc.array(fc.array(anyHit, { maxLength: 40, size: 'max' }), { maxLength: 4 }), (records) =>
      same(records.map(lines)),
    ),
    { seed: 1, numRuns: 1500 },
  );
});

const odd = [
  ...'"\\{}[]:,.-0eE19 \n\r\t\0az',
  'ü',
  '"}',
  '\n{',
  '\n\n',
  ',"id":"x"',
  '{"type":"rejected"}',
  '-0',
  '00',
].map((text) => Array.from(encoder.encode(text)));
const edit = fc.record({
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  cut: fc.nat(3),
  put: fc.oneof(fc.constant([]), fc.constantFrom(...odd), fc.array(fc.nat(255), { maxLength: 3 })),
});

test('lines with any byte changed give the same bytes as the reference', () => {
  fc.assert(
    fc.property(fc.array(anyHit, { minLength: 1, maxLength: 6 }), fc.array(edit, { maxLength: 5 }), (hits, edits) => {
      const data = Array.from(lines(hits));
      for (const { at, cut, put } of edits) data.splice(Math.floor(at * data.length), cut, ...put);
      same([Uint8Array.from(data), lines(hits.slice(0, 1))]);
    }),
    { seed: 2, numRuns: 3000 },
  );
});

test('any byte at any position, and an end at any position, give the same bytes as the reference', () => {
  const hit = { type: 'hit', time: now, address: '203.0.113.7', domain: 'a-b.c', action: 'view', id: 'i' } as const;
  const data = lines([hit]);
  for (let at = 0; at <= data.length; at++) {
    same([data, data.subarray(0, at), new Uint8Array([...data.subarray(0, at), 10, ...data])]);
    if (at < data.length)
      same(
        Array.from({ length: 256 }, (_, byte) => {
          const other = data.slice();
          other[at] = byte;
          return other;
        }),
      );
  }
});

test('texts of every length are read as the reference reads them', () => {
  const hit = (more: Partial<HitLine>): HitLine => ({
    ...{ type: 'hit', time: now, address: '8.8.8.8', domain: 'a.example', action: 'view' },
    ...more,
  });
  const ofLength = (length: number) => 'a234567890.'.repeat(30).slice(0, length);
  for (let length = 0; length < 260; length++) {
    const text = ofLength(length);
    same([lines([hit({ domain: text }), hit({ action: text }), hit({ id: text }), hit({ address: text })])]);
  }
});

test('more hits than fit into a block, many domains, days and countries give the same bytes as the reference', () => {
  const random = Array.from({ length: 40_000 }, (_, index) => Math.imul(index + 1, 0x9e3779b1) >>> 0);
  const hits: HitLine[] = random.map((number, index) => ({
    ...{ type: 'hit', time: now - (number % 500) * 3_600_000, address: v4(Math.imul(number, 2_654_435_769) >>> 0) },
    ...{ domain: `d${number % 9000}.example`, action: `a${index % 777}` },
    ...(index % 7 === 0 ? { id: `${index % 5000}` } : {}),
  }));
  for (let from = 0; from < hits.length; from += 13_000)
    same([lines(hits.slice(from, from + 6500)), lines(hits.slice(from + 6500, from + 13_000))]);
});

test('hits of the first domain or action beyond the limit are counted as other, as by the reference', () => {
  const { domainsPerBatch } = hitLimits;
  const hits: HitLine[] = Array.from({ length: domainsPerBatch + 300 }, (_, index) => ({
    ...{ type: 'hit', time: now - (index % 3 === 0 ? day : 0), address: '8.8.8.8' },
    ...{ domain: `d${index % (domainsPerBatch + 200)}`, action: `a${index}` },
  }));
  const records = [];
  for (let from = 0; from < hits.length; from += 1000) records.push(lines(hits.slice(from, from + 1000)));
  same(records);
});

test('a tie in time is broken by latitude, longitude and country, as by the reference', () => {
  const hits: HitLine[] = Array.from({ length: 3000 }, (_, index) => ({
    ...{ type: 'hit', time: now, address: v4(Math.imul(index + 1, 0x9e3779b1) >>> 0) },
    ...{ domain: `d${index % 3}`, action: 'view' },
  }));
  same([lines(hits)]);
  same([lines(hits.toReversed())]);
});

test('the kernel takes no second batch at once, and none that is too large', () => {
  const first = kernel.begin(100) as HitSums;
  assert.equal(kernel.begin(100), undefined);
  first.close();
  first.close();
  const second = kernel.begin(100) as HitSums;
  assert.ok(second);
  second.close();
  assert.equal(kernel.begin(9_000_000), undefined);
});

test('without SIMD the reference reads, which is reported once', () => {
  const told: string[] = [];
  // A module with an unknown section, as SIMD looks to an old platform.
  const wasm = Buffer.from([0, 0x61, 0x73, 0x6d, 9, 0, 0, 0]).toString('base64');
  const { bytes, kernelOf } = kernelRoom(64, { wasm, report: (text) => told.push(text) });
  assert.equal(bytes.length, 64);
  assert.equal(kernelOf(table), undefined);
  assert.equal(told.length, 1);
  assert.match(told[0], /SIMD/);
});
