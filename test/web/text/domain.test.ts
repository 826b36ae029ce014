import assert from 'node:assert/strict';
import { test } from 'node:test';
import { domainToASCII } from 'node:url';
import fc from 'fast-check';
import { shownDomain } from '../../../web/text/domain.ts';

for (const name of [
  'portal.example',
  'müller.example',
  'straße.example',
  '例え.テスト',
  'スーパー.example',
  'toyota車.example',
  '한국어.example',
  'россия.рф',
  'ελλάδα.example',
  'हिन्दी.example',
  'مثال.example',
  'ไทย.example',
  '192.0.2.1',
])
  test(`${name} is shown as it is`, () => assert.equal(shownDomain(domainToASCII(name)), name));

for (const [what, name] of [
  ['a Cyrillic а among Latin letters', 'pаypal.example'],
  ['a Latin name in Cyrillic letters alone', 'аррӏе.example'],
  ['Greek letters that pass for Latin', 'νικη.example'],
  ['Latin and Greek in one label', 'omegaΩ.example'],
  ['an Arabic digit in Latin', 'a١.example'],
  ['a symbol', '☃.example'],
  ['a combining mark with nothing below it', `\u0301a.example`],
] as const)
  test(`${what} stays in ASCII`, () => {
    const ascii = domainToASCII(name);
    assert.equal(shownDomain(ascii), ascii || '');
  });

test('only the suspicious label stays in ASCII', () =>
  assert.equal(shownDomain(domainToASCII('müller.pаypal.example')), `müller.${domainToASCII('pаypal.example')}`));

test('the displayed form leads to the same domain, whatever the label', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 30 }), (text) => {
      const ascii = domainToASCII(text);
      assert.equal(domainToASCII(shownDomain(ascii)), ascii);
    }),
    { numRuns: 5000 },
  );
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'abcxyz0129-'), maxLength: 30 }), (text) => {
      shownDomain(`xn--${text}.example`);
    }),
    { numRuns: 5000 },
  );
});
