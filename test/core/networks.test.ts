import assert from 'node:assert/strict';
import { test } from 'node:test';
import { networkFinder } from '#core/networks.ts';

const at = (name: string) => ({ lat: 1, lon: 2, country: 'DE', name });

test('an address belongs to the narrowest network that contains it, in every notation of the address', () => {
  const find = networkFinder({
    '10.0.0.0/8': at('all'),
    '10.20.0.0/16': at('Berlin'),
    '10.20.30.40': at('printer'),
    'fd00::/8': at('VPN'),
  });
  for (const [address, name] of [
    ['10.1.2.3', 'all'],
    ['10.20.1.1', 'Berlin'],
    ['::ffff:10.20.1.1', 'Berlin'],
    ['10.20.30.40', 'printer'],
    ['fd12::1', 'VPN'],
    ['11.0.0.1', undefined],
    ['fe80::1', undefined],
    ['', undefined],
    ['portal.example', undefined],
  ] as const)
    assert.equal(find(address)?.name, name, address);
});

test('an invalid range is named', () => {
  assert.throws(
    () => networkFinder({ '10.0.0.0/99': at('x') }),
    /networks: "10\.0\.0\.0\/99" must be an IP address or/,
  );
});
