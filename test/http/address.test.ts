import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientAddress, forwardedFor, proxyMatcher } from '#http/address.ts';

const isProxy = proxyMatcher(['loopback', '198.51.100.0/24']);

test('the client is the last entry that is not a trusted proxy, or the peer itself if that is not a trusted proxy', () => {
  for (const [peer, forwarded, client] of [
    ['203.0.113.1', '192.0.2.1', '203.0.113.1'],
    ['127.0.0.1', undefined, '127.0.0.1'],
    ['127.0.0.1', '192.0.2.1', '192.0.2.1'],
    ['::ffff:127.0.0.1', '192.0.2.9, 192.0.2.1:80, 198.51.100.7', '192.0.2.1'],
    ['127.0.0.1', '192.0.2.9, nonsense', '127.0.0.1'],
    ['127.0.0.1', '[2001:DB8::1]:443', '2001:db8::1'],
    // Private addresses behind a trusted proxy are not the client, unless there is no other entry.
    ['127.0.0.1', '192.0.2.1, 10.0.0.5, 192.168.1.1', '192.0.2.1'],
    ['127.0.0.1', '10.0.0.5', '10.0.0.5'],
    ['127.0.0.1', 'unknown, 10.0.0.5', '10.0.0.5'],
    ['10.0.0.5', '192.0.2.1', '10.0.0.5'],
  ] as const)
    assert.equal(clientAddress(peer, forwarded, isProxy), client, forwarded);
});

test('of a long list of forwarded addresses, only the believed part is read', () => {
  let asked = 0;
  const counted = (address: string) => {
    asked++;
    return isProxy(address);
  };
  const forwarded = `${','.repeat(10_000_000)}192.0.2.1, 198.51.100.7`;
  assert.equal(clientAddress('127.0.0.1', forwarded, counted), '192.0.2.1');
  assert.equal(asked, 3);
  // Parsing ten million entries would take minutes.
  assert.equal(clientAddress('203.0.113.1', forwarded, isProxy), '203.0.113.1');
});

test('the Forwarded header is parsed as RFC 7239 specifies', () => {
  for (const [header, list] of [
    ['for=192.0.2.60;proto=http;by=203.0.113.43', '192.0.2.60'],
    ['for=192.0.2.43, for=198.51.100.17', '192.0.2.43,198.51.100.17'],
    ['For="[2001:db8:cafe::17]:4711"', '[2001:db8:cafe::17]:4711'],
    ['proto=https; for = "192.0.2.1:80" ,for=unknown', '192.0.2.1:80,unknown'],
    ['by=203.0.113.43, for=_gazonk', ',_gazonk'],
    ['host="a,for=192.0.2.9;b";for=192.0.2.1', '192.0.2.1'],
    ['host="a\\",for=192.0.2.9;b";for=192.0.2.1', '192.0.2.1'],
    ['for="192.0.2.1', '192.0.2.1'],
    ['', ''],
  ])
    assert.equal(forwardedFor(header), list, header);
  assert.equal(
    clientAddress('127.0.0.1', forwardedFor('for="[2001:db8::1]:4711", for=10.0.0.5'), isProxy),
    '2001:db8::1',
  );
});

test('a range ends exactly at its prefix length, also within a byte or an IPv6 group', () => {
  for (const [range, inside, outside] of [
    ['198.51.100.0/25', '198.51.100.127', '198.51.100.128'],
    ['172.16.0.0/12', '172.31.255.255', '172.32.0.0'],
    ['10.0.0.0/31', '10.0.0.1', '10.0.0.2'],
    ['2001:db8:1::/48', '2001:db8:1:ffff::1', '2001:db8:2::1'],
    ['2001:db8::/33', '2001:db8:7fff::1', '2001:db8:8000::1'],
    ['2001:db8:0:1:2::/80', '2001:db8:0:1:2:ffff::', '2001:db8:0:1:3::'],
    ['2001:db8::1:2/127', '2001:db8::1:3', '2001:db8::1:4'],
  ]) {
    const isIn = proxyMatcher([range]);
    assert.deepEqual([isIn(inside), isIn(outside)], [true, false], range);
  }
});
