import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { withoutAddresses } from '#core/addresses.ts';

const byte = fc.integer({ min: 0, max: 255 });
const four = fc.tuple(fc.integer({ min: 1, max: 223 }), byte, byte, byte);
const sum = (bytes: number[]) => bytes.reduce((value, part) => value * 256 + part, 0);
const dotted = (bytes: number[], part: (value: number) => string) => bytes.map(part).join('.');

/** An IPv4 address in the notations of inet_aton, browsers, logs and host names. */
const v4Notations: ((bytes: number[]) => string)[] = [
  (bytes) => dotted(bytes, String),
  (bytes) => dotted(bytes, (part) => `0x${part.toString(16)}`),
  (bytes) => dotted(bytes, (part) => `0X${part.toString(16).toUpperCase().padStart(2, '0')}`),
  (bytes) => dotted(bytes, (part) => `0${part.toString(8).padStart(3, '0')}`),
  (bytes) => dotted(bytes, (part) => String(part).padStart(3, '0')),
  (bytes) => String(sum(bytes)),
  (bytes) => `0x${sum(bytes).toString(16).padStart(8, '0')}`,
  (bytes) => `0${sum(bytes).toString(8).padStart(10, '0')}`,
  (bytes) => bytes.join('-'),
  (bytes) => `ec2-${bytes.join('-')}.compute.example`,
  (bytes) => `ip_${bytes.join('_')}`,
  (bytes) => `${[...bytes].reverse().join('.')}.in-addr.arpa`,
  (bytes) => `::ffff:${bytes.join('.')}`,
  (bytes) => `64:ff9b::${bytes.join('.')}`,
];
const group = fc.integer({ min: 0, max: 0xffff });
const eight = fc.tuple(fc.constant(0x2001), group, group, group, group, group, group, group);
const v6Notations: ((groups: number[]) => string)[] = [
  (groups) => groups.map((part) => part.toString(16)).join(':'),
  (groups) =>
    groups
      .map((part) => part.toString(16).padStart(4, '0'))
      .join(':')
      .toUpperCase(),
  (groups) =>
    `${groups
      .slice(0, 3)
      .map((part) => part.toString(16))
      .join(':')}::${groups[7].toString(16)}`,
  (groups) => `[${groups.map((part) => part.toString(16)).join(':')}]:443`,
  (groups) => `${groups.map((part) => part.toString(16)).join(':')}%eth0`,
  (groups) => `${groups.map((part) => part.toString(16)).join('-')}.dynamic.example`,
  (groups) => `${groups[0].toString(16)}--${groups[7].toString(16)}s4.ipv6-literal.net`,
  (groups) => {
    const digits = groups.map((part) => part.toString(16).padStart(4, '0')).join('');
    return `${[...digits].reverse().join('.')}.ip6.arpa`;
  },
];
const hex2 = (code: number) => code.toString(16).padStart(2, '0');
const wide = (text: string) => text.replace(/[!-~]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 0xfee0));
const inBytes = (text: string, each: (hex: string) => string) =>
  [...new TextEncoder().encode(text)].map((byte) => each(hex2(byte))).join('');
/** Ways to encode an address in a text. */
const spellings: ((text: string) => string)[] = [
  (text) => text,
  (text) => text.replace(/[0-9a-z.:]/gi, (letter) => `%${hex2(letter.charCodeAt(0))}`),
  (text) => text.replace(/[0-9.:]/g, (letter) => `%25${hex2(letter.charCodeAt(0)).toUpperCase()}`),
  (text) => text.replace(/[.:]/g, (letter) => `%${hex2(letter.charCodeAt(0)).toUpperCase()}`),
  wide,
  (text) => inBytes(wide(text), (hex) => `%${hex}`),
  (text) => inBytes(wide(text), (hex) => `%25${hex}`),
  (text) => inBytes(wide(text), (hex) => `\\x${hex}`),
  (text) => text.replaceAll('.', '%c0%ae').replaceAll(':', '%e0%80%ba'),
  (text) => text.replace(/[.:]/g, (letter) => `%u00${hex2(letter.charCodeAt(0))}`),
  (text) => text.replace(/[.:]/g, (letter) => `\\u{${hex2(letter.charCodeAt(0))}}`),
  (text) => text.replace(/[0-9.:]/g, (letter) => `&#0000000${letter.charCodeAt(0)};`),
  // The digits of five typefaces follow each other.
  (text) => text.replace(/\d/g, (digit) => String.fromCodePoint(0x1d7d8 + Number(digit))),
  (text) => text.replaceAll('.', '\u3002'),
  (text) => text.replace(/[0-9.:]/g, (letter) => `\\u00${hex2(letter.charCodeAt(0))}`),
  (text) => text.replace(/[.:]/g, (letter) => `&#${letter.charCodeAt(0)};`),
  (text) => text.replace(/[.:]/g, (letter) => `&#x${hex2(letter.charCodeAt(0))};`),
  (text) => text.replace(/\d/g, (digit) => String.fromCodePoint(0x660 + Number(digit))),
  (text) => text.replace(/(?<=\d)(?=[.\d])/g, '\u200b'),
];
const around = fc.constantFrom(
  ['', ''],
  ['client ', ' failed'],
  ['http://', '/x'],
  ['"addr":"', '"'],
  ['user=', '&b=1'],
  ['(', ')'],
);

