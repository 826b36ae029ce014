// Every limit on input: a value just within it, and one beyond.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectApp } from '#collect/app.ts';
import { readHits } from '#collect/hits.ts';
import { readWebhook } from '#collect/webhook.ts';
import { hitLimits, other } from '#core/hits/limits.ts';
import { eventLimits } from '#core/registry/limits.ts';
import type { StreamRecord } from '#core/stores.ts';
import { pullOf } from '../support/registry-event.ts';

const now = Date.parse('2026-11-28T12:00:00Z');
const dayMs = 86_400_000;

function collecting() {
  const taken: StreamRecord[] = [];
  const put = async (records: StreamRecord[]) => {
    taken.push(...records);
  };
  const app = collectApp({
    ...{ stream: { put }, hits: { put }, token: async () => 'token', peer: () => '192.0.2.1', trustedProxies: [] },
    ...{ addressHeader: 'X-Forwarded-For', networks: {}, clock: () => now, newKey: () => 'key' },
    report: (cause) => assert.fail(String(cause)),
  });
  const post = (path: string, body: string, headers: Record<string, string> = {}) =>
    app.request(path, { method: 'POST', body, headers: { Authorization: 'Bearer token', ...headers } });
  const lines = () => taken.flatMap(({ data }) => Buffer.from(data).toString().split('\n'));
  return { app, post, lines };
}

const hitsOf = (fields: object | object[]) => {
  const { lines } = readHits(JSON.stringify(fields), '192.0.2.1', now);
  return lines.map((line) => JSON.parse(line) as { domain: string; action: string; time: number });
};
const domain = (length: number) => `${'a.'.repeat(length / 2 - 1)}${'b'.repeat(2 + (length % 2))}`;

/** The limits of a hit's fields. The reason names the field. */
const ofHit: [string, (size: number) => unknown, number][] = [
  ['domain', domain, hitLimits.domain],
  ['domain', (size) => `${'a'.repeat(size)}.example`, 63],
  ['action', (size) => 'x'.repeat(size), hitLimits.action],
  ['id', (size) => 'x'.repeat(size), hitLimits.id],
  ['path', (size) => 'x'.repeat(size), hitLimits.path],
];
for (const [name, value, most] of ofHit)
  test(`hits: ${name} of ${most} characters is accepted, one more is 400`, () => {
    const hit = (size: number) => ({ domain: 'portal.example', [name]: value(size) });
    assert.equal(hitsOf(hit(most)).length, 1);
    assert.throws(() => hitsOf(hit(most + 1)), new RegExp(`${name} is `));
  });

test('hits: an empty action or id is 400, one character is accepted; a path may be empty', () => {
  for (const name of ['action', 'id']) {
    assert.throws(() => hitsOf({ domain: 'a.example', [name]: '' }), new RegExp(`${name} is ""`));
    assert.equal(hitsOf({ domain: 'a.example', [name]: 'x' }).length, 1);
  }
  assert.equal(hitsOf({ domain: 'a.example', path: '' }).length, 1);
});

test(`hits: ${hitLimits.perRequest} in a request are accepted; with one more, none is`, () => {
  const hits = (count: number) => Array.from({ length: count }, () => ({ domain: 'a.example' }));
  assert.equal(hitsOf(hits(hitLimits.perRequest)).length, hitLimits.perRequest);
  assert.throws(() => hitsOf(hits(hitLimits.perRequest + 1)), /10001 hits in one request: send at most 10000/);
});

test(`hits: a time ${hitLimits.daysBack} days ago is accepted, a millisecond more is 400; a future time is accepted as it is`, () => {
  const hit = (time: number | string) => ({ domain: 'a.example', time });
  const oldest = now - hitLimits.daysBack * dayMs;
  assert.equal(hitsOf(hit(oldest))[0].time, oldest);
  assert.throws(() => hitsOf(hit(oldest - 1)), /more than 400 days ago/);
  assert.equal(hitsOf(hit(8.64e15 - 1))[0].time, 8.64e15 - 1);
  for (const time of [8.64e15, -1, 'x']) assert.throws(() => hitsOf(hit(time)), /time is /);
});

