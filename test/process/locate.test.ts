// Locations by number, and databases that know only IPv4.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { locationsOf, openLocator } from '#process/locate.ts';
import { writeMmdb } from '../support/mmdb.ts';

const text = new TextEncoder();

test('a locator without numbers gets them as locations occur, and each country once', () => {
  const known: Record<string, { lat: number; lon: number; country: string }> = {
    a: { lat: 1, lon: 2, country: 'DE' },
    b: { lat: 3, lon: 4, country: 'FR' },
    c: { lat: Number.NaN, lon: Number.NaN, country: 'DE' },
  };
  const numbered = locationsOf({ locate: (address) => known[address] });
  for (const address of ['a', 'b', 'c', 'a', 'c']) {
    const bytes = text.encode(`"${address}"`);
    const number = numbered.find(bytes, 1, 2);
    const { lat, lon, country } = known[address];
    assert.deepEqual([numbered.lat(number), numbered.lon(number)], [lat, lon]);
    assert.equal(numbered.countries[numbered.country(number)], country);
    assert.equal(numbered.hasCoordinates(number), address !== 'c');
  }
  assert.deepEqual(numbered.countries, ['DE', 'FR']);
  assert.equal(numbered.find(text.encode('x'), 0, 1), -1);
});

test('in a database of IPv4 an IPv6 address is unknown, and the next database is asked', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'whalewatch-locate-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const record = (country: string) => ({ country: { iso_code: country }, location: { latitude: 1, longitude: 2 } });
  // 192.0.0.0/8 and 2000::/8.
  writeFileSync(join(folder, 'four.mmdb'), writeMmdb(4, [{ bits: '11000000', record: record('DE') }]));
  writeFileSync(join(folder, 'six.mmdb'), writeMmdb(6, [{ bits: '00100000', record: record('FR') }]));
  const [four, both] = [['four.mmdb'], ['four.mmdb', 'six.mmdb']].map((names) =>
    openLocator(names.map((name) => join(folder, name))),
  );
  for (const [address, alone, together] of [
    ['192.0.2.1', 'DE', 'DE'],
    ['::ffff:192.0.2.1', 'DE', 'DE'],
    ['2001:db8::1', undefined, 'FR'],
    ['193.0.2.1', undefined, undefined],
    ['portal.example', undefined, undefined],
    ['', undefined, undefined],
  ]) {
    assert.equal((await four).locate(String(address))?.country, alone, address);
    assert.equal((await both).locate(String(address))?.country, together, address);
  }
});
