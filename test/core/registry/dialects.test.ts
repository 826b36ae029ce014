// Each dialect, tested on examples made from its documentation (test/fixtures/registry/NAME.json).
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { structured } from '#core/registry/dialects/cloudevents.ts';
import { dialects } from '#core/registry/dialects/dialects.ts';
import { whyInvalidEvent } from '#core/registry/line.ts';
import { normalise } from '#core/registry/normalise.ts';
import { fixtures, readFixture } from '../../support/captured.ts';

const receivedAt = Date.parse('2024-10-28T00:00:00Z');
const told = Date.parse('2024-10-27T03:33:20Z');

interface Example {
  headers: Record<string, string>;
  body: Record<string, unknown>;
}

function read({ headers, body }: Example) {
  const header = (name: string) => Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1];
  return normalise(structured(body, header), { receivedAt });
}
const examples = (name: string): Example[] => readFixture(`${name}.json`).examples;

/** action, repository, tag, digest's first characters, user, seconds since the epoch */
type Row = [string, string, string | undefined, string | undefined, string, number];
const rows: Record<string, Row[]> = {
  acr: [
    ['push', 'acme/api', 'latest', 'sha256:f6', '', told + 123.456],
    ['delete', 'acme/api', undefined, 'sha256:f6', '', told + 123.456],
  ],
  artifactory: [
    ['push', 'docker-local/acme/api', 'latest', 'sha256:e5', 'alice', receivedAt],
    ['delete', 'docker-local/acme/api', 'latest', 'sha256:e5', 'alice', receivedAt],
  ],
  dockerhub: [['push', 'acme/api', 'latest', undefined, 'alice', 1_730_000_000_000]],
  ecr: [
    ['push', 'acme/api', 'latest', 'sha256:d4', '', told],
    ['delete', 'acme/api', 'latest', 'sha256:d4', '', told],
    ['pull', 'acme/api', 'latest', undefined, 'arn:aws:sts::111122223333:assumed-role/dev/alice', told],
  ],
  gitea: [
    ['push', 'acme/api', 'latest', undefined, 'alice', told],
    ['delete', 'acme/api', 'latest', undefined, 'alice', receivedAt],
  ],
  github: [
    ['push', 'acme/api', 'v1', 'sha256:b2', 'alice', told],
    ['push', 'acme/api', 'latest', 'sha256:b2', 'alice', told],
  ],
  gitlab: [['pull', 'group/project/api', 'latest', 'sha256:c3', 'alice', told + 123.456]],
  harbor: [
    ['push', 'library/redis', '7.2', 'sha256:a1', 'alice', 1_730_000_000_000],
    ['pull', 'library/redis', undefined, 'sha256:a1', 'bob', 1_730_000_000_000],
    ['delete', 'library/redis', '7.2', 'sha256:a1', 'alice', 1_730_000_000_000],
    ['pull', 'library/redis', '7.2', 'sha256:a1', 'bob', told],
    ['push', 'library/redis', '7.2', 'sha256:a1', 'robot$library+ci', told],
  ],
  quay: [['push', 'acme/api', 'latest', undefined, '', receivedAt]],
  zot: [
    ['push', 'acme/api', 'latest', 'sha256:07', 'alice', told + 123.456],
    ['push', 'acme/api', undefined, undefined, 'alice', told + 123.456],
  ],
};

for (const [name, expected] of Object.entries(rows))
  test(`${name}: the documented payloads`, () => {
    const results = examples(name).map(read);
    assert.deepEqual(
      results.flatMap(({ rejected }) => rejected.map(({ reason }) => reason)),
      [],
    );
    const events = results.flatMap(({ events }) => events);
    assert.deepEqual(
      events.map(({ action, repository, tag, digest, user, time }) => [
        ...[action, repository, tag, digest?.slice(0, 9), user, time],
      ]),
      expected,
    );
    for (const { kind, action } of events) assert.equal(kind, action === 'delete' ? 'other' : 'manifest');
    // A notification sent again gives the same events.
    const again = examples(name).flatMap((example) => read(structuredClone(example)).events);
    assert.deepEqual(
      again.map(({ id }) => id),
      events.map(({ id }) => id),
    );
  });

