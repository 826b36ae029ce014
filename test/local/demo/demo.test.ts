import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { addressOf } from '#core/registry/address.ts';
import { normalise } from '#core/registry/normalise.ts';
import { isManifestPush, pullsOf } from '#core/registry/pull.ts';
import { prefixes } from '#local/demo/cities.ts';
import { backFill, demo, demoWorld, type Post, seeded, trickle } from '#local/demo/demo.ts';
import { demoHarbor } from '#local/demo/registries.ts';
import { byPersonAndRepository, stored } from '../../support/captured.ts';

const now = Date.parse('2026-05-20T15:04:05Z');
const posts = backFill(demoWorld(1), now);
const envelopes = posts.filter(({ path }) => path === '/v1/registry-events').map(({ body }) => body);
const visits = posts.filter(({ path }) => path === '/v1/hits');
const read = envelopes.map((body) => normalise(body, { receivedAt: now }));
const events = read.flatMap((result) => result.events).map(stored);
const pulls = byPersonAndRepository(events).flatMap((group) => pullsOf(group));

test('its registry events are understood, marked as demo, distinct and from the last two weeks', () => {
  assert.deepEqual(
    read.flatMap(({ rejected }) => rejected),
    [],
  );
  assert.ok(read.some(({ ignored }) => ignored > 0));
  assert.equal(new Set(events.map(({ id }) => id)).size, events.length);
  for (const { user, repository, time, action } of events) {
    assert.match(user, /^(robot\$)?demo-/);
    assert.match(repository, /^demo\//);
    assert.ok(time <= now && time > now - (action === 'push' ? 150 : 14) * 86_400_000);
  }
});

test('two registries send them: the one without a name, and a Harbor with repositories of its own', () => {
  const of = (registry: string) =>
    posts
      .filter((post) => post.registry === registry)
      .flatMap(({ body }) => normalise(body, { receivedAt: now }).events)
      .map(stored);
  const [first, harbor] = [of('default'), of(demoHarbor)];
  assert.equal(first.length + harbor.length, events.length);
  const names = new Set(harbor.map(({ repository }) => repository));
  assert.equal(names.size, 6);
  assert.ok(!first.some(({ repository }) => names.has(repository)));
  const pulled = byPersonAndRepository(harbor).flatMap((group) => pullsOf(group));
  assert.ok(new Set(pulled.map(({ user }) => user)).size >= 10);
  assert.ok(pulled.every((pull) => pull.class === 'human'));
  assert.ok(harbor.some(isManifestPush));
});

test('some images were pushed months ago and are pulled by nobody', () => {
  const old = events.filter(({ time }) => time < now - 30 * 86_400_000);
  assert.ok(old.length > 20);
  assert.deepEqual(new Set(old.map(({ action }) => action)), new Set(['push']));
  const digests = new Set(old.map(({ digest }) => digest));
  assert.deepEqual(
    events.filter(({ action, digest }) => action === 'pull' && digests.has(digest)),
    [],
  );
});

test('some 50 people pull some 60 repositories, beside builds, clusters, scanners and updaters', () => {
  const human = pulls.filter((pull) => pull.class === 'human');
  assert.ok(new Set(human.map(({ user }) => user)).size >= 40);
  assert.ok(new Set(events.map(({ repository }) => repository)).size >= 55);
  assert.ok(human.length > 600 && human.length < events.length / 2);
  assert.deepEqual([...new Set(pulls.map((pull) => pull.class))].sort(), [
    'cluster',
    'human',
    'scanner',
    'version-check',
  ]);
  assert.ok(events.some((event) => isManifestPush(event) && event.class === 'ci'));
});

test('users who pull logstash pull kibana more often than others do', () => {
  const of = (repository: string) =>
    new Set(
      pulls
        .filter((pull) => pull.repository === `demo/${repository}` && pull.class === 'human')
        .map(({ user }) => user),
    );
  const [logstash, kibana, everybody] = [of('logstash'), of('kibana'), new Set(pulls.map(({ user }) => user))];
  const share = (group: Set<string>) => [...group].filter((user) => kibana.has(user)).length / group.size;
  assert.ok(share(logstash) > 1.5 * share(everybody));
});

test('more than 2,000 domains, marked as demo, get hits from all over the world', () => {
  const domains = visits.flatMap(({ body }) => (body as { domain: string }[]).map(({ domain }) => domain));
  assert.ok(new Set(domains).size > 2000);
  assert.ok(new Set(visits.map(({ from }) => from)).size > 400);
  for (const { body, from } of visits) {
    assert.equal(addressOf(from), from);
    for (const { domain, time } of body as { domain: string; time: string }[]) {
      assert.match(domain, /^[a-z-]+\.demo\.example$/);
      assert.ok(Date.parse(time) <= now);
    }
  }
  assert.equal(new Set(prefixes).size, prefixes.length);
});

test('the same seed and time make the same traffic; on the next day the events of the day before are the same', () => {
  assert.deepEqual(backFill(demoWorld(1), now), posts);
  assert.notDeepEqual(backFill(demoWorld(2), now), posts);
  const ids = new Set(events.map(({ id }) => id));
  const tomorrow = backFill(demoWorld(1), now + 86_400_000)
    .filter(({ path }) => path === '/v1/registry-events')
    .flatMap(({ body }) => normalise(body, { receivedAt: now }).events);
  const again = tomorrow.filter(({ time }) => time <= now);
  assert.ok(again.length > 1000 && again.every(({ id }) => ids.has(id)));
});

test('the continuous traffic is understood and marked too', () => {
  const random = seeded('trickle');
  const made = Array.from({ length: 200 }, (_, second) => trickle(demoWorld(1), random, now + second * 1000)).flat();
  const results = made
    .filter(({ path }) => path === '/v1/registry-events')
    .map(({ body }) => normalise(body, { receivedAt: now }));
  assert.ok(results.length > 20 && results.every(({ events }) => events.length > 0));
  assert.deepEqual(
    results.flatMap(({ rejected }) => rejected),
    [],
  );
  assert.ok(made.length - results.length >= 200);
});

test('when it is started again on the same data, it does not send past hits again', async () => {
  const sent: string[] = [];
  const send = async ({ path }: Post) => {
    sent.push(path);
  };
  const running = demo({ seed: 1, now: () => now, send, filledBefore: true });
  await running.filled;
  running.stop();
  assert.deepEqual([...new Set(sent)], ['/v1/registry-events']);
});

test('it sends the past, then new traffic each second until it is stopped; a refusal is reported and does not end it', async () => {
  mock.timers.enable({ apis: ['setInterval'] });
  try {
    const sent: Post[] = [];
    const reported: unknown[] = [];
    const running = demo({
      seed: 1,
      now: () => now,
      send: async (post) => {
        if (sent.push(post) === 3) throw new Error('503');
      },
      report: (cause) => reported.push(cause),
    });
    await running.filled;
    assert.equal(sent.length, posts.length);
    assert.equal(reported.length, 1);
    mock.timers.tick(3000);
    const trickled = sent.length;
    assert.ok(trickled >= posts.length + 3);
    running.stop();
    mock.timers.tick(3000);
    assert.equal(sent.length, trickled);
  } finally {
    mock.timers.reset();
  }
});
