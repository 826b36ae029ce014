import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { PullClass } from '#core/event.ts';
import { type Classified, classifier, classRules, clientOf } from '#core/registry/classify.ts';
import { eventsOf, readCapture } from '../../support/captured.ts';

const classOf = classifier();
const event = (change: Partial<Classified>): Classified => ({
  method: 'GET',
  repository: 'a/b',
  user: 'alice',
  userAgent: 'docker/27.3.1 go/go1.22.7',
  ...change,
});

const cases: [string, Partial<Classified>, PullClass][] = [
  ['docker pulls', {}, 'human'],
  ['docker asks whether a tag moved', { method: 'HEAD', tag: 'latest' }, 'human'],
  [
    'docker with the containerd store',
    { userAgent: 'docker/29.0 containerd-client/2.2 storage-driver/overlayfs' },
    'human',
  ],
  ['podman', { userAgent: 'libpod/5.2.2', method: 'HEAD' }, 'human'],
  ['podman by its library', { userAgent: 'containers/5.34.3 (github.com/containers/image)', method: 'HEAD' }, 'human'],
  ['skopeo copies', { userAgent: 'skopeo/1.9.3' }, 'human'],
  ['crane pulls', { userAgent: 'crane/v0.22.1 go-containerregistry/v0.22.1' }, 'human'],
  ['no user agent', { userAgent: '' }, 'human'],
  ['containerd', { userAgent: 'containerd/1.6.20~ds1' }, 'cluster'],
  ['cri-o', { userAgent: 'cri-o/1.31.0 go/go1.22 os/linux arch/amd64', method: 'HEAD' }, 'cluster'],
  ['crane digest', { userAgent: 'crane/v0.22.1 go-containerregistry/v0.22.1', method: 'HEAD' }, 'version-check'],
  ['curl looks', { userAgent: 'curl/8.5', method: 'HEAD' }, 'version-check'],
  ['docker manifest inspect', { userAgent: 'Docker-Client/28.2.2 (linux)' }, 'version-check'],
  ['watchtower', { userAgent: 'Watchtower (Docker)' }, 'version-check'],
  ['renovate', { userAgent: 'RenovateBot/37.0 (https://github.com/renovatebot/renovate)' }, 'version-check'],
  ['cosign verifies', { userAgent: 'cosign/v2.4.1 (linux; amd64)', tag: '8.1' }, 'signature'],
  ['a signature by tag', { tag: `sha256-${'ab'.repeat(32)}.sig` }, 'signature'],
  ['an attestation by tag', { tag: `sha256-${'ab'.repeat(32)}.att` }, 'signature'],
  ['the referrers tag', { tag: `sha256-${'ab'.repeat(32)}` }, 'signature'],
  ['a tag that only looks so', { tag: 'sha256-short' }, 'human'],
  ['a notation signature', { referenceTypes: ['application/vnd.cncf.notary.signature'] }, 'signature'],
  ['trivy', { userAgent: 'trivy/0.57.0 go-containerregistry/v0.20.2' }, 'scanner'],
  ['grype', { userAgent: 'grype/0.80' }, 'scanner'],
  ['a scanner in a cluster', { userAgent: 'containerd/1.7', user: 'robot$trivy-scanner' }, 'scanner'],
  ['Harbor replicates', { userAgent: 'harbor-registry-client' }, 'mirror'],
  ['Harbor replicates anew', { userAgent: 'harbor-replication-service' }, 'mirror'],
  ['werf builds', { userAgent: 'werf/v2.7.3 go-containerregistry/v0.19.1' }, 'ci'],
  ['a GitHub app', { user: 'deploy[bot]' }, 'ci'],
  ['a Harbor robot', { user: 'robot$library+ci' }, 'ci'],
  ['the captured robot', { user: 'ci+robot@example', userAgent: 'curl/7.88.1' }, 'ci'],
  ['a GitLab job', { user: 'alice', userType: 'build' }, 'ci'],
  ['a GitLab person', { user: 'alice', userType: 'personal_access_token' }, 'human'],
  ['buildkit', { userAgent: 'buildkit/v0.17', method: 'HEAD' }, 'ci'],
  ['names that only hold the letters', { user: 'abbott.marcia' }, 'human'],
];

