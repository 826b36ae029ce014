import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { Reader } from 'maxmind';
import { buildTable } from '#geo/build.ts';
import { cityDatabases, databaseBuiltAt, locationOf } from '#geo/city.ts';
import { keptTable } from '#geo/keep.ts';
import { deeper, IpTable, readV6 } from '#geo/table.ts';
import { locationsOf, openLocator } from '#process/locate.ts';
import { bitsOf, writeMmdb } from '../support/mmdb.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const v4 = (address: number) => [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
const v6 = (words: number[]) => words.map((word) => word.toString(16)).join(':');

let table: IpTable;
const [readerV4, readerV6] = cityDatabases().map((file) => new Reader<never>(readFileSync(file)));
before(
  async () => {
    table = new IpTable(readFileSync(await keptTable(console.error)));
  },
  { timeout: 120_000 },
);

const agree = (address: string) =>
  assert.deepEqual(
    table.locate(address),
    locationOf((address.includes(':') ? readerV6 : readerV4).get(address)),
    address,
  );

test('the table agrees with maxmind on random IPv4 addresses', () => {
  fc.assert(
    fc.property(fc.nat(0xffffffff), (address) => agree(v4(address))),
    { seed: 9, numRuns: 20_000 },
  );
});

test('the table agrees with maxmind on random IPv6 addresses, mostly in allocated ranges', () => {
  const word = fc.nat(0xffff);
  const first = fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 0x2000, max: 0x2fff }) }, word);
  const groups = fc.tuple(first, word, word, word, word, word, word, word);
  fc.assert(
    fc.property(groups, (words) => agree(v6(words))),
    { seed: 10, numRuns: 20_000 },
  );
});

test('the table agrees with maxmind on both sides of range borders, at every depth', () => {
  const { v4Bounds, v4Starts, v6Bounds, v6Starts, v6Values } = table.columns;
  for (let upper = 1; upper < 65_536; upper++) {
    // One range of each /16, a different one each time.
    const range = v4Bounds[upper] + (upper % (v4Bounds[upper + 1] - v4Bounds[upper]));
    const border = upper * 65_536 + v4Starts[range];
    agree(v4(border));
    agree(v4(border - 1));
  }
  let steps = 0;
  const walk = (step: number, words: number[]) => {
    steps++;
    const count = v6Bounds[step + 1] - v6Bounds[step];
    for (let range = v6Bounds[step]; range < v6Bounds[step + 1]; range++) {
      const value = v6Values[range];
      const below = [...words, v6Starts[range] >>> 16, v6Starts[range] & 0xffff];
      const pick = count < 50 || range % 97 === 0;
      if (value >= deeper && pick) walk(value - deeper, below);
      if (!pick) continue;
      agree(v6([...below, 0, 0, 0, 0, 0, 0, 0].slice(0, 8)));
      if (v6Starts[range] === 0) continue;
      const last = v6Starts[range] - 1;
      agree(v6([...words, last >>> 16, last & 0xffff, ...Array(7).fill(0xffff)].slice(0, 8)));
    }
  };
  for (let word = 0; word < 65_536; word += word >= 0x2000 && word < 0x3000 ? 1 : 61) walk(word, [word]);
  assert.ok(steps > 6000, `${steps} steps`);
});

test('a batch look-up gives the same locations as single look-ups', () => {
  const word = fc.oneof(fc.nat(0xffff), fc.constantFrom(0, 1, 0xffff));
  const first = fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 0x2000, max: 0x2fff }) }, word);
  const address = fc.oneof(
    { weight: 4, arbitrary: fc.nat(0xffffffff).map(v4) },
    { weight: 4, arbitrary: fc.tuple(first, word, word, word, word, word, word, word).map(v6) },
    fc.nat(0xffffffff).map((number) => `::ffff:${v4(number)}`),
    fc.constantFrom('', '1.2.3', '256.1.1.1', '1.2.3.4.', '::', ':', '::1', '127.0.0.1', 'nowhere', '2001:db8::'),
  );
  fc.assert(
    fc.property(fc.array(address, { maxLength: 700, size: 'max' }), (addresses) => {
      const texts = addresses.map(bytes);
      const all = bytes(addresses.join(' '));
      const starts = new Int32Array(texts.length);
      const ends = new Int32Array(texts.length);
      let at = 0;
      for (const [index, text] of texts.entries()) {
        starts[index] = at;
        ends[index] = at + text.length;
        at = ends[index] + 1;
      }
      const found = new Int32Array(texts.length).fill(-9);
      table.findAll(all, starts, ends, texts.length, found);
      assert.deepEqual(
        Array.from(found),
        texts.map((text) => table.find(text, 0, text.length)),
      );
    }),
    { seed: 20, numRuns: 300 },
  );
});