test('every dialect has a fixture, every fixture a row', () => {
  const names = readdirSync(fixtures).flatMap((name) => /^([\w]+)\.json$/.exec(name)?.[1] ?? []);
  assert.deepEqual(names.sort(), Object.keys(rows).sort());
  const read = new Set(
    names.flatMap((name) =>
      examples(name).map(({ headers, body }) => {
        const header = (key: string) => Object.entries(headers).find(([other]) => other.toLowerCase() === key)?.[1];
        const whole = structured(body, header) as Record<string, unknown>;
        return dialects.find(({ fits }) => fits(whole))?.name;
      }),
    ),
  );
  assert.deepEqual([...read].sort(), dialects.map(({ name }) => name).sort());
});

const change = (name: string, change: object, at = 0) => {
  const example = structuredClone(examples(name)[at]);
  return read({ ...example, body: { ...example.body, ...change } });
};
const detail = (at: number, change: object) => ({
  detail: { ...(examples('ecr')[at].body.detail as object), ...change },
});

test("Azure's Event Grid sends the same events, as CloudEvents and in arrays of its own schema", () => {
  const bodies = examples('acr').map(({ body }) => body);
  const plain = bodies.map((body) => normalise(body, { receivedAt }).events);
  const type = 'Microsoft.ContainerRegistry.ImagePushed';
  const cloud = bodies.map((data) => normalise({ specversion: '1.0', id: 'e', type, data }, { receivedAt }).events);
  assert.deepEqual(cloud, plain);
  const grid = bodies.map((data) => ({ id: 'e', eventType: type, topic: 't', data }));
  const other = { id: 'e', eventType: 'Microsoft.Storage.BlobCreated', data: {} };
  const { events, rejected } = normalise([...grid, other], { receivedAt });
  assert.deepEqual(events, plain.flat());
  assert.equal(rejected.length, 1);
});

test('notifications that are not about pulls or pushes are ignored', () => {
  const none: [string, ReturnType<typeof read>][] = [
    ['ACR ping', read({ headers: {}, body: { id: 'a', timestamp: '2024-10-27T03:33:20Z', action: 'ping' } })],
    ['ACR chart', change('acr', { action: 'chart_push' })],
    ['ACR quarantine', change('acr', { action: 'quarantine' })],
    ['Artifactory promotion', change('artifactory', { event_type: 'promoted' })],
    ['Artifactory build', change('artifactory', { domain: 'build', event_type: 'uploaded' })],
    ['ECR scan', change('ecr', { 'detail-type': 'ECR Image Scan' })],
    ['ECR replication', change('ecr', { 'detail-type': 'ECR Replication Action' })],
    ['ECR push that failed', change('ecr', detail(0, { result: 'FAILURE' }))],
    ['ECR login', change('ecr', detail(2, { eventName: 'GetAuthorizationToken' }), 2)],
    ['ECR pull that was refused', change('ecr', detail(2, { errorCode: 'AccessDenied' }), 2)],
    ['GitHub ping', read({ headers: {}, body: { zen: 'Design for failure.', hook_id: 1, hook: {} } })],
    ['GitHub npm', change('github', { registry_package: { package_type: 'npm' } })],
    ['Gitea npm', change('gitea', { package: { owner: {}, type: 'npm' } })],
    ['Quay build', change('quay', { updated_tags: undefined, build_id: 'x' })],
    ['GitLab rename', read({ headers: {}, body: { events: [{ action: 'rename' }] } })],
    ...['repository.created', 'image.lint_failed', 'image.scanned'].map((type): [string, ReturnType<typeof read>] => [
      `zot ${type}`,
      read({ ...examples('zot')[0], headers: { ...examples('zot')[0].headers, 'Ce-Type': `zotregistry.${type}` } }),
    ]),
    ...[
      ...['UPLOAD_CHART', 'DOWNLOAD_CHART', 'DELETE_CHART', 'SCANNING_FAILED', 'QUOTA_EXCEED', 'REPLICATION'],
      ...['uploadChart', 'scanningCompleted', 'projectQuota', 'TAG_RETENTION', 'QUARANTINE'],
    ].map((type): [string, ReturnType<typeof read>] => [type, change('harbor', { type })]),
    ...['harbor.scan.completed', 'harbor.quota.exceeded', 'harbor.replication.status.changed'].map(
      (type): [string, ReturnType<typeof read>] => [type, change('harbor', { type }, 3)],
    ),
  ];
  for (const [name, { events, ignored, rejected }] of none)
    assert.deepEqual({ events, ignored, rejected }, { events: [], ignored: 1, rejected: [] }, name);
});