for (const [name, change, expected] of cases)
  test(`${name}: ${expected}`, () => assert.equal(classOf(event(change)), expected));

test('every rule has a source and a name of its own', () => {
  assert.equal(new Set(classRules.map(({ name }) => name)).size, classRules.length);
  for (const { source } of classRules) assert.ok(source.length > 0);
});

test('overrides are asked first, as patterns or their texts', () => {
  const own = classifier([
    { class: 'ci', name: 'our builders', source: 'the platform team', user: '^builder-\\d+$' },
    { class: 'human', name: 'laptops run containerd', source: 'the platform team', userAgent: /^containerd\/2/ },
  ]);
  assert.equal(own(event({ user: 'Builder-7' })), 'ci');
  assert.equal(own(event({ userAgent: 'containerd/2.0' })), 'human');
  assert.equal(own(event({ userAgent: 'containerd/1.7' })), 'cluster');
});

test('an override that matches everything or is no pattern is refused', () => {
  assert.throws(() => classifier([{ class: 'ci', name: 'all', source: '-' }]), /"all" matches everything/);
  assert.throws(() => classifier([{ class: 'ci', name: 'bad', source: '-', user: '(' }]), /"bad": user "\("/);
});

test('a pattern with state still answers the same twice', () => {
  const own = classifier([{ class: 'ci', name: 'sticky', source: '-', user: /alice/g }]);
  assert.deepEqual([own(event({})), own(event({}))], ['ci', 'ci']);
});

test('clients are named as people know them', () => {
  for (const [userAgent, client] of [
    ['docker/27.3.1 go/go1.22.7', 'docker'],
    ['Docker-Client/28.2.2 (linux)', 'docker'],
    ['containerd/1.6.20~ds1', 'containerd'],
    ['crane/v0.22.1 go-containerregistry/v0.22.1', 'crane'],
    ['go-containerregistry/v0.20', 'crane'],
    ['Buildah/1.37', 'buildah'],
    ['libpod/5.2.2', 'podman'],
    ['Watchtower (Docker)', 'watchtower'],
    ['harbor-registry-client', 'harbor-registry-client'],
    ['agent-ü "q"', 'agent-ü'],
    ['', ''],
    ['(;', ''],
  ])
    assert.equal(clientOf(userAgent), client, userAgent);
});

test('captured clients fall into their classes', () => {
  const classes: Record<string, string[]> = {};
  for (const { client, class: kind } of eventsOf(readCapture('distribution-2.8.ndjson')))
    classes[client] = [...new Set([...(classes[client] ?? []), kind])].sort();
  assert.deepEqual(classes, {
    skopeo: ['human'],
    crane: ['human', 'version-check'],
    docker: ['human', 'version-check'],
    containerd: ['cluster'],
    curl: ['ci', 'human'],
    'agent-ü': ['human'],
    '': ['human'],
    cosign: ['signature'],
  });
});

test('a client is named as the pattern of its rule says, without the time that the pattern takes', () => {
  // The lazy pattern is the rule in one line; in 512 letters of spaces it tries 22 million ways.
  const pattern = /^[\s"']*([\p{L}\d][\p{L}\d._ -]*?)\s*(?:[/(;,"]|$|\s+v?\d)/u;
  const agent = fc.string({
    unit: fc.constantFrom('a', 'é', ' ', ' ', '\t', '/', 'v', '1', '.', '"', '!'),
    maxLength: 12,
  });
  fc.assert(
    fc.property(agent, (userAgent) => {
      assert.equal(clientOf(userAgent), pattern.exec(userAgent)?.[1] ?? '');
    }),
    { seed: 3, numRuns: 20_000 },
  );
  for (const part of [' ', '\t', 'a ', ' w', 'a', '. '])
    assert.equal(clientOf(`a${part.repeat(100_000)}!`), '', JSON.stringify(part));
});