test('private, reserved and invalid addresses have no location', () => {
  const none = ['10.0.0.1', '192.168.1.1', '127.0.0.1', '0.0.0.0', '255.255.255.255', '224.0.0.1', '169.254.0.1'];
  for (const address of [
    ...none,
    '::',
    '::1',
    'fe80::1',
    'fc00::1',
    'ff02::1',
    '',
    '8.8.8',
    '8.8.8.8.',
    '8.8.8.08',
    '8.8.8.256',
    'x',
  ])
    assert.equal(table.locate(address), undefined, address);
  assert.notEqual(table.locate('8.8.8.8'), undefined);
});

test('an IPv4-mapped IPv6 address has the location of the IPv4 address', async () => {
  assert.deepEqual(table.locate('::ffff:8.8.8.8'), table.locate('8.8.8.8'));
  assert.deepEqual(table.locate('::FFFF:808:808'), table.locate('8.8.8.8'));
});

const piece = fc.constantFrom(
  '0',
  '1',
  '01',
  '255',
  '256',
  '.',
  ':',
  '::',
  'ffff',
  'FF',
  '12345',
  'g',
  '%eth0',
  ' ',
  '1.2.3.4',
);
const almostAddress = fc.oneof(
  fc.ipV4(),
  fc.ipV4Extended(),
  fc.ipV6(),
  fc.array(piece, { maxLength: 18, size: 'max' }).map((pieces) => pieces.join('')),
  fc
    .tuple(fc.ipV6(), fc.nat(40), piece)
    .map(([address, at, put]) => address.slice(0, at) + put + address.slice(at + 1)),
);

test('a text is an address exactly when node:net says so, and no byte beyond its end is read', () => {
  // Every address has one location: whatever has no location is not an address.
  const everywhere = { location: { latitude: 1, longitude: 2 }, country: { iso_code: 'DE' } };
  const world = new IpTable(
    buildTable([
      writeMmdb(
        4,
        ['0', '1'].map((bits) => ({ bits, record: everywhere })),
      ),
      writeMmdb(
        6,
        ['0', '1'].map((bits) => ({ bits, record: everywhere })),
      ),
    ]),
  );
  fc.assert(
    fc.property(almostAddress, fc.constantFrom('', '"', '1', ':', '.'), (address, after) => {
      const line = bytes(`7${address}${after}`);
      const found = world.find(line, 1, 1 + bytes(address).length) >= 0;
      assert.equal(found, isIP(address) !== 0 && !address.includes('%'), address);
    }),
    { seed: 11, numRuns: 20_000 },
  );
});

test('readV6 reads the first and the last group, and refuses an empty text', () => {
  assert.equal(readV6(bytes('1:2:3:4:5:6:7:8'), 0, 15), true);
  assert.equal(readV6(bytes('::'), 0, 2), true);
  assert.equal(readV6(bytes(':'), 0, 1), false);
  assert.equal(readV6(bytes(''), 0, 0), false);
});

