import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hashBytes } from '#core/bytes/names.ts';
import type { HitLine } from '#core/event.ts';
import { encodeHit, parseLines, readLines, validateHit } from '#core/hits/hit.ts';

type Outcome = { hit: HitLine } | { other: unknown; number: number } | { bad: string; number: number; reason: string };

function outcomes(data: Uint8Array): Outcome[] {
  const found: Outcome[] = [];
  readLines(data, {
    hit(view) {
      // Sums are keyed by these hashes: a wrong one would split a domain in two.
      assert.equal(view.domainHash, hashBytes(view.view, view.domainStart, view.domainEnd));
      assert.equal(view.actionHash, hashBytes(view.view, view.actionStart, view.actionEnd));
      found.push({ hit: view.line() });
    },
    other: (other, number) => found.push({ other, number }),
    bad: (bad, number, reason) => found.push({ bad, number, reason }),
  });
  return found;
}

/** The same data with a space before each line, which JSON.parse does not mind and the fast path does not take. */
function spaced(data: Uint8Array): Uint8Array {
  const bytes: number[] = [];
  for (let at = 0, start = true; at < data.length; at++) {
    if (start && data[at] !== 10) bytes.push(32);
    start = data[at] === 10;
    bytes.push(data[at]);
  }
  return Uint8Array.from(bytes);
}

function sameAsSlow(data: Uint8Array): void {
  const slow = outcomes(spaced(data)).map((found) => ('bad' in found ? { ...found, bad: found.bad.slice(1) } : found));
  assert.deepEqual(outcomes(data), slow);
}

const hit: HitLine = {
  type: 'hit',
  time: 1_763_712_000_000,
  address: '203.0.113.7',
  domain: 'a.example',
  action: 'view',
};
const bytes = (text: string) => new TextEncoder().encode(text);

const label = fc.stringMatching(/^[a-z0-9_]([a-z0-9_-]{0,20}[a-z0-9_])?$/);
const anyHit = fc.record(
  {
    type: fc.constant('hit' as const),
    time: fc.oneof(fc.nat(), fc.integer({ min: 0, max: 8.64e15 - 1 }), fc.double({ min: 0, max: 1e13, noNaN: true })),
    address: fc.oneof(fc.ipV4(), fc.ipV6(), fc.constant('')),
    domain: fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.')),
    action: fc.oneof(
      fc.constant('view'),
      fc.string({ minLength: 1, maxLength: 64 }),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 9 }),
    ),
    id: fc.string({ minLength: 1, maxLength: 128 }),
  },
  { requiredKeys: ['type', 'time', 'address', 'domain', 'action'] },
);

test('an encoded hit is read back unchanged', () => {
  fc.assert(
    fc.property(fc.array(anyHit, { maxLength: 5 }), (hits) => {
      const expected = hits.map((hit) => ({ hit: JSON.parse(encodeHit(hit)) }));
      assert.deepEqual(outcomes(bytes(hits.map(encodeHit).join('\n'))), expected);
    }),
    { seed: 4, numRuns: 1000 },
  );
});

test('keys in any order, spaces and escapes are read as JSON.parse reads them', () => {
  fc.assert(
    fc.property(anyHit, fc.nat(), (hit, turn) => {
      const entries = Object.entries(hit);
      const turned = Object.fromEntries([...entries.slice(turn % 5), ...entries.slice(0, turn % 5)]);
      const escaped = (JSON.stringify(turned, null, ' ') as string)
        .replaceAll('\n', ' ')
        .replaceAll('view', '\\u0076iew');
      assert.deepEqual(outcomes(bytes(escaped)), [{ hit: JSON.parse(escaped) }]);
    }),
    { seed: 5, numRuns: 1000 },
  );
});

const alphabet = [...'"\\{}[]:,.-0eE19 \n\r\t\0az', 'ü', '\u2028', '"}', '\n{', ',"id":"x"', '1e3', '-0', '00'].map(
  (text) => Array.from(bytes(text)),
);
const edit = fc.record({
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  cut: fc.nat(3),
  put: fc.oneof(fc.constant([]), fc.constantFrom(...alphabet), fc.array(fc.nat(255), { maxLength: 3 })),
});

test('lines with any byte mutated are read as JSON.parse reads them, and parsing terminates', {
  timeout: 60_000,
}, () => {
  fc.assert(
    fc.property(fc.array(anyHit, { minLength: 1, maxLength: 3 }), fc.array(edit, { maxLength: 4 }), (hits, edits) => {
      const data = Array.from(bytes(hits.map(encodeHit).join('\n')));
      for (const { at, cut, put } of edits) data.splice(Math.floor(at * data.length), cut, ...put);
      sameAsSlow(Uint8Array.from(data));
    }),
    { seed: 6, numRuns: 5000 },
  );
});

test('a line cut off anywhere is read as JSON.parse reads it', () => {
  const data = bytes(encodeHit({ ...hit, id: 'i' }));
  for (let length = 0; length <= data.length; length++) {
    sameAsSlow(data.subarray(0, length));
    sameAsSlow(new Uint8Array([...data.subarray(0, length), 10, ...data]));
  }
});

