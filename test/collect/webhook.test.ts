import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readWebhook, tokenOf } from '#collect/webhook.ts';
import type { RegistryLine, RejectedLine } from '#core/event.ts';
import { pullOf } from '../support/registry-event.ts';

const now = Date.parse('2026-11-21T12:00:00Z');

/** The stream lines made from a body. */
function linesOf(body: string): (RegistryLine | RejectedLine)[] {
  return readWebhook(body, now).records.flatMap(({ data }) =>
    Buffer.from(data)
      .toString()
      .split('\n')
      .map((line) => JSON.parse(line)),
  );
}

const reasonOf = (body: string) => (linesOf(body)[0] as RejectedLine).reason;

test("a JSON error is reported by its position, never with the body's text", () => {
  assert.equal(reasonOf(''), 'the body is not JSON: it ends too soon');
  assert.equal(reasonOf('{"a": 1, "b" 2}'), 'the body is not JSON from character 13 on');
  for (const body of [
    'alice',
    '{"name": alice}',
    '{"name": "alice" x}',
    '["alice',
    '{"alice": "\n"}',
    'alice\u0000'.repeat(99),
  ])
    assert.match(reasonOf(body), /^the body is not JSON(: it ends too soon| from character \d+ on)?$/, body);
});

const event = (change: object = {}, target: object = {}) => ({
  id: 'one',
  timestamp: '2026-11-21T11:59:25Z',
  action: 'pull',
  target: { mediaType: 'application/vnd.oci.image.index.v1+json', repository: 'a/b', tag: '1', ...target },
  request: { addr: '203.0.113.7:45784', method: 'GET' },
  actor: { name: 'ann' },
  ...change,
});

test('an event nested as deep as a body allows is quarantined unchanged, and the events beside it are accepted', () => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  const bodies = [
    deep,
    `{"events": ${deep}}`,
    `{"events": [{"action": "x", "a": ${deep}}]}`,
    `{"type": "PULL_ARTIFACT", "event_data": {"resources": ${deep}}}`,
    `{"type": "PULL_ARTIFACT", "event_data": {"resources": [{}], "repository": {"repo_full_name": "h"}}, "a": ${deep}}`,
    `{"specversion": "1.0", "type": "harbor.artifact.pulled", "data": ${deep}}`,
  ];
  for (const body of bodies) {
    const { accepted, quarantined } = readWebhook(body, now);
    assert.deepEqual([accepted, quarantined], [0, 1], body.slice(0, 60));
    const [line] = linesOf(body) as RejectedLine[];
    assert.equal(line.body, body.slice(0, 65_536));
  }
  const beside = readWebhook(`{"events": [${JSON.stringify(event())}, {"action": ${deep}}]}`, now);
  assert.deepEqual([beside.accepted, beside.quarantined], [1, 1]);
});

test('an event too long to be stored is quarantined with its size', () => {
  const reference = (at: number) => ({
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest: `sha256:${String(at).padStart(64, '0')}`,
  });
  const references = Array.from({ length: 14_500 }, (_, at) => reference(at));
  assert.equal(readWebhook(JSON.stringify({ events: [event({}, { references })] }), now).accepted, 1);
  // Three bytes a character.
  const wide = references.map((each, at) => ({ ...each, digest: String(at).padStart(255, '€') }));
  const body = JSON.stringify({ events: [event({}, { references: wide.slice(0, 3000) }), event({ id: 'two' })] });
  const { accepted, quarantined } = readWebhook(body, now);
  assert.deepEqual([accepted, quarantined], [1, 1]);
  const { reason, body: kept } = linesOf(body).find(({ type }) => type === 'rejected') as RejectedLine;
  assert.match(reason, /^the event has \d+ bytes, more than 327680$/);
  assert.ok(kept.length <= 65_536 && !kept.includes('203.0.113.7'));
});

