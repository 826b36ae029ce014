// Everything that /v1/unused lists is deleted from a real registry (Debian's docker-registry); what was in use still
// works.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { classifier } from '#core/registry/classify.ts';
import { normalise } from '#core/registry/normalise.ts';
import { openEvents } from '#local/stores/events.ts';
import { openSearch } from '#local/stores/search/search.ts';
import { storeEvents } from '#process/pulls.ts';
import { eventually } from '../support/run.ts';

const found = (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, 'docker-registry')));
const skip = found ? false : 'docker-registry is not installed';
const day = 86_400_000;
const oci = (name: string) => `application/vnd.oci.image.${name}`;

test('unused images are deleted, and every tag and platform in use can still be pulled', {
  skip,
  timeout: 60_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'unused-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const bodies: string[] = [];
  const receiver = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    bodies.push(body);
    response.end();
  }).listen(0, '127.0.0.1');
  t.after(() => receiver.close());
  const probe = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  writeFileSync(
    join(folder, 'registry.yml'),
    `version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: ${join(folder, 'images')} }, delete: { enabled: true } }
http: { addr: '127.0.0.1:${port}' }
notifications:
  events: { includereferences: true }
  endpoints: [{ name: test, url: 'http://127.0.0.1:${(receiver.address() as AddressInfo).port}/', timeout: 5s, threshold: 3, backoff: 1s }]
`,
  );
  const registry = spawn('docker-registry', ['serve', join(folder, 'registry.yml')], { stdio: 'ignore' });
  t.after(() => registry.kill());
  const url = `http://127.0.0.1:${port}`;
  await eventually(
    10,
    () => fetch(`${url}/v2/`),
    ({ ok }) => ok,
  );

  const repository = 'team/app';
  const digestOf = (content: string) => `sha256:${createHash('sha256').update(content).digest('hex')}`;
  const call = (method: string, path: string, body?: string, headers: Record<string, string> = {}) =>
    fetch(`${url}${path}`, { method, body, headers: { 'User-Agent': 'docker/28.1.1', ...headers } });
  const blob = async (mediaType: string, content: string) => {
    const begun = await call('POST', `/v2/${repository}/blobs/uploads/`);
    const place = new URL(begun.headers.get('location')!, url);
    place.searchParams.set('digest', digestOf(content));
    const put = await call('PUT', place.pathname + place.search, content, {
      'Content-Type': 'application/octet-stream',
    });
    assert.equal(put.status, 201);
    return { mediaType, digest: digestOf(content), size: content.length };
  };
  const push = async (manifest: object, mediaType: string, tag?: string) => {
    const text = JSON.stringify({ schemaVersion: 2, mediaType, ...manifest });
    const digest = digestOf(text);
    const put = await call('PUT', `/v2/${repository}/manifests/${tag ?? digest}`, text, { 'Content-Type': mediaType });
    assert.equal(put.status, 201, await put.text());
    return { mediaType, digest, size: text.length };
  };
  const image = async (name: string, tag?: string, config = oci('config.v1+json')) =>
    push(
      { config: await blob(config, `{"name":"${name}"}`), layers: [await blob(oci('layer.v1.tar+gzip'), name)] },
      oci('manifest.v1+json'),
      tag,
    );
  const accept = { Accept: `${oci('index.v1+json')}, ${oci('manifest.v1+json')}` };
  const pull = (reference: string) => call('GET', `/v2/${repository}/manifests/${reference}`, undefined, accept);
  const describing = (digest: string, end = '') => digest.replace(':', '-') + end;

  /** A signed index of two platforms with an attestation, and an SBOM by the referrers fallback. */
  const release = async (version: string) => {
    const platforms = [
      await image(`${version} amd`),
      await image(`${version} arm`),
      await image(`${version} attestation`),
    ];
    const top = await push({ manifests: platforms }, oci('index.v1+json'), version);
    const signature = describing(top.digest, '.sig');
    await image(`${version} signature`, signature, 'application/vnd.oci.image.config.v1+json');
    const sbom = await image(`${version} sbom`, undefined, 'application/vnd.cyclonedx+json');
    await push({ manifests: [sbom] }, oci('index.v1+json'), describing(top.digest));
    return [
      version,
      top.digest,
      ...platforms.map(({ digest }) => digest),
      signature,
      sbom.digest,
      describing(top.digest),
    ];
  };
  const used = await release('2.0');
  const byPlatform = await release('1.9');
  const left = await release('1.0');
  const before = await image('latest before', 'latest');
  const latest = await image('latest', 'latest');

  const pulledFrom = Date.now();
  for (const reference of ['2.0', used[2], byPlatform[3], 'latest']) assert.equal((await pull(reference)).status, 200);
  const told = () => bodies.flatMap((body) => normalise(JSON.parse(body), { receivedAt: 0 }).events);
  const pulls = async () => told().filter(({ action, time }) => action === 'pull' && time >= pulledFrom - 1);
  await eventually(10, pulls, ({ length }) => length >= 4);

  // As if everything had been pushed forty days ago.
  const aged = told().map((event) => (event.action === 'push' ? { ...event, time: event.time - 40 * day } : event));
  const stores = { events: openEvents(':memory:', Date.now), search: openSearch(':memory:') };
  await storeEvents(
    aged.map((event, at) => ({ event, origin: `s:${at}:0` })),
    { ...stores, locator: { locate: () => undefined }, classify: classifier(), pullWindowSeconds: 2 },
  );
  const unused = await stores.search.unused({ since: Date.now() - 30 * day, limit: 1000 });
  assert.deepEqual([...new Set(unused.map(({ confidence }) => confidence))], ['known']);
  const digests = new Set(unused.map(({ digest }) => digest!));
  // The whole old release (its index, three platforms, signature, SBOM and the SBOM's index), and the former `latest`.
  assert.equal(digests.size, 8, JSON.stringify(unused, undefined, 1));
  assert.ok(digests.has(before.digest) && !digests.has(latest.digest));

  for (const digest of digests) {
    const answer = await call('DELETE', `/v2/${repository}/manifests/${digest}`);
    assert.equal(answer.status, 202, digest);
  }
  for (const reference of [...used, ...byPlatform, 'latest'])
    assert.equal((await pull(reference)).status, 200, `${reference} is still there`);
  for (const reference of left) assert.equal((await pull(reference)).status, 404, `${reference} is gone`);
});