test(`hits: ${hitLimits.domainsPerRequest} domains and ${hitLimits.daysPerRequest} days of a request are counted as sent, further ones as "${other}"`, () => {
  const domains = (count: number) => hitsOf(Array.from({ length: count }, (_, n) => ({ domain: `d${n}.example` })));
  const othersOf = (hits: { domain: string }[]) => hits.filter(({ domain }) => domain === other).length;
  assert.equal(othersOf(domains(hitLimits.domainsPerRequest)), 0);
  assert.equal(othersOf(domains(hitLimits.domainsPerRequest + 1)), 1);
  // A domain seen before the limit is still counted under its name.
  const again = [...Array.from({ length: 1001 }, (_, n) => ({ domain: `d${n}.example` })), { domain: 'd0.example' }];
  assert.equal(hitsOf(again).at(-1)?.domain, 'd0.example');
  const days = (count: number) =>
    hitsOf(Array.from({ length: count }, (_, n) => ({ domain: 'a.example', time: now - n * dayMs })));
  assert.equal(othersOf(days(hitLimits.daysPerRequest)), 0);
  assert.equal(othersOf(days(hitLimits.daysPerRequest + 1)), 1);
});

test('hits: a body of 1 MiB is read, one byte more is 413, with or without Content-Length', async () => {
  const { post, lines } = collecting();
  const most = 1024 * 1024;
  const body = (size: number) => '{"domain": "a.example"}'.padEnd(size, ' ');
  for (const promised of [true, false])
    for (const [size, status] of [
      [most, 202],
      [most + 1, 413],
    ]) {
      const headers: Record<string, string> = promised ? { 'Content-Length': String(size) } : {};
      const answer = await post('/v1/hits', body(size), headers);
      assert.equal(answer.status, status, `${size} ${promised}`);
      if (status === 413) assert.match(await answer.text(), /longer than 1048576 bytes/);
    }
  assert.equal(lines().length, 2);
});

test('hits: a page of another site may preflight, send and read the response; for notifications it may not', async () => {
  const { app } = collecting();
  const ask = async (method: string, path: string) => {
    const headers = { Origin: 'https://portal.example', 'Access-Control-Request-Method': 'POST' };
    const body = method === 'POST' ? '{"domain":"a.example"}' : undefined;
    const answer = await app.request(path, { method, headers, body });
    return [
      answer.status,
      answer.headers.get('access-control-allow-origin'),
      answer.headers.get('access-control-allow-methods'),
    ];
  };
  assert.deepEqual(await ask('OPTIONS', '/v1/hits'), [204, '*', 'POST']);
  assert.deepEqual(await ask('POST', '/v1/hits'), [202, '*', null]);
  assert.deepEqual((await ask('OPTIONS', '/v1/registry-events')).slice(1), [null, null]);
});

test('registry events: a body of 4 MiB is read, one byte more is quarantined', async () => {
  const { post, lines } = collecting();
  const body = (size: number) => JSON.stringify({ events: [pullOf('ann', 'team/app')] }).padEnd(size, ' ');
  const counts = async (size: number) => (await post('/v1/registry-events', body(size))).json();
  assert.deepEqual(await counts(4 * 1024 * 1024), { accepted: 1, ignored: 0, quarantined: 0 });
  assert.deepEqual(await counts(4 * 1024 * 1024 + 1), { accepted: 0, ignored: 0, quarantined: 1 });
  assert.match(lines()[1], /"reason":"the body is longer than 4194304 bytes"/);
});

const read = (...events: object[]) => {
  const { records, ...counts } = readWebhook(JSON.stringify({ events }), now);
  const lines = records
    .flatMap(({ data }) => Buffer.from(data).toString().split('\n'))
    .map((line) => JSON.parse(line) as { type: string; reason: string; event: Record<string, unknown> });
  return { lines, ...counts };
};
type Sample = ReturnType<typeof pullOf>;
const target = (more: object) => ({ target: { ...pullOf('ann', 'team/app').target, ...more } });

/** The limits of a Distribution event's fields. The reason names the field. */
const ofEvent: [string, (size: number) => Partial<Sample>, number][] = [
  ['id', (size) => ({ id: 'x'.repeat(size) }), eventLimits.id],
  ['repository', (size) => target({ repository: 'x'.repeat(size) }) as never, eventLimits.name],
  ['digest', (size) => target({ digest: 'x'.repeat(size) }) as never, eventLimits.name],
  ['mediaType', (size) => target({ mediaType: 'manifest'.padEnd(size, 'x') }) as never, eventLimits.name],
  ['tag', (size) => target({ tag: 'x'.repeat(size) }) as never, eventLimits.tag],
];
for (const [name, fields, most] of ofEvent)
  test(`registry events: ${name} of ${most} characters is accepted, one more is quarantined`, () => {
    const event = (size: number) => ({ ...pullOf('ann', 'team/app'), ...fields(size) });
    assert.equal(read(event(most)).accepted, 1);
    const { quarantined, lines } = read(event(most + 1));
    assert.equal(quarantined, 1);
    assert.match(lines[0].reason, new RegExp(`${name}.*${most + 1} characters, more than ${most}`));
  });