test('a line with any byte at any position is read as JSON.parse reads it', () => {
  const data = bytes(encodeHit({ ...hit, domain: 'a-b.c', id: 'i' }));
  for (let at = 0; at < data.length; at++)
    for (let byte = 0; byte < 256; byte++) {
      const other = data.slice();
      other[at] = byte;
      sameAsSlow(other);
    }
});

test('a line that is not a valid hit is quarantined with a reason', () => {
  const wrong: [Partial<Record<keyof HitLine, unknown>>, RegExp][] = [
    [{ time: '2026' }, /time/],
    [{ time: -1 }, /time/],
    [{ time: 8.64e15 }, /time/],
    [{ address: 4 }, /address/],
    [{ domain: 'A.example' }, /domain/],
    [{ domain: 'a..example' }, /domain/],
    [{ domain: '-a.example' }, /domain/],
    [{ domain: `${'a'.repeat(64)}.example` }, /domain/],
    [{ domain: `${'a.'.repeat(127)}` }, /domain/],
    [{ action: '' }, /action/],
    [{ action: 'a'.repeat(65) }, /action/],
    [{ id: '' }, /id/],
    [{ id: 7 }, /id/],
    [{ id: 'a'.repeat(129) }, /id/],
    [{ type: 'visit' }, /type is /],
  ];
  for (const [change, reason] of wrong) {
    const text = JSON.stringify({ ...hit, ...change });
    const [found] = outcomes(bytes(`${encodeHit(hit)}\n${text}`)).slice(1);
    assert.ok('bad' in found, text);
    assert.match(found.reason, reason);
    assert.equal(found.number, 1);
    assert.equal(found.bad, text);
  }
});

test('lines of other types are passed on parsed, with their line number', () => {
  const found: unknown[] = [];
  parseLines(bytes(`\n${encodeHit(hit)}\n{"type":"registry","event":{}}\nnull\n{`), {
    hit: (hit) => found.push(hit),
    other: (line, number) => found.push(line, number),
    bad: (text, number) => found.push(text, number),
  });
  assert.deepEqual(found, [hit, { type: 'registry', event: {} }, 2, 'null', 3, '{', 4]);
});

test('the error names the wrong field, its value and what it must be', () => {
  const check = (value: unknown) => validateHit(value, { address: '203.0.113.7', now: 5 });
  assert.deepEqual(check({ domain: 'Portal.Example.' }), { ...hit, time: 5, domain: 'portal.example' });
  assert.deepEqual(check({ domain: 'हिन्दी.example', time: '1970-01-01T00:00:01Z', id: 'x' }), {
    ...hit,
    time: 1000,
    domain: 'xn--j2bd4cyah0f.example',
    id: 'x',
  });
  const reasons: [unknown, RegExp][] = [
    ['portal.example', /an object/],
    [{}, /domain is missing/],
    [{ domain: 'https://portal.example' }, /domain is "https:\/\/portal.example": must be a host name/],
    [{ domain: 'a.example', time: 'soon' }, /time is "soon": must be an RFC 3339 time/],
    ...[-1, -0.5, 8.64e15, 1e300, Number.NaN, null, true, {}, '', '1969-12-31T23:59:59Z'].map(
      (time): [unknown, RegExp] => [{ domain: 'a.example', time }, /^time is .*: must be an RFC 3339 time/],
    ),
    ...['', 'a'.repeat(65), 7, null].map((action): [unknown, RegExp] => [
      { domain: 'a.example', action },
      /^action is .*1 to 64 characters/,
    ]),
    ...['', 'a'.repeat(129), 7, null].map((id): [unknown, RegExp] => [
      { domain: 'a.example', id },
      /^id is .*1 to 128 characters/,
    ]),
    ...['a'.repeat(2049), 7, null].map((path): [unknown, RegExp] => [
      { domain: 'a.example', path },
      /^path is .*at most 2048 characters/,
    ]),
    ...[null, [], 7].map((value): [unknown, RegExp] => [value, /an object/]),
  ];
  const most = { action: 'a'.repeat(64), id: 'a'.repeat(128), path: 'a'.repeat(2048) };
  for (const time of [0, 8.64e15 - 1])
    assert.ok(!('reason' in check({ domain: 'a.example', time, ...most })), 'at its limits each is taken');
  for (const [value, reason] of reasons) {
    const read = check(value);
    assert.ok('reason' in read);
    assert.match(read.reason, reason);
  }
});

test('a line is encoded as JSON.stringify encodes it', () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc.constantFrom('"', '\\', '\u2028', '\ud800', '\x7f', '\0'),
  );
  fc.assert(
    fc.property(
      fc.nat(),
      text,
      text,
      text,
      fc.option(text, { nil: undefined }),
      (time, address, domain, action, id) => {
        const line = encodeHit({ type: 'hit', time, address, domain, action, id });
        assert.equal(line, JSON.stringify({ type: 'hit', time, address, domain, action, id }));
      },
    ),
    { numRuns: 2000, seed: 20 },
  );
});
