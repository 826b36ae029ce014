import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { PullClass } from '#core/event.ts';
import { type Classified, classifier, classRules, clientOf, knownAgent } from '#core/registry/classify.ts';
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
  ['Harbor replicates, newer user agent', { userAgent: 'harbor-replication-service' }, 'mirror'],
  ['werf builds', { userAgent: 'werf/v2.7.3 go-containerregistry/v0.19.1' }, 'ci'],
  ['a GitHub app', { user: 'deploy[bot]' }, 'ci'],
  ['a Harbor robot', { user: 'robot$library+ci' }, 'ci'],
  ['the captured robot', { user: 'ci+robot@example', userAgent: 'curl/7.88.1' }, 'ci'],
  ['a GitLab job', { user: 'alice', userType: 'build' }, 'ci'],
  ['a GitLab person', { user: 'alice', userType: 'personal_access_token' }, 'human'],
  ['buildkit', { userAgent: 'buildkit/v0.17', method: 'HEAD' }, 'ci'],
  ['names that only contain the characters', { user: 'abbott.marcia' }, 'human'],
  ['Flux fetches', { userAgent: 'flux/v2 go-containerregistry/v0.20.3' }, 'cluster'],
  ['Flux fetches a chart', { userAgent: 'flux/v2/helm/v4/oras/v2' }, 'cluster'],
  ['Flux asks', { userAgent: 'flux/v2', method: 'HEAD' }, 'version-check'],
  ['the SOCI snapshotter', { userAgent: 'soci-snapshotter/0.9.0' }, 'cluster'],
  ['Argo CD', { userAgent: 'argocd-repo-server/v3.1' }, 'cluster'],
  ['Spegel', { userAgent: 'spegel' }, 'mirror'],
  ['Spegel asks', { userAgent: 'spegel', method: 'HEAD' }, 'mirror'],
  ['regsync', { userAgent: 'regclient/regsync (v0.11.7)' }, 'mirror'],
  ['regbot asks', { userAgent: 'regclient/regbot (v0.11.7)', method: 'HEAD' }, 'mirror'],
  ['regctl', { userAgent: 'regclient/regctl (v0.11.7)' }, 'human'],
  ['Artifactory', { userAgent: 'Artifactory/7.25.6 72506900' }, 'mirror'],
  ['Nexus', { userAgent: 'Nexus/3.60.0-01 (PRO; Linux; 5.15; amd64; 1.8.0_292)' }, 'mirror'],
  ['zot', { userAgent: 'zot/v2.1.0' }, 'mirror'],
  ['Dragonfly', { userAgent: 'dragonfly/2.2' }, 'mirror'],
  ["the registry's own cache", { userAgent: 'Go-http-client/1.1' }, 'mirror'],
  ['a bare Go client asks', { userAgent: 'Go-http-client/2.0', method: 'HEAD' }, 'mirror'],
  ['helm', { userAgent: 'Helm/3.22.0' }, 'human'],
  ['oras', { userAgent: 'oras/1.3.6' }, 'human'],
  ['a library of oras', { userAgent: 'oras-go' }, 'human'],
  ['kyverno', { userAgent: 'Kyverno/v1.13.0 (linux; amd64)' }, 'signature'],
  ['a client nobody knows', { userAgent: 'kitops-cli/1.5' }, 'human'],
];

const machines: [string, PullClass][] = [
  ['robot$library+ci', 'ci'],
  ['robot$backup', 'ci'],
  ['robot$library+trivy-5f0e', 'scanner'],
  ['acme+deployer', 'ci'],
  ['ci+robot@example', 'ci'],
  ['gitlab+deploy-token-42', 'ci'],
  ['gitlab-ci-token', 'ci'],
  ['project_17_bot', 'ci'],
  ['project_17_bot2', 'ci'],
  ['project_17_bot_4ffca233d8298ea1', 'ci'],
  ['group_9_bot_4ffca233d8298ea1', 'ci'],
  ['service_account_group_345_1a2b3c4d5e', 'ci'],
  ['service_account_1a2b3c4d5e', 'ci'],
  ['12345678|pipeline', 'ci'],
  ['github-actions[bot]', 'ci'],
  ['dependabot[bot]', 'ci'],
  ['gitea-actions', 'ci'],
  ['service-account-registry-sync', 'ci'],
  ['system:serviceaccount:flux-system:source-controller', 'cluster'],
  ['system:node:ip-10-0-0-1.ec2.internal', 'cluster'],
  ['arn:aws:sts::111122223333:assumed-role/eks-nodes/i-0abc1234def567890', 'ci'],
  ['arn:aws-cn:sts::111122223333:assumed-role/build/AWSCodeBuild-9f', 'ci'],
  ['ecs-tasks.amazonaws.com', 'ci'],
  ['deploy@acme-prod.iam.gserviceaccount.com', 'ci'],
  ['123456-compute@developer.gserviceaccount.com', 'ci'],
  ['_json_key', 'ci'],
  ['3f2504e0-4f89-11d3-9a0c-0305e82c3301', 'ci'],
  ['harbor-jobservice', 'mirror'],
  ['harbor_registry_user', 'mirror'],
];
for (const [user, expected] of machines)
  test(`the account ${user}: ${expected}`, () => assert.equal(classOf(event({ user })), expected));

