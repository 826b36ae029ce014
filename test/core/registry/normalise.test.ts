import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { withoutAddresses } from '#core/addresses.ts';
import { addressOf } from '#core/registry/address.ts';
import { whyInvalidEvent } from '#core/registry/line.ts';
import { normalise } from '#core/registry/normalise.ts';
import { isManifestPull, isManifestPush } from '#core/registry/pull.ts';
import { quarantinedText } from '#core/registry/quarantine.ts';
import { captures, eventsOf, readCapture, readFixture } from '../../support/captured.ts';

const context = { receivedAt: 1_800_000_000_000 };
const digest = `sha256:${'ab'.repeat(32)}`;

function event(change: object = {}, target: object = {}) {
  return {
    id: '52de8f9a-0b2b-4513-b8d1-099c843fb421',
    timestamp: '2026-11-21T03:59:25.332325661Z',
    action: 'pull',
    target: { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest, repository: 'a/b', tag: '1', ...target },
    request: { addr: '192.0.2.7:45784', method: 'GET', useragent: 'docker/27.3.1' },
    actor: { name: 'alice' },
    source: { addr: 'vm:5001' },
    ...change,
  };
}

const reasons = (body: unknown) => normalise(body, context).rejected.map(({ reason }) => reason);

for (const name of captures) {
  test(`${name} gives the expected counts of distinct manifest events`, () => {
    const posts = readCapture(name);
    const counts = readFixture('expected-counts.json')[name];
    const got: Record<string, Record<string, Record<string, number>>> = {};
    for (const stored of eventsOf(posts)) {
      const pull = stored.method === 'HEAD' ? 'pullHead' : 'pullGet';
      const key = isManifestPush(stored) ? 'push' : isManifestPull(stored) ? pull : undefined;
      if (!key) continue;
      const user = stored.user || '(none)';
      got[user] ??= {};
      got[user][stored.repository] ??= {};
      const row = got[user][stored.repository];
      row[key] = (row[key] ?? 0) + 1;
    }
    assert.equal(posts.length, counts.posts);
    assert.deepEqual(got, counts.manifests);
  });

  test(`${name}: every event is kept or ignored, none quarantined, and only deletes are neither blob nor manifest`, () => {
    const counts = readFixture('expected-counts.json')[name];
    const ids = new Set<string>();
    let [ignored, deletes] = [0, 0];
    for (const { body } of readCapture(name)) {
      const parsed = JSON.parse(body);
      if (ids.has(parsed.events[0].id)) continue;
      ids.add(parsed.events[0].id);
      const result = normalise(parsed, context);
      assert.deepEqual(result.rejected, []);
      ignored += result.ignored;
      deletes += result.events.filter(({ kind }) => kind === 'other').length;
    }
    const { delete: expectedDeletes = 0, ...blobs } = counts.notManifests;
    assert.equal(ids.size, counts.distinctEvents);
    assert.equal(deletes, expectedDeletes);
    assert.equal(
      ignored,
      Object.values(blobs as Record<string, number>).reduce((sum, count) => sum + count, 0),
    );
  });
}

test('an event keeps who, what and when, to the microsecond', () => {
  const { events } = normalise({ events: [event()] }, context);
  assert.deepEqual(events, [
    {
      id: '52de8f9a-0b2b-4513-b8d1-099c843fb421',
      time: Date.parse('2026-11-21T03:59:25Z') + 332.325,
      action: 'pull',
      kind: 'manifest',
      method: 'GET',
      repository: 'a/b',
      tag: '1',
      digest,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      user: 'alice',
      userAgent: 'docker/27.3.1',
      address: '192.0.2.7',
      source: 'vm:5001',
    },
  ]);
});

test('of an index the digests of its platforms are kept, of a manifest only the types of its layers', () => {
  const platform = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: 'sha256:1' };
  const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: 'sha256:2' };
  const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: 'sha256:3' };
  const read = (references: unknown) => normalise({ events: [event({}, { references })] }, context).events[0];
  assert.deepEqual(read([platform, platform]).references, ['sha256:1', 'sha256:1']);
  assert.deepEqual(read([layer, config, layer]).references, []);
  assert.deepEqual(read([layer, config, layer]).referenceTypes, [config.mediaType, layer.mediaType]);
  assert.equal(read(undefined).references, undefined);
});