test('an unknown action or type is quarantined with its name', () => {
  for (const [result, reason] of [
    [change('acr', { action: 'brew' }), 'acr: action is "brew": must be pull, push, delete or mount'],
    [change('artifactory', { event_type: 'brewed' }), 'artifactory: event_type "brewed" is unknown'],
    [change('ecr', { 'detail-type': 'ECR Tea' }), 'ecr: detail-type "ECR Tea" is unknown'],
    [change('ecr', detail(0, { 'action-type': 'BREW' })), 'ecr: action-type "BREW" is unknown'],
    [change('github', { action: 'brewed' }), 'github: action "brewed" is unknown'],
    [change('gitea', { action: 'brewed' }), 'gitea: action "brewed" is unknown'],
    [change('harbor', { type: 'BREW' }), 'harbor: type "BREW" is unknown'],
    [change('harbor', { type: 'constructor' }), 'harbor: type "constructor" is unknown'],
    [change('harbor', { type: 'harbor.tea.brewed' }, 3), 'harbor cloudevents: type "harbor.tea.brewed" is unknown'],
    [
      change('dockerhub', { push_data: { pushed_at: 'noon' } }),
      'docker hub: pushed_at is string: must be seconds since 1970',
    ],
    [change('quay', { updated_tags: [7] }), 'quay: updated_tags is not a list of tags'],
  ] as const)
    assert.deepEqual(
      result.rejected.map((one) => one.reason),
      [reason],
    );
});

test('the types of Harbor 1.x are read as pushes, pulls and deletes', () => {
  for (const [type, action] of [
    ['pushImage', 'push'],
    ['pullImage', 'pull'],
    ['deleteImage', 'delete'],
  ])
    assert.deepEqual(
      change('harbor', { type }).events.map((event) => event.action),
      [action],
    );
});

test('older forms are read: times as floats (Docker Hub), tags as an object (Quay)', () => {
  const push = { pushed_at: '1.385141110E9', pusher: 'alice', tag: 'latest' };
  assert.equal(change('dockerhub', { push_data: push }).events[0].time, 1_385_141_110_000);
  const tags = change('quay', { updated_tags: { latest: 'ab', v1: 'cd' } }).events.map(({ tag }) => tag);
  assert.deepEqual(tags, ['latest', 'v1']);
});

test('ECR: a call for several images is as many pulls, with user and address', () => {
  const request = {
    repositoryName: 'acme/api',
    imageIds: [{ imageTag: '1' }, { imageDigest: `sha256:${'d'.repeat(64)}` }],
  };
  const { events } = change('ecr', detail(2, { requestParameters: request }), 2);
  assert.deepEqual(
    events.map(({ tag, digest, address, userAgent }) => [tag, digest?.length, address, userAgent]),
    [
      ['1', undefined, '203.0.113.9', 'docker/27.3.1 go/go1.22.7'],
      [undefined, 71, '203.0.113.9', 'docker/27.3.1 go/go1.22.7'],
    ],
  );
  assert.equal(new Set(events.map(({ id }) => id)).size, 2);
  const service = { userIdentity: { type: 'AWSService', invokedBy: 'ecs-tasks.amazonaws.com' } };
  const by = change('ecr', detail(2, { ...service, sourceIPAddress: 'ecs-tasks.amazonaws.com' }), 2).events[0];
  assert.deepEqual([by.user, by.address], ['ecs-tasks.amazonaws.com', '']);
});

