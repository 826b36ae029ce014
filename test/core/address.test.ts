import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { addressRange, canonicalAddress, rangeMatcher } from '#core/address.ts';

const reference = (text: string) => (ipaddr.isValid(text) ? ipaddr.process(text).toString() : undefined);

const byte = fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 10, 127, 255));
const ipv4 = fc.tuple(byte, byte, byte, byte).map((bytes) => bytes.join('.'));
const group = fc.oneof(
  { weight: 3, arbitrary: fc.constant('0') },
  fc.nat(0xffff).map((number) => number.toString(16)),
  fc.constantFrom('ffff', 'FFFF', '00', '0001', 'AbC'),
);
const groups = fc.array(group, { minLength: 1, maxLength: 9 });
const ipv6 = fc.oneof(
  groups.map((all) => all.join(':')),
  fc.tuple(groups, groups).map(([head, tail]) => `${head.join(':')}::${tail.join(':')}`),
  groups.map((tail) => `::${tail.join(':')}`),
  groups.map((head) => `${head.join(':')}::`),
  fc.tuple(fc.constantFrom('::ffff:', '::FFFF:', '::', '64:ff9b::', '::ffff:0:'), ipv4).map((parts) => parts.join('')),
  ipv4.map((text) => `::ffff:${text.split('.').slice(0, 2).join(':')}`),
  fc.constantFrom('::', '::1', 'fe80::1%eth0', '::ffff:0:0', '0:0:0:0:0:0:0:0', '1:0:0:2:0:0:3:4'),
);
const oddIpv4 = fc.constantFrom(
  '0127.0.0.1',
  '1.2.3',
  '1',
  '0x7f.1',
  '256.1.1.1',
  '1.2.3.4.5',
  '1.2.3.',
  '.1.2.3',
  '00.1.2.3',
);
/** An address with a character removed, inserted or changed. */
const mutated = fc
  .tuple(fc.oneof(ipv4, ipv6), fc.nat(40), fc.constantFrom('', '0', ':', '.', 'f', 'g', '%', ' ', '-', '/'), fc.nat(1))
  .map(([text, at, put, take]) => text.slice(0, at) + put + text.slice(at + take));
const spelling = fc.oneof(ipv4, ipv6, oddIpv4, mutated, fc.string());

test('an address is parsed as ipaddr.js parses it', () => {
  fc.assert(
    fc.property(spelling, (text) => {
      const canonical = canonicalAddress(text);
      assert.equal(canonical, reference(text));
      if (canonical !== undefined) assert.equal(canonicalAddress(canonical), canonical);
    }),
    { numRuns: 20_000, seed: 20 },
  );
});

test('an address is in a range exactly when ipaddr.js says so', () => {
  const range = fc
    .tuple(fc.oneof(ipv4, ipv6, oddIpv4), fc.nat(128))
    .map(([text, bits]) => addressRange(`${text}/${text.includes(':') ? bits : bits % 33}`))
    .filter((found) => found !== undefined);
  fc.assert(
    fc.property(fc.array(range, { maxLength: 3 }), spelling, ipv4, (ranges, text, near) => {
      // Includes addresses from the ranges, so that some match.
      for (const address of [text, near, ...ranges.map(([network]) => network.toString())]) {
        const parsed = ipaddr.isValid(address) ? ipaddr.process(address) : undefined;
        const expected = ranges.some(
          ([network, bits]) => parsed?.kind() === network.kind() && parsed.match(network, bits),
        );
        assert.equal(rangeMatcher(ranges)(address), expected, address);
      }
    }),
    { numRuns: 5000, seed: 20 },
  );
});