test('one envelope may have any number of events, valid and invalid', () => {
  const blob = event({ id: 'blob' }, { mediaType: 'application/octet-stream', tag: undefined });
  const { events, ignored, rejected } = normalise({ events: [event(), blob, 7, event({ id: 'second' })] }, context);
  assert.deepEqual(
    events.map(({ id }) => id),
    ['52de8f9a-0b2b-4513-b8d1-099c843fb421', 'second'],
  );
  assert.equal(ignored, 1);
  assert.deepEqual(rejected, [{ reason: 'distribution: event is number, not an object', event: 7 }]);
  assert.deepEqual(normalise({ events: [] }, context), { events: [], ignored: 0, rejected: [] });
});

test('a quarantined event names the field that is wrong', () => {
  for (const [change, reason] of [
    [{ id: 7 }, 'id is number, not a string'],
    [{ id: '' }, 'id is empty'],
    [{ timestamp: 'yesterday' }, 'timestamp "yesterday", not an RFC 3339 time'],
    [{ timestamp: '2026-13-01T00:00:00Z' }, 'timestamp "2026-13-01T00:00:00Z", not an RFC 3339 time'],
    [{ timestamp: '1969-12-31T23:59:59Z' }, 'timestamp "1969-12-31T23:59:59Z", not an RFC 3339 time'],
    [{ timestamp: undefined }, 'timestamp is missing, not an RFC 3339 time'],
    [{ action: 'eat' }, 'action is "eat": must be pull, push, delete or mount'],
    [{ target: null }, 'target is null, not an object'],
    [{ target: {} }, 'repository is missing, not a string'],
    [{ actor: { name: 7 } }, 'name is number, not a string'],
    [{ target: { repository: 'x'.repeat(256) } }, 'repository has 256 characters, more than 255'],
  ] as const)
    assert.deepEqual(reasons({ events: [event(change)] }), [`distribution: ${reason}`]);
  assert.deepEqual(reasons({ events: [event({}, { references: 'x' })] }), [
    'distribution: target.references is string, not an array',
  ]);
});

test('a body of an unknown registry is quarantined with its fields named', () => {
  assert.deepEqual(reasons([]), ['body is an array, not a JSON object']);
  assert.deepEqual(reasons(null), ['body is null, not a JSON object']);
  assert.deepEqual(reasons('{"events":'), ['body is string, not a JSON object']);
  assert.deepEqual(reasons({ tea: 1, milk: 2 }), ['not a notification of a known registry: its fields are tea, milk']);
});

test('of thousands of references the first are kept, without those that are too long', () => {
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const references = [
    { mediaType, digest: 'x'.repeat(256) },
    { mediaType: `${mediaType}${'x'.repeat(1_500_000)}`, digest: 'long' },
    ...Array.from({ length: 14_500 }, (_, at) => ({ mediaType, digest: `sha256:${at}` })),
    ...Array.from({ length: 500 }, (_, at) => ({ mediaType: `text/${at}`, digest })),
  ];
  const [{ references: kept, referenceTypes }] = normalise({ events: [event({}, { references })] }, context).events;
  // A manifest whose media type is too long is still recognised by its reference.
  assert.deepEqual(kept?.slice(0, 2), ['long', 'sha256:0']);
  assert.equal(kept?.length, 2000);
  assert.equal(referenceTypes?.length, 100);
  assert.ok(referenceTypes.includes(mediaType));
});

test('a body nested too deep to be written is quarantined, and so are thousands of events or artifacts in one', () => {
  let deep: unknown[] = [];
  for (let level = 0; level < 100_000; level++) deep = [deep];
  const { body } = readFixture('harbor.json').examples[0];
  assert.deepEqual(reasons({ ...body, more: deep }), ['harbor: it is nested too deep']);
  const many = new Array(20_001).fill(7);
  assert.deepEqual(reasons({ events: many }), ['distribution: 20001 events in one body, more than 20000']);
  const resources = new Array(1001).fill({});
  assert.deepEqual(reasons({ ...body, event_data: { ...body.event_data, resources } }), [
    'harbor: resources has 1001 artifacts, more than 1000',
  ]);
});

