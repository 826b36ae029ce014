// A real registry (Debian's docker-registry) and a real client (skopeo) against a running `npm start`.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { isManifestPull, isManifestPush } from '#core/registry/pull.ts';
import { eventsOf } from '../support/captured.ts';
import { freePort, notInstalled, password, startRegistry, writeImage } from '../support/registry.ts';
import { dataFolder, eventually, startLocal } from '../support/run.ts';

const run = promisify(execFile);
const missing = notInstalled('docker-registry', 'skopeo');
const people = ['alice', 'bob', 'carol'];

function skopeo(user: string, from: string, to: string, ...flags: string[]) {
  const access = [
    ['src', from],
    ['dest', to],
  ]
    .filter(([, place]) => place.startsWith('docker:'))
    .flatMap(([side]) => [`--${side}-tls-verify=false`, `--${side}-creds=${user}:${password}`]);
  return run('skopeo', ['copy', '--insecure-policy', '--override-arch=amd64', ...access, ...flags, from, to]);
}

// --- the test ---------------------------------------------------------------------------------------------------------

test('what a real registry and skopeo do is counted exactly, also across a kill -9', {
  timeout: 120_000,
  skip: missing.length > 0 && `not installed: ${missing.join(', ')}`,
}, async (t) => {
  const folder = dataFolder(t);
  const port = String(await freePort());
  const start = () => startLocal(join(folder, 'data'), ['--port', port]);
  let running = await start();
  t.after(() => running.kill());
  const webhook = `${running.origin}/v1/registry-events`;
  const { host, posted, stop } = await startRegistry({ folder: join(folder, 'registry'), users: people, webhook });
  t.after(stop);
  const registry = `docker://${host}`;
  const pulledTo = (name: string) => `dir:${join(folder, name)}`;

  const single = join(folder, 'single');
  const multi = join(folder, 'multi');
  writeImage(single, ['amd64']);
  const index = writeImage(multi, ['amd64', 'arm64']);

  await skopeo('alice', `oci:${single}:made`, `${registry}/team/app:1`);
  await skopeo('alice', `oci:${multi}:made`, `${registry}/team/multi:1`, '--all');
  await skopeo('bob', `${registry}/team/app:1`, pulledTo('a'));
  await running.kill();
  // Nothing listens: the registry keeps these events and tries again.
  await skopeo('bob', `${registry}/team/multi:1`, pulledTo('b'));
  await skopeo('carol', `${registry}/team/multi:1`, pulledTo('c'), '--all');
  running = await start();
  await skopeo('carol', `${registry}/team/multi@${index}`, pulledTo('d'));
  await skopeo('carol', `${registry}/team/app:1`, `${registry}/team/copy:2`);

  const expected = {
    alice: {},
    bob: { 'team/app': 1, 'team/multi': 1 },
    carol: { 'team/app': 1, 'team/multi': 2 },
  } as Record<string, Record<string, number>>;
  const total = Object.values(expected).flatMap((counts) => Object.values(counts)).length + 1;
  const seen = () => running.get<{ total: { pulls: number } }>('/v1/pulls');
  await eventually(30, seen, (answer) => answer.total.pulls === total);

  const truth = eventsOf(posted);
  const count = (holds: (event: (typeof truth)[number]) => boolean) => truth.filter(holds).length;
  for (const user of people) {
    for (const repository of ['team/app', 'team/multi', 'team/copy']) {
      const mine = (event: (typeof truth)[number]) => event.user === user && event.repository === repository;
      const answer = await running.get<{ total: object }>(`/v1/pulls?user=${user}&repository=${repository}`);
      assert.deepEqual(
        answer.total,
        {
          pulls: expected[user][repository] ?? 0,
          raw: count((event) => mine(event) && isManifestPull(event)),
          pushes: count((event) => mine(event) && isManifestPush(event) && event.tag !== undefined),
          rawPushes: count((event) => mine(event) && isManifestPush(event)),
        },
        `${user} ${repository}`,
      );
    }
    const history = await running.get<{ items: { repository: string }[] }>(`/v1/history?user=${user}`);
    const got: Record<string, number> = {};
    for (const { repository } of history.items) got[repository] = (got[repository] ?? 0) + 1;
    assert.deepEqual(got, expected[user], user);
  }
  const rows =
    await running.get<{ repository: string; raw: number; pulls: number; pulledBy: number }[]>(
      '/v1/repositories?sort=name',
    );
  assert.deepEqual(
    rows.map(({ repository, raw, pulls, pulledBy }) => [repository, raw, pulls, pulledBy]),
    [
      ['team/app', 2, 2, 2],
      ['team/copy', 0, 0, 0],
      ['team/multi', count((event) => event.repository === 'team/multi' && isManifestPull(event)), 3, 2],
    ],
  );
});