test('a body becomes records that the stream accepts, however much of it is quarantined', () => {
  const bodies = [
    JSON.stringify({ events: new Array(1_000_000).fill(7) }),
    JSON.stringify({ events: Array.from({ length: 3000 }, () => event({ action: '\u0001'.repeat(150) })) }),
    JSON.stringify({
      events: Array.from({ length: 4000 }, (_, at) => event({ id: `${at}`, actor: { name: '€'.repeat(255) } })),
    }),
    '\u0001'.repeat(4_000_000),
    JSON.stringify(':: '.repeat(1_000_000)),
  ];
  for (const body of bodies) {
    const { records, accepted, quarantined } = readWebhook(body, now);
    for (const { data } of records) assert.ok(data.length <= 512 * 1024, `${data.length} bytes`);
    assert.equal(linesOf(body).length, accepted + quarantined);
    assert.ok(accepted + quarantined <= 20_000);
  }
});

test('a token comes as Bearer, as the password of the URL, or as the secret of Artifactory', () => {
  const carries = (headers: Record<string, string>) => tokenOf((name) => headers[name]) === 'whale:42';
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
  assert.ok(carries({ authorization: 'Bearer whale:42' }));
  assert.ok(carries({ authorization: basic('whalewatch:whale:42') }));
  assert.ok(carries({ authorization: basic(':whale:42') }));
  assert.ok(carries({ 'x-jfrog-event-auth': 'whale:42' }));
  for (const headers of [
    {},
    { authorization: 'whale:42' },
    { authorization: basic('whale:42') },
    { authorization: basic('whale:42:') },
    { authorization: 'Basic' },
    { authorization: 'Bearer other', 'x-jfrog-event-auth': 'whale:42' },
  ] as Record<string, string>[])
    assert.ok(!carries(headers), JSON.stringify(headers));
});

test('a binary CloudEvent is read with the attributes in its headers, and quarantined with them', () => {
  const headers: Record<string, string> = {
    'ce-specversion': '1.0',
    'ce-type': 'zotregistry.tea',
    'ce-id': 'a4152637',
    'ce-source': 'zotregistry.dev',
  };
  const { quarantined, records } = readWebhook('{"name": "acme/api"}', now, (name) => headers[name]);
  assert.equal(quarantined, 1);
  const line = JSON.parse(Buffer.from(records[0].data).toString());
  assert.equal(line.reason, 'zot: type "zotregistry.tea" is unknown');
  assert.deepEqual(JSON.parse(line.body), {
    ...{ specversion: '1.0', id: 'a4152637', source: 'zotregistry.dev', type: 'zotregistry.tea' },
    data: { name: 'acme/api' },
  });
});

test('events share a partition key, and so keep their order, by user; without a user by address, else by repository', () => {
  const keyOf = (user: string, addr: string, repository: string) => {
    const event = { ...pullOf(user, repository, { n: 1, time: 0 }), request: { addr, method: 'GET', useragent: '' } };
    const { records } = readWebhook(JSON.stringify({ events: [event] }), 0);
    assert.equal(records.length, 1);
    return records[0].key;
  };
  const [here, there] = ['192.0.2.1:1', '192.0.2.2:1'];
  assert.equal(keyOf('ann', here, 'a'), keyOf('ann', there, 'b'));
  assert.notEqual(keyOf('ann', here, 'a'), keyOf('bob', here, 'a'));
  assert.equal(keyOf('', here, 'a'), keyOf('', here, 'b'));
  assert.notEqual(keyOf('', here, 'a'), keyOf('', there, 'a'));
  assert.equal(keyOf('', '', 'a'), keyOf('', '', 'a'));
  assert.notEqual(keyOf('', '', 'a'), keyOf('', '', 'b'));
});

test('what is quarantined of a registry with a name has that name', () => {
  const read = (registry?: Parameters<typeof readWebhook>[3]) =>
    JSON.parse(Buffer.from(readWebhook('{', now, undefined, registry).records[0].data).toString());
  assert.equal('registry' in read(), false);
  assert.equal(read({ name: 'east', hosts: [] }).registry, 'east');
});