test('Harbor: push, pull and delete in the Default form', () => {
  const [push, pull, remove] = readFixture('harbor.json').examples.map(
    ({ body }: { body: unknown }) => normalise(body, context).events[0],
  );
  assert.deepEqual(
    [push, pull, remove].map(({ action, kind, method, user, repository, tag, time, source }) => ({
      action,
      kind,
      method,
      user,
      repository,
      tag,
      time,
      source,
    })),
    [
      { action: 'push', kind: 'manifest', method: 'PUT', user: 'alice', tag: '7.2' },
      { action: 'pull', kind: 'manifest', method: 'GET', user: 'bob', tag: undefined },
      { action: 'delete', kind: 'other', method: 'DELETE', user: 'alice', tag: '7.2' },
    ].map((row) => ({
      ...row,
      repository: 'library/redis',
      time: 1_730_000_000_000,
      source: 'harbor.example.test',
    })),
  );
});

test('Harbor: the Default form gets an id from its content, the same at every redelivery', () => {
  const { body } = readFixture('harbor.json').examples[0];
  const [first] = normalise(body, context).events;
  assert.equal(normalise(structuredClone(body), { receivedAt: 1_900_000_000_000 }).events[0].id, first.id);
  assert.notEqual(normalise({ ...body, occur_at: body.occur_at + 1 }, context).events[0].id, first.id);
});

test('Harbor: CloudEvents keep their id and time', () => {
  const { body } = readFixture('harbor.json').examples[3];
  const [pull] = normalise(body, context).events;
  assert.deepEqual(
    [pull.id, pull.time, pull.action, pull.user, pull.tag],
    ['6b0c1a52-0000-4000-8000-000000000002', Date.parse('2024-10-27T03:33:20Z'), 'pull', 'bob', '7.2'],
  );
});

test('Harbor: a notification of several artifacts gives as many events; scans and quotas are ignored', () => {
  const { body } = readFixture('harbor.json').examples[0];
  const [resource] = body.event_data.resources;
  const two = { ...body, event_data: { ...body.event_data, resources: [resource, { ...resource, tag: '7.3' }] } };
  assert.deepEqual(
    normalise(two, context).events.map(({ tag }) => tag),
    ['7.2', '7.3'],
  );
  assert.equal(new Set(normalise(two, context).events.map(({ id }) => id)).size, 2);
  assert.equal(normalise({ type: 'SCANNING_COMPLETED', event_data: {} }, context).ignored, 1);
  assert.equal(normalise({ specversion: '1.0', type: 'harbor.scan.completed', data: {} }, context).ignored, 1);
  assert.deepEqual(reasons({ type: 'TEA', event_data: {} }), ['harbor: type "TEA" is unknown']);
});

test('GitLab: the type of account is kept', () => {
  const [pull] = normalise(readFixture('gitlab.json').examples[0].body, context).events;
  assert.deepEqual([pull.user, pull.address, pull.tag], ['alice', '203.0.113.9', 'latest']);
});

test('an address loses its port, brackets and zone; anything else becomes empty', () => {
  for (const [addr, address] of [
    ['192.0.2.7:45784', '192.0.2.7'],
    ['192.0.2.7', '192.0.2.7'],
    ['[2001:DB8::5]:443', '2001:db8::5'],
    ['[2001:db8::5]', '2001:db8::5'],
    ['2001:db8::5', '2001:db8::5'],
    ['2001:218::', '2001:218::'],
    ['[fe80::1%eth0]:5', 'fe80::1'],
    ['[::ffff:192.0.2.7]:80', '192.0.2.7'],
    ['::1', '::1'],
    ['', ''],
    ['@', ''],
    ['256.1.1.1:80', ''],
    ['registry:5000', ''],
    [undefined, ''],
    [7, ''],
  ])
    assert.equal(addressOf(addr), address, String(addr));
});

test('every generated address is read in each of its forms, and masked in texts', () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.ipV6(), fc.integer({ min: 1, max: 65535 }), (four, six, port) => {
      assert.equal(addressOf(`${four}:${port}`), four);
      assert.equal(addressOf(four), four);
      // fast-check sometimes writes the last 32 bits as IPv4.
      const expected = addressOf(six);
      assert.notEqual(expected, '');
      assert.equal(addressOf(`[${six}]:${port}`), expected);
      for (const address of [four, six])
        for (const text of [`[${address}]:${port}`, `{"addr":"${address}"}`, `from ${address}.`, `${four}:${port}`])
          assert.ok(!withoutAddresses(text).includes(address), `${text} -> ${withoutAddresses(text)}`);
    }),
    { seed: 7, numRuns: 1000 },
  );
});

