import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { canonicalDomain } from '#core/hits/domain.ts';
import { isPrivateHost, withoutPrivateHosts } from '#core/map/private-hosts.ts';
import { pointsOf } from '../../support/points-of.ts';

const local = [
  ...[
    'localhost',
    'portal',
    'docs',
    'git-hub',
    'app.localhost',
    'nas.local',
    'wiki.corp',
    'git.internal',
    'printer.home.arpa',
    'a.b.lan',
  ],
  ...['127.0.0.1', '10.1.2.3', '172.20.0.5', '192.168.1.7', '169.254.1.1', '100.64.0.1', '0.0.0.0'],
  ...['[::1]', '[fe80::1]', '[fd00::7]', '[::ffff:10.0.0.1]'],
];
const reachable = [
  ...['portal.example', 'local.example', 'localhost.example', 'corp.com', 'mylan.net', 'thelocal', 'x.xn--p1ai'].filter(
    (domain) => domain.includes('.'),
  ),
  ...['8.8.8.8', '81.2.69.142', '[2a02:6b8::1]'],
];

test('hosts that only a private network resolves are private, in every spelling that counts for them', () => {
  for (const domain of local) assert.equal(isPrivateHost(canonicalDomain(domain) ?? ''), true, domain);
  for (const domain of ['LOCALHOST:3000', 'Portal.', '0x7f.1', '2130706433', 'NAS.Local.', '[::1]:8080'])
    assert.equal(isPrivateHost(canonicalDomain(domain) ?? ''), true, domain);
  for (const domain of reachable) assert.equal(isPrivateHost(canonicalDomain(domain) ?? ''), false, domain);
});

test('the points without private hosts are the others, in the same order', () => {
  const row = fc.record({
    domain: fc.oneof(fc.constantFrom(...local, ...reachable), fc.domain()),
    lon: fc.integer({ min: -180, max: 180 }),
    lat: fc.integer({ min: -85, max: 85 }),
    updatedAt: fc.nat(),
    country: fc.constantFrom('', 'DE', 'FR'),
  });
  fc.assert(
    fc.property(fc.uniqueArray(row, { selector: ({ domain }) => domain, maxLength: 30 }), (rows) => {
      const points = pointsOf(rows);
      const kept = rows.filter(({ domain }) => !isPrivateHost(domain));
      const shown = withoutPrivateHosts(points);
      // Only the columns: a country that no point has any more may stay in the list.
      const { countries } = shown;
      const plain = ({ lat, lon, updatedAt, country, domains }: typeof points) => [
        ...[lat, lon, updatedAt].map((column) => [...column]),
        Array.from(country, (index) => countries[index]),
        new TextDecoder().decode(domains.utf8),
        [...domains.offsets],
      ];
      assert.deepEqual(plain(shown), plain({ ...pointsOf(kept), countries, country: countryColumn(kept, countries) }));
      if (kept.length === rows.length) assert.equal(shown, points);
    }),
    { numRuns: 300 },
  );
});

const countryColumn = (rows: { country: string }[], countries: string[]) =>
  Uint16Array.from(rows, ({ country }) => countries.indexOf(country));