test(`registry events: a user of ${eventLimits.name} characters is kept, a longer one is cut but stays distinct from others that begin alike`, () => {
  const userOf = (name: string) => String(read(pullOf(name, 'team/app')).lines[0].event.user);
  const most = 'u'.repeat(eventLimits.name);
  assert.equal(userOf(most), most);
  const [one, two] = [`${most}1`, `${most}2`].map(userOf);
  assert.equal(one.length, eventLimits.name);
  assert.notEqual(one, two);
  assert.ok(one.startsWith('u'.repeat(eventLimits.name - 33)));
});

test('registry events: 20,000 in a body are read; with one more, the whole body is quarantined', () => {
  const many = (count: number) => Array.from({ length: count }, () => ({}));
  assert.equal(read(...many(20_000)).quarantined, 20_000);
  const { quarantined, lines } = read(...many(20_001));
  assert.equal(quarantined, 1);
  assert.match(lines[0].reason, /20001 events in one body, more than 20000/);
});

test('registry events: of an index, 2,000 manifests and 100 media types are kept', () => {
  const references = (count: number) =>
    Array.from({ length: count }, (_, n) => ({ mediaType: `manifest/${n}`, digest: `sha256:${n}` }));
  const counts = (count: number) => {
    const { event } = read({ ...pullOf('ann', 'team/app'), ...target({ references: references(count) }) }).lines[0];
    return [event.references, event.referenceTypes].map((list) => (list as unknown[]).length);
  };
  assert.deepEqual(counts(100), [100, 100]);
  assert.deepEqual(counts(101), [101, 100]);
  assert.deepEqual(counts(2000), [2000, 100]);
  assert.deepEqual(counts(2001), [2000, 100]);
});

test('registry events: a line of 320 KiB is accepted, a byte more is quarantined', () => {
  // An index's digests fill the line: each has 150 characters, plus its share of the rest.
  const event = (more: number) => {
    let left = more;
    const references = Array.from({ length: 2000 }, (_, n) => {
      const own = Math.min(left, 100);
      left -= own;
      return { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: `sha256:${n}`.padEnd(150 + own, 'x') };
    });
    return { ...pullOf('ann', 'team/app', { n: 1, time: now }), ...target({ references }) };
  };
  const most = 320 * 1024;
  const missing = most - Buffer.byteLength(JSON.stringify(read(event(0)).lines[0]));
  assert.equal(read(event(missing)).accepted, 1);
  const { quarantined, lines } = read(event(missing + 1));
  assert.equal(quarantined, 1);
  assert.match(lines[0].reason, new RegExp(`the event has ${most + 1} bytes, more than ${most}`));
});

test('hits: no sender may name the domain that hits beyond the limits are counted for', async () => {
  const { post, lines } = collecting();
  for (const domain of [other, 'OTHER', 'other.', 'other:80'])
    for (const fields of [{}, { id: '1' }, { path: '\u00e9' }]) {
      const answer = await post('/v1/hits', JSON.stringify({ ...fields, domain }));
      assert.equal(answer.status, 400, domain);
    }
  const rest = ['others', 'another', 'other.example'].map((domain) => ({ domain }));
  assert.equal((await post('/v1/hits', JSON.stringify(rest))).status, 202);
  assert.equal(lines().length, rest.length);
});

test('a compressed body is refused, or quarantined with the reason; a byte order mark is not read', async () => {
  const { post, lines } = collecting();
  const hit = JSON.stringify({ domain: 'a.example' });
  const events = JSON.stringify({ events: [pullOf('ann', 'team/app')] });
  for (const encoding of ['gzip', 'x-gzip', 'deflate', 'br', 'zstd', 'gzip, identity', 'identity, gzip', 'none']) {
    const headers = { 'Content-Encoding': encoding };
    assert.equal((await post('/v1/hits', hit, headers)).status, 415, encoding);
    const answer = await post('/v1/registry-events', events, headers);
    assert.deepEqual(await answer.json(), { accepted: 0, ignored: 0, quarantined: 1 });
    assert.match(lines().at(-1) as string, /"reason":"the body is compressed: it must be sent as it is"/);
  }
  for (const headers of [{}, { 'Content-Encoding': 'identity' }, { 'Content-Encoding': '' }] as object[]) {
    assert.equal((await post('/v1/hits', `\ufeff${hit}`, { ...headers })).status, 202);
    const answer = await post('/v1/registry-events', `\ufeff${events}`, { ...headers });
    assert.deepEqual(await answer.json(), { accepted: 1, ignored: 0, quarantined: 0 });
  }
});