/** Every part of a text that is an address for node:net. */
function addressesIn(text: string): string[] {
  const found: string[] = [];
  for (let from = 0; from < text.length; from++)
    for (let to = from + 2; to <= Math.min(text.length, from + 45); to++)
      if (/^[\da-f]/i.test(text[from]) || text.startsWith('::', from))
        if (isIP(text.slice(from, to))) found.push(text.slice(from, to));
  return found;
}

test('no address survives in a text, whatever it is adjacent to', () => {
  const around = fc.array(
    fc.constantFrom(
      ...['read tcp ', '->', ': i/o timeout', 'remote:', 'Forwarded:', ':443', ':443: refused', '=', ',', ';', '/32'],
      ...['"', '{"a":"', '"}', '[', ']', '(', '%3A', '%5B', '\\u003a', '\\n', '\n', ' ', '.', '..', ':', '-', '%eth0'],
      ...['a', 'face', 'abc', 'dead:', '1', '12', '1.2.3', '03:59:25', 'sha256:12ab', 'é', '::ffff:', '64:ff9b::'],
    ),
    { maxLength: 3 },
  );
  const written = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.ipV6().map((address) => address.toUpperCase()),
    fc.ipV6().map((address) => encodeURIComponent(address)),
    fc.ipV6().map((address) => address.replaceAll(':', '\\u003a')),
    fc.ipV4().map((address) => address.replaceAll('.', '-')),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(around, written, around), { minLength: 1, maxLength: 3 }), (parts) => {
      const text = parts.map(([before, address, after]) => before.join('') + address + after.join('')).join('');
      const left = withoutAddresses(text);
      for (const [, address] of parts) if (address.length > 3) assert.ok(!left.includes(address), `${text} -> ${left}`);
      const plain = left.replaceAll(/%3A|\\u003a/gi, ':');
      for (const form of [plain, plain.replaceAll(/(?<=\d)-(?=\d)/g, '.')])
        assert.deepEqual(addressesIn(form), [], `${text} -> ${left}`);
    }),
    { seed: 5, numRuns: 5000 },
  );
});

test('an IPv6 address is masked together with the IPv4 address at its end', () => {
  for (const network of ['::ffff:', '64:ff9b::', '2001:db8:1:2:3:4:'])
    assert.equal(withoutAddresses(`from ${network}203.0.113.5, port 1`), 'from [address], port 1');
});

test('a quarantined text is cut at 64 KiB, but never within an address, however it is escaped', () => {
  const six = '2001:db8:77:1:2:3:4:5';
  const wide = six.replace(/./g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 0xfee0));
  for (const address of [
    ...['203.0.113.11', six, encodeURIComponent(six), encodeURIComponent(encodeURIComponent(wide))],
    six.replace(/./g, (letter) => `&#00000${letter.charCodeAt(0)};`),
  ])
    for (let letters = 0; letters <= address.length; letters += Math.ceil(address.length / 30)) {
      const kept = quarantinedText(`${' '.repeat(65_536 - letters)}${address} and more`.padEnd(70_000));
      assert.ok(kept.length > 65_000 && kept.length <= 65_536);
      assert.ok('[address]'.startsWith(kept.trim()), `${letters} letters of ${address}`);
    }
  for (const times of [20_000, 65_536]) assert.equal(quarantinedText(':: '.repeat(times)).length, 65_536);
});

test('of a longer text as much is quarantined as can hold no beginning of an address', () => {
  const [most, longest] = [65_536, 1024];
  for (const [length, kept] of [
    ...[0, most].map((length) => [length, length]),
    ...[most + 1, most + longest, most + longest + 1, 4 * most].map((length) => [length, most]),
  ])
    assert.equal(quarantinedText('x'.repeat(length)).length, kept, `${length}`);
  // Masks are shorter than these addresses.
  const addresses = '203.0.113.11 '.repeat(6000);
  const kept = quarantinedText(addresses);
  assert.match(kept, /^(\[address\] )*\S*$/);
  assert.ok(kept.length > ((most + longest) * 10) / 13 - longest - 13);
});