const city = (latitude: number, longitude: number, iso_code: string) => ({
  country: { iso_code },
  location: { latitude, longitude },
});
// As GeoLite2-City: IPv4 under ::/96, and 6to4 leading to the same nodes.
const maxmindShape = () =>
  writeMmdb(
    6,
    [
      { bits: `${'0'.repeat(96)}${bitsOf([81, 2, 69, 142], 8, 31)}`, record: city(51.5142, -0.0931, 'GB') },
      { bits: `${'0'.repeat(96)}${bitsOf([89, 160, 20], 8, 24)}`, record: city(48.1371, 11.5754, 'DE') },
      { bits: bitsOf([0x2a02, 0x6b8], 16, 32), record: city(55.7558, 37.6173, 'RU') },
      { bits: bitsOf([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 16, 128), record: city(1, 2, 'FR') },
      { bits: bitsOf([0x2400], 16, 12), record: { country: { iso_code: 'JP' } } },
      { bits: bitsOf([0x2600], 16, 12), record: city(91, 0, 'US') },
      { bits: bitsOf([0x2800], 16, 12), record: city(0, -180.5, '') },
    ],
    [{ bits: bitsOf([0x2002], 16, 16), as: '0'.repeat(96) }],
  );
const known: [string, ReturnType<typeof locationOf>][] = [
  ['81.2.69.142', { lat: 51.5142, lon: -0.0931, country: 'GB' }],
  ['81.2.69.143', { lat: 51.5142, lon: -0.0931, country: 'GB' }],
  ['81.2.69.144', undefined],
  ['89.160.20.128', { lat: 48.1371, lon: 11.5754, country: 'DE' }],
  ['2a02:6b8:ffff::1', { lat: 55.7558, lon: 37.6173, country: 'RU' }],
  ['2001:db8::1', { lat: 1, lon: 2, country: 'FR' }],
  ['2001:db8::2', undefined],
  ['2400::1', { lat: Number.NaN, lon: Number.NaN, country: 'JP' }],
  ['2600::1', { lat: Number.NaN, lon: Number.NaN, country: 'US' }],
  ['2800::1', undefined],
  ['::ffff:81.2.69.142', { lat: 51.5142, lon: -0.0931, country: 'GB' }],
];

test('a table is built once; while its builder lives others wait, and if the builder was killed it is built again', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'whalewatch-geo-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const [path, database] = [join(folder, 'city.bin'), join(folder, 'city.mmdb')];
  const lock = `${path}.lock`;
  writeFileSync(database, maxmindShape());
  const builds: string[] = [];
  const kept = () => keptTable((text) => builds.push(text), { path, databases: [database] });

  // A build that outlives the process that started it: the lock names the build's own process.
  const other = spawn('sleep', ['60']);
  t.after(() => other.kill());
  writeFileSync(lock, String(other.pid));
  const waiting = Promise.all([kept(), kept()]);
  await sleep(300);
  assert.deepEqual([builds, existsSync(path)], [[], false]);
  other.kill('SIGKILL');
  await waiting;
  assert.equal(builds.length, 1);
  assert.deepEqual(readFileSync(path), Buffer.from(buildTable([maxmindShape()])));
  assert.equal(existsSync(lock), false);

  // An older version left a folder as its lock.
  rmSync(path);
  mkdirSync(lock);
  await kept();
  assert.equal(builds.length, 2);
});

test('a database with MaxMind’s own schema works, as a file and as a table', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'whalewatch-geo-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'city.mmdb'), maxmindShape());
  writeFileSync(join(folder, 'city.bin'), buildTable([maxmindShape()]));
  for (const file of ['city.mmdb', 'city.bin']) {
    const locator = await openLocator([join(folder, file)]);
    for (const [address, location] of known) assert.deepEqual(locator.locate(address), location, `${file} ${address}`);
    assert.equal(locator.locate('no address'), undefined);
  }
});

test("the owner's networks take precedence over a database, as a file and as a table, for texts and for bytes", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'whalewatch-geo-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'city.mmdb'), maxmindShape());
  writeFileSync(join(folder, 'city.bin'), buildTable([maxmindShape()]));
  const berlin = { lat: 52.52, lon: 13.4, country: 'DE' };
  const vpn = { lat: -1, lon: 0, country: 'AQ' };
  const networks = { '10.0.0.0/8': { ...berlin, name: 'Berlin' }, '2001:db8::/127': { ...vpn, name: 'VPN' } };
  for (const file of ['city.mmdb', 'city.bin']) {
    const locator = await openLocator([join(folder, file)], networks);
    const numbered = locationsOf(locator);
    for (const [address, location] of [...known, ['10.9.8.7', berlin], ['2001:db8::1', vpn]] as typeof known) {
      const expected = address.startsWith('2001:db8::1') ? vpn : location;
      assert.deepEqual(locator.locate(address), expected, `${file} ${address}`);
      const number = numbered.find(bytes(`"${address}"`), 1, 1 + address.length);
      const found =
        number < 0
          ? undefined
          : {
              ...{ lat: numbered.lat(number), lon: numbered.lon(number) },
              country: numbered.countries[numbered.country(number)],
            };
      assert.deepEqual(found, expected, `${file} ${address} by bytes`);
      if (found) assert.equal(numbered.hasCoordinates(number), !Number.isNaN(found.lat));
    }
  }
});

test('the build time of a database is read from its end', async (t) => {
  for (const [index, file] of cityDatabases().entries())
    assert.equal(await databaseBuiltAt(file), [readerV4, readerV6][index].metadata.buildEpoch.getTime());
  const folder = mkdtempSync(join(tmpdir(), 'whalewatch-geo-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'city.mmdb'), maxmindShape());
  assert.equal(await databaseBuiltAt(join(folder, 'city.mmdb')), 1_780_000_000_000);
  writeFileSync(join(folder, 'none.mmdb'), 'no database');
  await assert.rejects(databaseBuiltAt(join(folder, 'none.mmdb')), /none\.mmdb is not a MaxMind DB/);
});

test('a truncated table is not read as a whole one', () => {
  const whole = buildTable([maxmindShape()]);
  assert.throws(() => new IpTable(whole.subarray(0, whole.length - 8)), /ip-table\/3 is torn/);
});
