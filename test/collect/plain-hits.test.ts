import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readHits } from '#collect/hits.ts';
import { readPlainHits } from '#collect/plain-hits.ts';
import { packLines } from '#core/bytes/pack.ts';

const now = Date.UTC(2026, 10, 21, 12);
const isOwn = (domain: string) => !domain.startsWith('x');

/** Checks that whatever the quick path accepts, readHits reads alike; returns whether the quick path accepted it. */
function same(body: string | Uint8Array, address = '198.51.100.7', own?: typeof isOwn): boolean {
  const bytes = Buffer.from(body);
  const plain = readPlainHits(bytes, address, now, own);
  if (!plain) return false;
  const { lines, ignored } = readHits(bytes.toString('utf8'), address, now, own);
  const [data, ...more] = packLines(lines);
  assert.deepEqual(more, []);
  assert.equal(plain.data?.toString(), data && Buffer.from(data).toString());
  assert.deepEqual([plain.taken, plain.ignored], [lines.length, ignored]);
  return true;
}

const host = fc.oneof(
  { weight: 20, arbitrary: fc.stringMatching(/^[a-z0-9_]{1,9}(\.[a-z][a-z0-9]{0,9}){1,3}$/) },
  { weight: 5, arbitrary: fc.stringMatching(/^[a-z0-9_-]{1,9}(\.[a-z0-9-]{1,9}){0,3}$/) },
  fc.constantFrom(
    'portal.example',
    'xn--a.example',
    'a.xn--b',
    'xna-b',
    '1.2.3.4',
    'a.1',
    'a..b',
    '.a',
    'a.',
    '-a',
    'a-',
  ),
  fc.constantFrom(
    'a'.repeat(63),
    'a'.repeat(64),
    `${'a.'.repeat(126)}a`,
    `${'a.'.repeat(127)}a`,
    'A.example',
    'é.de',
    '',
  ),
);
const text = (most: number) =>
  fc.oneof(
    { weight: 20, arbitrary: fc.stringMatching(/^[a-z /.?=-]{1,12}$/) },
    fc.string({ maxLength: 9 }),
    fc.constantFrom(
      'a'.repeat(most),
      'a'.repeat(most + 1),
      '10.0.0.1',
      'a:b',
      '%3a',
      '&#58;',
      '\\u0041',
      'é',
      '"',
      '\u007f',
    ),
  );
const hit = fc.record(
  {
    domain: host,
    action: text(64),
    id: text(128),
    path: text(2048),
    time: fc.constantFrom(undefined, undefined, undefined, undefined, now, 0, 'x'),
  },
  { requiredKeys: ['domain'] },
);

test('hits that the quick path accepts are the ones that readHits reads', () => {
  let taken = 0;
  fc.assert(
    fc.property(
      fc.oneof(hit, fc.array(hit, { maxLength: 4 })),
      fc.constantFrom('198.51.100.7', '2001:db8::7', '', 'unknown'),
      fc.boolean(),
      fc.boolean(),
      (hits, address, ours, turned) => {
        const turn = (one: object) => Object.fromEntries(Object.entries(one).reverse());
        const body = turned ? (Array.isArray(hits) ? hits.map(turn) : turn(hits)) : hits;
        if (same(JSON.stringify(body), address, ours ? isOwn : undefined)) taken++;
      },
    ),
    { seed: 7, numRuns: 4000 },
  );
  assert.ok(taken > 400, `${taken} only`);
});

test('a body with a byte changed, removed or doubled is read alike by both paths', () => {
  const body = Buffer.from(
    JSON.stringify([
      { domain: 'portal.example', action: 'open', path: '/a', id: '17900000000000.25' },
      { domain: 'shop.portal.example' },
    ]),
  );
  fc.assert(
    fc.property(
      fc.nat(body.length - 1),
      fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('"\\,:{}[] .-0ax'))),
      fc.nat(2),
      (at, byte, way) => {
        const edited = [...body];
        edited.splice(at, way === 0 ? 1 : way === 1 ? 0 : 1, ...(way === 2 ? [] : [byte]));
        try {
          same(Uint8Array.from(edited));
        } catch (cause) {
          assert.fail(`${Buffer.from(edited)}: ${cause}`);
        }
      },
    ),
    { seed: 9, numRuns: 5000 },
  );
});

test('bodies of the beacon and of back ends take the quick path', () => {
  const beacon = { domain: 'portal.example', action: 'view', path: '/team/app', id: '17900000000000.123456' };
  for (const body of [beacon, [beacon, beacon], { domain: 'a-1.example' }, { action: 'log in', domain: 'localhost' }])
    assert.ok(same(JSON.stringify(body)), JSON.stringify(body));
  assert.ok(same(JSON.stringify([beacon, { domain: 'x.example' }]), '::1', isOwn));
  assert.ok(same(JSON.stringify([{ domain: 'x.example' }]), '::1', isOwn));
});

test('a request with as many hits as it may have domains takes the quick path; one with more hits, or that fills a record, does not', () => {
  const many = (count: number, extra: object = {}) =>
    JSON.stringify(Array.from({ length: count }, (_, n) => ({ domain: `p${n}.example`, ...extra })));
  assert.ok(same(many(1000)));
  assert.ok(!same(many(1001)));
  assert.ok(!same(many(1000, { domain: 'x.example' }).replace(']', `,${many(1).slice(1)}`), '', isOwn));
  assert.ok(!same(many(1000, { path: 'a'.repeat(300) })));
  assert.ok(!same(many(950, { id: 'a'.repeat(128), domain: `${'a.'.repeat(100)}example` })));
});

test('a domain with a label that may be Punycode takes the other path; one whose label only looks like it does not', () => {
  for (const domain of ['xn--a.example', 'a.xn--b', 'a.xn--b.example', 'xn--']) {
    const bytes = Buffer.from(JSON.stringify({ domain }));
    assert.equal(readPlainHits(bytes, '', now, undefined), undefined, domain);
  }
  for (const domain of ['axn--b.example', 'yn--a.example', 'xm--a.example', 'a-xn--b.example'])
    assert.ok(same(JSON.stringify({ domain })), domain);
});
