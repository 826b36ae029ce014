import assert from 'node:assert/strict';
import { test } from 'node:test';
import { domainToASCII, domainToUnicode } from 'node:url';
import fc from 'fast-check';
import { canonicalDomain, domainMatcher } from '#core/hits/domain.ts';

for (const [text, canonical] of [
  ['portal.example', 'portal.example'],
  ['Portal.EXAMPLE', 'portal.example'],
  ['portal.example.', 'portal.example'],
  ['portal.example:8443', 'portal.example'],
  ['portal.example:', 'portal.example'],
  ['localhost:3000', 'localhost'],
  ['a_b.example', 'a_b.example'],
  ['1.portal', '1.portal'],
  // Unicode: the same name composed, decomposed, in full-width characters, with other dots, and in ASCII.
  ['müller.example', 'xn--mller-kva.example'],
  ['mu\u0308ller.example', 'xn--mller-kva.example'],
  ['MÜLLER.example', 'xn--mller-kva.example'],
  ['XN--MLLER-KVA.example', 'xn--mller-kva.example'],
  ['ｐｏｒｔａｌ．example', 'portal.example'],
  ['portal。example', 'portal.example'],
  // Non-transitional: the German sharp s and the final sigma stay distinct letters.
  ['straße.example', 'xn--strae-oqa.example'],
  ['strasse.example', 'strasse.example'],
  ['βόλος.example', 'xn--nxasmm1c.example'],
  ['例え.テスト', 'xn--r8jz45g.xn--zckzah'],
  // IP addresses in any notation.
  ['192.0.2.1', '192.0.2.1'],
  ['192.0.2.1:80', '192.0.2.1'],
  ['192.0.2.1.', '192.0.2.1'],
  ['0xc0.0.2.1', '192.0.2.1'],
  ['3221225985', '192.0.2.1'],
  ['[2001:DB8::1]', '[2001:db8::1]'],
  ['[2001:db8:0:0:0:0:0:1]:8443', '[2001:db8::1]'],
  ['2001:db8::1', '[2001:db8::1]'],
  ['::1', '[::1]'],
  ['::ffff:192.0.2.1', '[::ffff:c000:201]'],
] as const)
  test(`${text} is ${canonical}`, () => {
    assert.equal(canonicalDomain(text), canonical);
    assert.equal(canonicalDomain(canonical), canonical);
  });

for (const text of [
  ...['', '.', '..', 'a..b', '.a', 'a b', 'a\tb', 'a\nb', 'a/b', 'https://portal.example', 'user@portal.example'],
  ...['a?b', 'a#b', 'a%41', 'a%2eb', 'a\\b', '-a.example', 'a-.example', `${'a'.repeat(64)}.example`, 'xn--'],
  ...[`${'a.'.repeat(130)}example`, `${'ü'.repeat(60)}.example`, '256.0.0.1', '1.2.3.4.5', '[::1', '::1]', '[1:2:3]'],
  ...['a:b', 'a:123456', ':80', '1::2::3', '\u202eexample', 'a\u0000b', 'a<b', 'a"b', 'a^b'],
])
  test(`${JSON.stringify(text.slice(0, 40))} is not a domain`, () => assert.equal(canonicalDomain(text), undefined));

const letters = fc.constantFrom(...'aAzZ09-_üÜßẞςσΣéÉе́ｅ．。.ıİİǅ㎏ﬁ例え한글उ\u0308\u200d\u200c');
const host = fc.string({ unit: letters, minLength: 1, maxLength: 40, size: 'max' });

/** The name as Node's UTS 46 implementation maps it, if the result is a host name. */
const byNode = (text: string) => domainToASCII(text).replace(/\.$/, '');

test('two names are the same domain exactly when UTS 46 maps them alike', () => {
  let equal = 0;
  fc.assert(
    fc.property(host, host, fc.boolean(), (one, other, same) => {
      const second = same ? domainToUnicode(domainToASCII(one)).toUpperCase() || one : other;
      const [a, b] = [canonicalDomain(one), canonicalDomain(second)];
      if (a === undefined || b === undefined) return;
      if (a === b) equal++;
      assert.equal(a === b, byNode(one) === byNode(second), `${one} ${second}`);
    }),
    { numRuns: 20_000 },
  );
  assert.ok(equal > 1000, `${equal} pairs were equal`);
});

test('the normalised name is stable, ASCII, and the one that Node gives', () => {
  fc.assert(
    fc.property(host, (text) => {
      const canonical = canonicalDomain(text);
      if (canonical === undefined) return;
      assert.match(canonical, /^[a-z0-9._-]+$|^\[[0-9a-f:]+\]$/);
      assert.equal(canonicalDomain(canonical), canonical);
      assert.equal(canonical, byNode(text));
    }),
    { numRuns: 20_000 },
  );
});

test('any text is accepted or refused without throwing', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 2000, size: 'max' }), (text) => {
      canonicalDomain(text);
    }),
    { numRuns: 2000 },
  );
});

test('only a plain ASCII host name skips UTS 46', () => {
  const label = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/;
  const plain = /^(?!.*(?:^|\.)xn--)[a-z0-9_.-]*[a-z_-][a-z0-9_-]*$/;
  const part = fc.oneof(
    fc.string({ unit: fc.constantFrom(...'ab019-_'), maxLength: 8 }),
    fc.constantFrom('xn--', 'xn-a', 'xn--ls8h', 'axn--b', 'a'.repeat(63), 'a'.repeat(64), '-', '7', ''),
  );
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), (parts) => {
      const text = parts.join('.');
      if (!plain.test(text)) return;
      const isHost = text.length <= 253 && text.split('.').every((one) => label.test(one));
      assert.equal(canonicalDomain(text), isHost ? text : undefined);
    }),
    { numRuns: 20_000, seed: 20 },
  );
});

test('a pattern is read as people spell it', () => {
  for (const [pattern, fitting, others] of [
    ['portal.example', ['portal.example'], ['a.portal.example', 'portal.example.org', 'portalxexample']],
    ['Portal.Example.', ['portal.example'], ['a.portal.example']],
    ['portal.example:8443', ['portal.example'], []],
    ['müller.example', ['xn--mller-kva.example'], ['mller.example']],
    ['*.Müller.example', ['a.xn--mller-kva.example', 'a.b.xn--mller-kva.example'], ['xn--mller-kva.example']],
    ['*.example.com', ['a.example.com', 'a.b.example.com'], ['example.com', 'aexample.com', 'a.example.com.org']],
    ['shop-*.*', ['shop-1.example', 'shop-.x'], ['shop-1', 'ashop-1.example']],
    ['10.0.*', ['10.0.0.1'], ['110.0.0.1', '10.1.0.1']],
    ['[2001:DB8::1]', ['[2001:db8::1]'], ['[2001:db8::2]']],
    ['*', ['a', 'portal.example'], []],
  ] as const) {
    const matches = domainMatcher(pattern);
    for (const domain of fitting) assert.ok(matches(domain), `${pattern} fits ${domain}`);
    for (const domain of others) assert.ok(!matches(domain), `${pattern} does not fit ${domain}`);
  }
});