function check(address: string, spell: (text: string) => string, [before, after]: readonly [string, string]) {
  const text = `${before}${spell(address)}${after}`;
  const clean = withoutAddresses(text);
  assert.ok(clean.includes('[address]'), `${text} -> ${clean}`);
  for (const part of [spell(address), address]) assert.ok(!clean.includes(part), `${text} -> ${clean}`);
  assert.ok(clean.startsWith(before) || before === 'user=' || before === 'client ', `${text} -> ${clean}`);
}

test('an IPv4 address is masked in every notation and spelling, whatever surrounds it', () => {
  fc.assert(
    fc.property(
      four,
      fc.constantFrom(...v4Notations),
      fc.constantFrom(...spellings),
      around,
      (bytes, notation, spell, place) => check(notation(bytes), spell, place),
    ),
    { seed: 16, numRuns: 4000 },
  );
});

test('an IPv6 address is masked in every notation and spelling, whatever surrounds it', () => {
  fc.assert(
    fc.property(
      eight,
      fc.constantFrom(...v6Notations),
      fc.constantFrom(...spellings),
      around,
      (groups, notation, spell, place) => check(notation(groups), spell, place),
    ),
    { seed: 16, numRuns: 3000 },
  );
});

test('text without an address stays exactly as it is', () => {
  for (const text of [
    '',
    'view',
    'docker/27.3.1 go/go1.22.7 kernel/6.8.0-45-generic os/linux arch/amd64',
    '{"timestamp":1795262400,"size": 4294967295}',
    '2026-11-29T08:15:00.123456789Z',
    '08:15:00',
    `sha256:${'0123456789abcdef'.repeat(4)}`,
    'registry.example:5000/team/app:v1.2.3',
    '%zz 100% \\u12 &#; &amp; \\x',
    'naïve – „Grüße“ 東京',
    'ada.lovelace-2',
    '3.14159',
    '12:34',
    '550e8400-e29b-41d4-a716-446655440000',
    'export_2026_11_30_12',
    '%e4%b8%ad na%C3%AFve \\xe4\\xb8\\xad',
    'order 1234567',
  ])
    assert.equal(withoutAddresses(text), text);
});

test('in a name, only a whole address is masked', () => {
  for (const name of [
    'arn:aws:sts::111122223333:assumed-role/dev/alice',
    '12345678',
    'v1.2.3.4.5',
    'job-1-2-3-4-5',
    'a::b::c',
    'team-a-b-c-d-e-f-a-b',
    'a.b.c.d.e.f.a.b.c.d.e.f',
    'job_2026_11_30_12',
  ])
    assert.equal(withoutAddresses(name, { strict: true }), name);
  fc.assert(
    fc.property(four, eight, (bytes, groups) => {
      const six = groups.map((part) => part.toString(16)).join(':');
      const typeset = bytes.join('.').replace(/\d/g, (digit) => String.fromCodePoint(0x1d7d8 + Number(digit)));
      for (const address of [
        ...[bytes.join('.'), bytes.join('-'), bytes.join('_'), typeset],
        ...[six, six.replaceAll(':', '-'), `${six.slice(0, 9).replace(/:$/, '')}::1`],
      ]) {
        assert.equal(withoutAddresses(`robot ${address}`, { strict: true }), 'robot [address]');
        assert.equal(withoutAddresses(address, { strict: true }), '[address]');
      }
    }),
    { seed: 16, numRuns: 500 },
  );
});

test('a long text is masked in linear time, whatever is in it', () => {
  for (const piece of [
    '1.',
    '0x',
    '%25',
    '::',
    '1-',
    '\\u',
    '&#',
    '1',
    'a:',
    '%2e1',
    '０．',
    '0.0x1.',
    '-',
    'a-',
    'a.',
    '1_',
    '\\x',
    '%e0%80',
    'a-s',
  ])
    withoutAddresses(piece.repeat(64 * 1024).slice(0, 64 * 1024));
});