test('people keep their class, whatever their names contain', () => {
  for (const user of [
    ...['katie.jenkins@example.com', 'j.bot@example.nl', 'clair.dupont@example.fr', 'kouadio@societe.ci', 'robotham'],
    ...['drone.pilot@example.com', 'anchore@example.com', 'trivy-fan', 'ci.garcia', 'abot', 'bot', 'Robot Müller'],
    ...['katie+jenkins@example.com', 'scanner.darkly@bot.io', 'harbor-master', 'robot_k', 'project_bot', 'group_bot'],
    'arn:aws:iam::111122223333:user/alice',
    'arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Developer_0a1b2c3d4e5f/alice@example.com',
    'arn:aws:sts::111122223333:assumed-role/okta/alice@example.com',
    'serviceaccount@example.com',
    'system',
  ])
    assert.equal(classOf(event({ user })), 'human', user);
});

test('no word in a name makes a person a machine', () => {
  const word = fc.constantFrom(
    ...['ci', 'cicd', 'robot', 'bot', 'jenkins', 'drone', 'clair', 'trivy', 'grype', 'anchore', 'scanner', 'teamcity'],
    ...['buildkite', 'tekton', 'github', 'gitlab', 'harbor', 'runner', 'token', 'deploy', 'argo', 'flux', 'mirror'],
    ...['service', 'account', 'system', 'node', 'project', 'group', 'build', 'kraken', 'nexus', 'zot', 'aqua', 'wiz'],
  );
  const part = fc.oneof(word, fc.stringMatching(/^[a-zà-ž]{1,8}$/));
  const name = fc
    .tuple(fc.array(part, { minLength: 1, maxLength: 4 }), fc.constantFrom('.', '-', '_', ' ', ''))
    .map(([parts, between]) => parts.join(between))
    // The names of products' machine accounts are in the table above.
    .filter((text) => !/^(gitlab-ci-token|(gitea|forgejo)-actions|service-account-.+|harbor-.+)$/.test(text));
  const domain = fc.tuple(part, fc.constantFrom('com', 'ci', 'io', 'bot', 'co.uk')).map((parts) => parts.join('.'));
  const person = fc.oneof(
    name,
    fc.tuple(name, domain).map((parts) => parts.join('@')),
    fc.tuple(name, word, domain).map(([who, tag, where]) => `${who}+${tag}@${where}`),
  );
  fc.assert(
    fc.property(person, (user) => classOf(event({ user })) === 'human'),
    { numRuns: 5000, seed: 6 },
  );
});

test('unknown user agents are listed apart from known ones', () => {
  for (const agent of ['docker/27.3.1 go/go1.22.7', 'Helm/3.22.0', 'flux/v2', 'Go-http-client/1.1', 'trivy/0.57', ''])
    assert.ok(knownAgent(agent), agent);
  for (const agent of ['kitops-cli/1.5', 'acme-deployer/2', 'dockerish/1', 'python-requests/2.31'])
    assert.ok(!knownAgent(agent), agent);
});

for (const [name, change, expected] of cases)
  test(`${name}: ${expected}`, () => assert.equal(classOf(event(change)), expected));

test('every rule has a source and a unique name', () => {
  assert.equal(new Set(classRules.map(({ name }) => name)).size, classRules.length);
  for (const { source } of classRules) assert.ok(source.length > 0);
});

test('overrides are tried first, given as regular expressions or their texts', () => {
  const own = classifier([
    { class: 'ci', name: 'our builders', source: 'the platform team', user: '^builder-\\d+$' },
    { class: 'human', name: 'laptops run containerd', source: 'the platform team', userAgent: /^containerd\/2/ },
  ]);
  assert.equal(own(event({ user: 'Builder-7' })), 'ci');
  assert.equal(own(event({ userAgent: 'containerd/2.0' })), 'human');
  assert.equal(own(event({ userAgent: 'containerd/1.7' })), 'cluster');
});

test('an override that matches everything or is not a regular expression is refused', () => {
  assert.throws(() => classifier([{ class: 'ci', name: 'all', source: '-' }]), /"all" matches everything/);
  assert.throws(() => classifier([{ class: 'ci', name: 'bad', source: '-', user: '(' }]), /"bad": user "\("/);
});

test('a regular expression with state (g flag) gives the same result twice', () => {
  const own = classifier([{ class: 'ci', name: 'sticky', source: '-', user: /alice/g }]);
  assert.deepEqual([own(event({})), own(event({}))], ['ci', 'ci']);
});

test('clients have the names that people know', () => {
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
    ['regclient/regsync (v0.11.7)', 'regsync'],
    ['agent-ü "q"', 'agent-ü'],
    ['', ''],
    ['(;', ''],
  ])
    assert.equal(clientOf(userAgent), client, userAgent);
});

test('captured clients get their classes', () => {
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

test("a client is named as its rule's pattern says, without the time that the pattern takes", () => {
  // The lazy pattern states the rule in one line; on 512 spaces it tries 22 million ways.
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