test('hostile texts take time in proportion to their length: a million characters, where quadratic time would be minutes', () => {
  for (const part of [
    '.',
    '1',
    '1.',
    '1.1.1',
    '111.',
    ':',
    '1:',
    '::',
    'a',
    '%',
    '%\n',
    '%3a',
    '1-',
    '-1',
    '\\',
    '\\u003a',
  ]) {
    const text = `${part.repeat(1_000_000 / part.length)}g`;
    withoutAddresses(text);
    for (const addr of [text, `[${text}`, `:${text}`, `%${text}`, `[${text}]:1x`]) addressOf(addr);
    const [change, target] = [
      { timestamp: text, id: text },
      { mediaType: text, repository: text, tag: text },
    ];
    const request = { addr: text, useragent: text, method: text };
    for (const odd of [
      event(change),
      event({ action: text }),
      event({ request, actor: { name: text } }),
      event({}, target),
    ])
      normalise({ events: [odd] }, context);
    normalise({ type: text, event_data: {} }, context);
    normalise({ [text]: 1 }, context);
  }
});

test('times, digests and versions are not addresses', () => {
  const text = `2026-11-21T03:59:25.332Z sha256:${'12'.repeat(32)} go1.22.7 docker/27.3.1 a/b:1.2.3`;
  assert.equal(withoutAddresses(text), text);
});

test('every normalised event is valid; a changed one names what is wrong', () => {
  const [good] = normalise({ events: [event()] }, context).events;
  for (const name of captures)
    for (const { body } of readCapture(name))
      for (const made of normalise(JSON.parse(body), context).events)
        assert.equal(whyInvalidEvent(JSON.parse(JSON.stringify(made))), undefined);
  for (const [change, reason] of [
    [{ id: undefined }, /id is missing/],
    [{ time: Number.NaN }, /time/],
    [{ time: 1e300 }, /time/],
    [{ user: null }, /user is null/],
    [{ tag: 7 }, /tag/],
    [{ references: [7] }, /references/],
    [{ action: 'eat' }, /action/],
    [{ kind: 'cheese' }, /kind/],
    [{ repository: '' }, /repository/],
  ] as const)
    assert.match(whyInvalidEvent({ ...good, ...change }) ?? '', reason);
  for (const odd of [undefined, null, 7, 'x', []]) assert.ok(whyInvalidEvent(odd));
});

test('whatever the JSON, normalise returns, and no reason contains a user or an address', () => {
  const leaf = fc.oneof(fc.jsonValue(), fc.constantFrom('alice@example.test', '192.0.2.7:80', '[2001:db8::5]:1'));
  const odd = fc.record(
    {
      id: leaf,
      timestamp: leaf,
      action: leaf,
      target: fc.oneof(leaf, fc.record({ mediaType: leaf, repository: leaf, references: leaf }, { requiredKeys: [] })),
      request: fc.oneof(leaf, fc.record({ addr: leaf, useragent: leaf }, { requiredKeys: [] })),
      actor: fc.oneof(leaf, fc.record({ name: leaf }, { requiredKeys: [] })),
    },
    { requiredKeys: [] },
  );
  const body = fc.oneof(
    fc.jsonValue(),
    fc.record({ events: fc.array(fc.oneof(odd, fc.constant(event())), { maxLength: 30, size: 'max' }) }),
    fc.record({ type: fc.oneof(leaf, fc.constant('PULL_ARTIFACT')), event_data: leaf, occur_at: leaf, operator: leaf }),
    fc.record({ specversion: leaf, type: fc.constant('harbor.artifact.pulled'), data: leaf, id: leaf, time: leaf }),
  );
  fc.assert(
    fc.property(body, (value) => {
      const { events, ignored, rejected } = normalise(value, context);
      assert.ok(events.length + ignored + rejected.length >= 0);
      for (const { reason } of rejected) assert.doesNotMatch(reason, /192\.0\.2\.7|2001:db8/);
    }),
    { seed: 11, numRuns: 2000 },
  );
});