test('zot: an update has the references of its manifest', () => {
  const example = structuredClone(examples('zot')[0]);
  const manifests = [{ digest: 'sha256:aa', mediaType: 'application/vnd.oci.image.manifest.v1+json' }];
  example.body.manifest = JSON.stringify({ schemaVersion: 2, manifests, subject: { digest: 'sha256:bb' } });
  const [{ references, subject }] = read(example).events;
  assert.deepEqual([references, subject], [['sha256:aa'], 'sha256:bb']);
});

test('Distribution: without a media type, the URL or the tag identifies a manifest', () => {
  const event = (target: object) => ({
    ...{ id: 'a', timestamp: '2024-10-27T03:33:20Z', action: 'pull', request: { method: 'GET' } },
    target: { repository: 'a/b', digest: `sha256:${'a'.repeat(64)}`, ...target },
  });
  const kinds = (target: object) =>
    normalise({ events: [event(target)] }, { receivedAt }).events.map(({ kind }) => kind);
  assert.deepEqual(kinds({ url: 'http://r/v2/a/b/manifests/1' }), ['manifest']);
  assert.deepEqual(kinds({ mediaType: '', tag: '1' }), ['manifest']);
  assert.deepEqual(kinds({ url: 'http://r/v2/a/manifests/blobs/sha256:aa' }), []);
  assert.deepEqual(kinds({}), []);
  assert.deepEqual(kinds({ mediaType: 'application/octet-stream', url: 'http://r/v2/a/b/manifests/1' }), []);
});

test('long names are cut, keep a hash of the whole, and stay apart', () => {
  const subject = (end: string) => `arn:aws:sts::1:assumed-role/${'r'.repeat(400)}/${end}`;
  const [a, b] = ['a', 'b'].map((end) => change('harbor', { operator: subject(end) }).events[0].user);
  assert.equal(a.length, 255);
  assert.notEqual(a, b);
  assert.equal(change('harbor', { operator: subject('a') }).events[0].user, a);
  assert.equal(change('harbor', { operator: 'é'.repeat(255) }).events[0].user, 'é'.repeat(255));
});

test('no body makes a dialect throw, and process accepts every event', () => {
  const all = Object.keys(rows).flatMap((name) => examples(name));
  const leaf = fc.oneof(
    fc.constant(undefined),
    fc.constant(null),
    fc.string(),
    fc.integer(),
    fc.double(),
    fc.constant([]),
    fc.constant({}),
  );
  const paths = (value: unknown, path: string[] = []): string[][] =>
    typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([key, inner]) => [[...path, key], ...paths(inner, [...path, key])])
      : [];
  const damaged = fc.constantFrom(...all).chain((example) =>
    fc.tuple(fc.constantFrom(...paths(example.body)), leaf).map(([path, value]) => {
      const copy = structuredClone(example);
      let at = copy.body as Record<string, unknown>;
      for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>;
      at[path.at(-1)!] = value;
      return copy;
    }),
  );
  fc.assert(
    fc.property(damaged, (example) => {
      const { events, ignored, rejected } = read(example);
      assert.ok(events.length + ignored + rejected.length > 0 || JSON.stringify(example).includes('[]'));
      for (const event of events) assert.equal(whyInvalidEvent(event), undefined);
    }),
    { numRuns: 3000, seed: 8 },
  );
});
