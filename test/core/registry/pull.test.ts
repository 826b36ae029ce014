import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Pull, PullClass, StoredEvent } from '#core/event.ts';
import { actsOf, byTime, isManifestPull, pullChange, pullReachMs, pullsOf, segments } from '#core/registry/pull.ts';
import { byPersonAndRepository, captures, eventsOf, fixtures, readCapture } from '../../support/captured.ts';

const index = 'application/vnd.oci.image.index.v1+json';
const manifest = 'application/vnd.oci.image.manifest.v1+json';

/** [seconds, method, tag, digest, references?] of one docker client at one address. */
function events(...rows: (readonly [number, 'HEAD' | 'GET', string | undefined, string, string[]?])[]): StoredEvent[] {
  return rows.map(([seconds, method, tag, digest, references], position) => ({
    id: `e${position}`,
    time: seconds * 1000,
    action: 'pull',
    kind: 'manifest',
    method,
    repository: 'a/b',
    tag,
    digest,
    mediaType: references ? index : manifest,
    references: references?.[0] === 'unknown' ? undefined : references,
    user: 'alice',
    userAgent: 'docker/27.3.1',
    source: '',
    addressDigests: ['here'],
    country: '',
    client: 'docker',
    class: 'human',
    origin: '',
  }));
}

const sizes = (list: StoredEvent[], windowSeconds?: number) =>
  pullsOf(list, { windowSeconds }).map((pull) => pull.events);

function pullsOfAll(list: StoredEvent[], windowSeconds?: number) {
  return byPersonAndRepository(list).flatMap((group) => pullsOf(group, { windowSeconds }));
}

// The pulls of each captured command: one for a pull, however many requests it made; none for a push. `docker pull
// --all-tags` pulls two tags. Several curl requests and several people share a label where named.
const commands: Record<string, Record<string, number>> = {
  'distribution-2.8.ndjson': {
    'push-single': 0,
    'pull-single-skopeo': 1,
    'push-multi': 0,
    'pull-multi-skopeo-one-platform': 1,
    'pull-multi-skopeo-all': 1,
    'inspect-raw': 1,
    'inspect-skopeo': 1,
    'pull-by-digest-skopeo': 1,
    'crane-digest-HEAD': 1,
    'crane-manifest': 1,
    'crane-pull': 1,
    'crane-pull-multi-index': 1,
    'crane-copy-mount': 1,
    'skopeo-copy-registry-to-registry': 1,
    'crane-tag': 0,
    // A GET for the copy on disk, then a HEAD to see what exists: two commands.
    'crane-repush-same': 2,
    'docker-pull-1st': 1,
    'docker-pull-again': 1,
    'docker-pull-multi': 1,
    'docker-pull-alltags': 2,
    'docker-push-newrepo': 0,
    'docker-push-again': 0,
    'docker28-cli-pull': 1,
    'docker-manifest-inspect': 1,
    'ctr-pull-multi': 1,
    'ctr-pull-again': 1,
    'ctr-pull-single': 1,
    'curl-xff': 1,
    'curl-xri': 1,
    'curl-xff-garbage': 1,
    'curl-xff-private': 1,
    'curl-no-ua-noaccept': 1,
    'curl-range-blob': 0,
    'robot-user': 1,
    'delete-manifest': 0,
    'delete-blob': 0,
    // skopeo reads the manifest to learn its digest.
    'skopeo-delete': 0,
    // alice, bob and carol.
    retry500: 3,
    hang: 1,
    referrers: 1,
    // Nine addresses.
    geo: 9,
    'unicode-actor': 1,
    'no-ua': 1,
  },
  'distribution-2.8-noauth.ndjson': {
    'anon-push': 0,
    'anon-basic-header-ignored': 1,
    'anon-odd': 0,
    'anon-bad-upper': 1,
    'anon-docker-image': 0,
    'anon-host': 1,
    'noref-anon-push-multi': 0,
    'noref-anon-docker-pull': 1,
    'noref-anon-skopeo-pull': 1,
    'retry-sample': 1,
  },
  'distribution-3.ndjson': {
    'push-single': 0,
    'pull-single': 1,
    'push-multi': 0,
    'pull-multi': 1,
    'pull-digest': 1,
    'docker-pull-multi': 1,
    'docker-pull-again': 1,
    'docker-push': 0,
    'crane-copy-mount': 1,
    'crane-digest-head': 1,
    'crane-tag': 0,
    'curl-xff': 1,
    'curl-unicode-actor': 1,
    'curl-noaccept': 1,
    'delete-by-tag': 0,
    'delete-manifest': 0,
    'delete-blob': 0,
    referrers: 1,
    retry500: 2,
    hang: 1,
  },
};

for (const name of captures)
  test(`${name}: one pull for each command that pulls`, () => {
    const posts = Map.groupBy(readCapture(name), ({ label }) => label);
    const got = Object.fromEntries([...posts].map(([label, group]) => [label, pullsOfAll(eventsOf(group)).length]));
    assert.deepEqual(got, commands[name]);
  });

test('in the whole capture no command is lost or split, except a repetition within 2 s', () => {
  for (const name of captures) {
    const all = eventsOf(readCapture(name));
    const apart = Object.values(commands[name]).reduce((sum, count) => sum + count, 0);
    const repeated = pullsOfAll(all, 0).length - pullsOfAll(all).length;
    assert.ok(pullsOfAll(all).length <= apart && apart <= pullsOfAll(all, 0).length, name);
    assert.ok(apart - pullsOfAll(all).length <= repeated, name);
  }
});

for (const flags of [
  ['--seed', '1'],
  ['--seed', '2', '--refs', '--blobs', '--shuffle', '30'],
  ['--seed', '3', '--version', '3', '--client', 'docker', '--refs'],
  ['--seed', '4', '--client', 'skopeo', '--blobs', '--dup', '0.2'],
  ['--seed', '5', '--users', '3', '--repos', '10', '--pulls', '3000', '--refs', '--anonymous', '0.5'],
])
  test(`generated traffic ${flags.join(' ')} gives the commands that made it`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'whalewatch-traffic-'));
    try {
      const made = spawnSync(
        process.execPath,
        [join(fixtures, 'gen-traffic.mjs'), ...flags, '--truth', join(folder, 'truth.json')],
        { encoding: 'utf8', maxBuffer: 1 << 28 },
      );
      assert.equal(made.status, 0, made.stderr);
      const truth = JSON.parse(readFileSync(join(folder, 'truth.json'), 'utf8'));
      const posts = made.stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as { body: string });
      const got: Record<string, Record<string, number>> = {};
      for (const { user, repository } of pullsOfAll(eventsOf(posts), 0)) {
        got[user] ??= {};
        got[user][repository] = (got[user][repository] ?? 0) + 1;
      }
      assert.deepEqual(got, truth.pulls);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

test('docker: HEAD by tag, GET by digest, GET of the platform are one pull with the tag', () => {
  const [pull, ...more] = pullsOf(
    events(
      [0, 'HEAD', '1', 'root', ['arm', 'amd']],
      [1, 'GET', undefined, 'root', ['arm', 'amd']],
      [9, 'GET', undefined, 'amd'],
    ),
  );
  assert.deepEqual(more, []);
  assert.deepEqual([pull.id, pull.tag, pull.digest, pull.events], ['e0', '1', 'root', 3]);
});

test('without references, an index takes in any other manifest of the next minute, but not itself again', () => {
  assert.deepEqual(sizes(events([0, 'GET', '1', 'root', ['unknown']], [1, 'GET', undefined, 'amd'])), [2]);
  assert.deepEqual(
    sizes(events([0, 'GET', undefined, 'root', ['unknown']], [1, 'GET', undefined, 'root', ['unknown']])),
    [1, 1],
  );
  assert.deepEqual(sizes(events([0, 'GET', '1', 'root'], [1, 'GET', undefined, 'other'])), [1, 1]);
});

test('a pull is open for 60 s from its first event', () => {
  assert.deepEqual(sizes(events([0, 'HEAD', '1', 'root'], [60, 'GET', undefined, 'root'])), [2]);
  assert.deepEqual(sizes(events([0, 'HEAD', '1', 'root'], [60.001, 'GET', undefined, 'root'])), [1, 1]);
  assert.deepEqual(
    sizes(events([0, 'HEAD', '1', 'root', ['amd']], [40, 'GET', undefined, 'root'], [80, 'GET', undefined, 'amd'])),
    [2, 1],
  );
});

test('the same tag, digest and method within the window from the first event are the same pull', () => {
  const polls = events(
    [0, 'GET', '1', 'root'],
    [1.5, 'GET', '1', 'root'],
    [2, 'GET', '1', 'root'],
    [3, 'GET', '1', 'root'],
  );
  assert.deepEqual(sizes(polls), [3, 1]);
  assert.deepEqual(sizes(polls, 0), [1, 1, 1, 1]);
  assert.deepEqual(sizes(polls, 60), [4]);
  assert.deepEqual(sizes(events([0, 'HEAD', '1', 'root'], [0, 'GET', '1', 'root'], [0, 'GET', '2', 'root'])), [2, 1]);
  assert.deepEqual(
    sizes(events([0, 'GET', '1', 'root'], [0.1, 'HEAD', '1', 'root'])),
    [1, 1],
    'crane pull, crane push',
  );
  assert.throws(() => pullsOf([], { windowSeconds: 61 }), /windowSeconds is 61/);
  assert.throws(() => pullsOf([], { windowSeconds: Number.NaN }), RangeError);
});

test("another user agent makes another pull; two digests of one address don't", () => {
  const [head, get] = events([0, 'HEAD', '1', 'root'], [1, 'GET', undefined, 'root']);
  assert.equal(pullsOf([head, { ...get, userAgent: 'docker/28' }]).length, 2);
  assert.equal(
    pullsOf([
      { ...head, user: '', addressDigests: ['here', 'tomorrow'] },
      { ...get, user: '', addressDigests: ['tomorrow'] },
    ]).length,
    1,
  );
  assert.equal(
    pullsOf([
      { ...head, user: '', addressDigests: [] },
      { ...get, user: '', addressDigests: [] },
    ]).length,
    1,
  );
});

test("a named user's pull may come from two addresses; an anonymous one may not, and two nodes make two pulls", () => {
  const [head, get, platform] = events(
    [0, 'HEAD', '1', 'root', ['amd']],
    [0.1, 'GET', undefined, 'root', ['amd']],
    [0.2, 'GET', undefined, 'amd'],
  );
  const there = (event: StoredEvent) => ({ ...event, id: `${event.id} there`, addressDigests: ['there'] });
  const nobody = (event: StoredEvent) => ({ ...event, user: '' });
  assert.deepEqual(sizes([head, there(get), platform]), [3]);
  assert.deepEqual(sizes([head, there(get), there(platform)]), [3]);
  assert.deepEqual(sizes([nobody(head), nobody(there(get)), nobody(platform)]), [2, 1]);
  assert.equal(sizes([head, there(head), get, there(get), platform, there(platform)]).length, 2);
  assert.equal(sizes([head, there(head)]).length, 2);
  assert.deepEqual(sizes([head, { ...there(get), time: 10_001 }]), [1, 1], 'not later than 10 s');
});

test("replicas' clocks differ by up to a second: a HEAD may be stamped after its GETs", () => {
  const [pull] = pullsOf(
    events([0, 'GET', undefined, 'amd'], [0.3, 'GET', undefined, 'root', ['amd']], [1, 'HEAD', '1', 'root', ['amd']]),
  );
  assert.deepEqual([pull.id, pull.tag, pull.digest, pull.events], ['e0', '1', 'root', 3]);
  assert.deepEqual(sizes(events([0, 'GET', undefined, 'root'], [1.001, 'HEAD', '1', 'root'])), [1, 1]);
  const [get, head] = events([0, 'GET', '1', 'root'], [0.9, 'HEAD', '1', 'root']);
  assert.deepEqual(sizes([get, { ...head, source: 'other replica' }]), [2]);
});

test('the class is that of the strongest evidence', () => {
  const [head, get, attestation] = events(
    [0, 'HEAD', '1', 'root', ['amd']],
    [0.1, 'GET', undefined, 'root', ['amd']],
    [0.2, 'GET', undefined, 'amd'],
  );
  const classes = (...kinds: PullClass[]) =>
    pullsOf([head, get, attestation].slice(0, kinds.length).map((event, at) => ({ ...event, class: kinds[at] })))[0]
      .class;
  assert.equal(classes('version-check'), 'version-check');
  assert.equal(classes('version-check', 'human'), 'human');
  assert.equal(classes('version-check', 'signature', 'ci'), 'ci');
  assert.equal(classes('version-check', 'human', 'signature'), 'human');
  assert.equal(classes('cluster', 'human'), 'cluster');
});

test('fetching what the same client has just pushed is not a pull', () => {
  const [put, get, again, later, tagged] = events(
    [0, 'GET', undefined, 'root'],
    [0.1, 'GET', undefined, 'root'],
    [10, 'GET', undefined, 'root'],
    [10.001, 'GET', undefined, 'root'],
    [0.4, 'HEAD', '1', 'root'],
  );
  const push: StoredEvent = { ...put, action: 'push', method: 'PUT' };
  assert.deepEqual(sizes([push, get, again, tagged]), []);
  assert.deepEqual(sizes([push, later]), [1]);
  assert.deepEqual(sizes([push, { ...tagged, time: 401 }]), [1], 'a separate command starts later than that');
  assert.deepEqual(sizes([push, { ...get, digest: 'other' }]), [1]);
  assert.deepEqual(sizes([push, { ...get, userAgent: 'docker/28' }]), [1]);
  assert.deepEqual(
    sizes([
      { ...push, userAgent: '' },
      { ...get, userAgent: '' },
    ]),
    [1],
    'Harbor names no client',
  );
  assert.deepEqual(sizes([push, { ...get, addressDigests: ['ingress'] }]), []);
  assert.deepEqual(sizes([push, { ...again, addressDigests: ['ingress'] }]), [1]);
  assert.deepEqual(
    sizes([
      { ...push, user: '' },
      { ...get, user: '', addressDigests: ['there'] },
    ]),
    [1],
  );
});

test('a fetch of what the same client then pushes or deletes at once is not a pull', () => {
  const by = (userAgent: string, ...rows: Parameters<typeof events>) =>
    events(...rows).map((event) => ({ ...event, userAgent }));
  const [head, get, put, late] = by(
    'oras/1.3.6',
    [0, 'HEAD', '1', 'root'],
    [0.02, 'GET', undefined, 'root'],
    [2, 'GET', '3', 'root'],
    [2.001, 'GET', '3', 'root'],
  );
  const push = (event: StoredEvent): StoredEvent => ({ ...event, action: 'push', method: 'PUT' });
  const remove: StoredEvent = { ...put, action: 'delete', kind: 'other', tag: undefined };
  assert.deepEqual(sizes([head, push(put)]), [], 'oras tag, crane tag');
  assert.deepEqual(sizes([head, get, remove]), [], 'oras manifest delete');
  assert.deepEqual(sizes([head, push(late)]), [1], 'a command of its own');
  assert.deepEqual(sizes([head, { ...push(put), digest: 'other' }]), [1], 'another image');
  assert.deepEqual(sizes([head, { ...remove, digest: undefined, tag: '1' }]), [1], 'a delete that names no digest');
  assert.deepEqual(sizes([head, { ...push(put), userAgent: 'crane/1' }]), [1], 'another client');
  assert.deepEqual(sizes([head, { ...remove, addressDigests: ['there'] }]), [1], 'another address, not at once');
  assert.deepEqual(sizes([{ ...head, method: 'GET' }, { ...get, tag: '1' }, remove]), [1], 'a copy, then a delete');
  const docker = [head, get, push(put)].map((event) => ({ ...event, userAgent: 'docker/28' }));
  assert.deepEqual(sizes(docker), [2], 'docker pull, docker push');
});

test('from a source that names no client, all that a user fetches from a repository within seconds is one pull', () => {
  const bare = (...rows: Parameters<typeof events>) =>
    events(...rows).map((event) => ({ ...event, userAgent: '', addressDigests: [], mediaType: undefined }));
  const [pull, ...more] = pullsOf(
    bare([0, 'GET', undefined, 'amd'], [0, 'GET', '7', 'root'], [5, 'GET', undefined, 'arm']),
  );
  assert.deepEqual(more, []);
  assert.deepEqual([pull.tag, pull.digest, pull.events, pull.uncertain], ['7', 'root', 3, true]);
  assert.deepEqual(sizes(bare([0, 'GET', '7', 'a'], [1, 'GET', '8', 'b'])), [1, 1]);
  assert.deepEqual(sizes(bare([0, 'GET', undefined, 'a'], [5.001, 'GET', undefined, 'b'])), [1, 1]);
  const nobody = bare([0, 'GET', undefined, 'a'], [0, 'GET', undefined, 'b']).map((event) => ({ ...event, user: '' }));
  assert.deepEqual(sizes(nobody), [1, 1], 'an anonymous user is not one user');
});

// --- properties -----------------------------------------------------------------------------------------------------

/** Events so similar and close together that they interact in every way; gaps of up to 100 s. */
const traffic = fc
  .tuple(
    fc.constantFrom('alice', 'alice', ''),
    fc.array(
      fc.record({
        gap: fc.oneof(
          fc.constantFrom(0, 100, 399, 400, 401, 1000, 1001, 2000, 2100, 5000, 10_000, 59_900, 60_000, 60_100),
          fc.nat(100_000),
        ),
        action: fc.constantFrom('pull', 'pull', 'pull', 'pull', 'push', 'delete'),
        method: fc.constantFrom('HEAD', 'GET'),
        tag: fc.constantFrom(undefined, undefined, '1', '2'),
        digest: fc.constantFrom('root', 'amd', 'arm', undefined),
        client: fc.constantFrom(
          { userAgent: 'docker/27', mediaType: index },
          { userAgent: 'docker/27', mediaType: manifest },
          { userAgent: 'skopeo/1', mediaType: index },
          { userAgent: '', mediaType: undefined },
        ),
        references: fc.constantFrom<string[] | undefined>(undefined, [], ['amd', 'arm']),
        addressDigests: fc.constantFrom<string[]>([], ['a'], ['a', 'b'], ['b']),
        source: fc.constantFrom('one', 'two'),
        class: fc.constantFrom('human', 'version-check', 'signature'),
      }),
      { maxLength: 25, size: 'max' },
    ),
  )
  .map(([user, rows]) => {
    let time = 0;
    const [template] = events([0, 'GET', undefined, 'root']);
    return rows.map(({ gap, client, ...row }, position): StoredEvent => {
      time += gap;
      return { ...template, ...client, ...row, user, id: `id${(position * 7) % 31}`, time } as StoredEvent;
    });
  });

const runs = Number(process.env.FUZZ_RUNS ?? 2000);

test('the order and repetition of events do not matter', () => {
  const shuffled = traffic.chain((list) =>
    fc.tuple(fc.constant(list), fc.shuffledSubarray([...list, ...list], { minLength: list.length * 2 })),
  );
  fc.assert(
    fc.property(shuffled, ([list, delivered]) => assert.deepEqual(pullsOf(delivered), pullsOf(list))),
    { seed: 1, numRuns: runs },
  );
});

test('sequences separated by more than the reach are independent', () => {
  fc.assert(
    fc.property(traffic, fc.constantFrom(0, 2, 60), (list, windowSeconds) => {
      const parts = segments(list);
      assert.deepEqual(
        parts.flatMap((part) => pullsOf(part, { windowSeconds })),
        pullsOf(list, { windowSeconds }),
      );
      for (let at = 1; at < parts.length; at++) assert.ok(parts[at][0].time - parts[at - 1].at(-1)!.time > pullReachMs);
    }),
    { seed: 2, numRuns: runs },
  );
});

test('every pull event is in one pull, or reads back a push, or prepares a write; a pull begins with the event that gives its id', () => {
  fc.assert(
    fc.property(traffic, (list) => {
      const acts = actsOf(list);
      const members = acts.flatMap((act) => act.events.map(({ id }) => id));
      const pulls = list.filter(isManifestPull);
      assert.equal(new Set(members).size, members.length);
      for (const { pull, events: own } of acts)
        assert.deepEqual([pull.id, pull.time, pull.events], [own[0].id, own[0].time, own.length]);
      for (const event of pulls)
        if (!members.includes(event.id))
          assert.ok(
            list.some(({ action, digest, time }) => {
              if (digest !== event.digest || action === 'pull') return false;
              return (action === 'push' && time <= event.time) || Math.abs(time - event.time - 1000) <= 1000;
            }),
          );
    }),
    { seed: 3, numRuns: runs },
  );
});

test('the pulls equal those of a naive implementation of the rule', () => {
  fc.assert(
    fc.property(traffic, fc.constantFrom(0, 2), (list, windowSeconds) =>
      assert.deepEqual(
        pullsOf(list, { windowSeconds }).map(({ id, events: size, tag, class: kind }) => [id, size, tag, kind]),
        naive(list, windowSeconds),
      ),
    ),
    { seed: 4, numRuns: runs },
  );
});

/** The events and pulls of one user and repository; counts the events that were read. */
class Shelf {
  kept = new Map<string, StoredEvent>();
  opened = new Map<string, Pull>();
  read = 0;

  async events(from: number, to: number): Promise<StoredEvent[]> {
    const found = [...this.kept.values()].filter(({ time }) => time >= from && time <= to).sort(byTime);
    this.read += found.length;
    return found;
  }

  async pulls(from: number, to: number): Promise<Pull[]> {
    return [...this.opened.values()].filter(({ time }) => time >= from && time <= to).sort(byTime);
  }

  put(events: StoredEvent[]) {
    for (const event of events) this.kept.set(event.id, event);
  }

  /** Stores the change that a batch makes. */
  async update(touched: StoredEvent[], gapMs?: number) {
    const { remove, put } = await pullChange(touched, this, { gapMs });
    for (const { id } of remove) this.opened.delete(id);
    for (const pull of put) this.opened.set(pull.id, pull);
  }
}

test('whatever the order, batches, redelivery and crashes, the stored pulls are those of all events together', async () => {
  const deliveries = traffic.chain((list) =>
    fc.record({
      list: fc.constant(list),
      order: fc.shuffledSubarray([...list, ...list], { minLength: list.length }),
      sizes: fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 8 }),
      crashes: fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }),
      gapMs: fc.constantFrom(undefined, 0, 130_000),
    }),
  );
  await fc.assert(
    fc.asyncProperty(deliveries, async ({ list, order, sizes, crashes, gapMs }) => {
      const shelf = new Shelf();
      const again: StoredEvent[][] = [];
      const batches = [];
      for (let at = 0, batch = 0; at < order.length; batch++) {
        batches.push(order.slice(at, at + sizes[batch % sizes.length]));
        at += sizes[batch % sizes.length];
      }
      batches.push(list.filter(({ id }) => !order.some((event) => event.id === id)));
      for (const [position, batch] of batches.filter(({ length }) => length > 0).entries()) {
        shelf.put(batch);
        // A crash after the events are stored: other batches are processed before this one is tried again.
        if (crashes[position % crashes.length]) again.push(batch);
        else await shelf.update(batch, gapMs);
      }
      for (const batch of again) await shelf.update(batch, gapMs);
      assert.deepEqual([...shelf.opened.values()].sort(byTime), pullsOf(list));
    }),
    { seed: 5, numRuns: runs },
  );
});

/** All events are stored, and the pulls of all but one. */
function withLate(list: StoredEvent[], pick: number): { shelf: Shelf; late: StoredEvent } {
  const shelf = new Shelf();
  const late = list[pick % list.length];
  shelf.put(list);
  for (const pull of pullsOf(list.filter((event) => event !== late))) shelf.opened.set(pull.id, pull);
  return { shelf, late };
}

test('a repeated change reads the same events again, so that a crash after storing them loses nothing', async () => {
  await fc.assert(
    fc.asyncProperty(
      traffic.filter((list) => list.length > 0),
      fc.nat(),
      async (list, pick) => {
        const { shelf, late } = withLate(list, pick);
        const change = await pullChange([late], shelf);
        for (const { id } of change.remove) shelf.opened.delete(id);
        for (const pull of change.put) shelf.opened.set(pull.id, pull);
        const repeated = await pullChange([late], shelf);
        const [seen, pulls] = [new Set(repeated.events.map(({ id }) => id)), new Set(repeated.pulls)];
        assert.deepEqual([repeated.put, repeated.remove], [[], []]);
        for (const { id } of change.remove) assert.ok(seen.has(id));
        for (const { id } of change.put) assert.ok([...pulls].some((pull) => pull.id === id));
      },
    ),
    { seed: 6, numRuns: runs },
  );
});

test('of each event that was read the pull is known, or that it has none; what may belong to an older pull is left out', async () => {
  const writeAfterMs = 2000;
  await fc.assert(
    fc.asyncProperty(
      traffic.filter((list) => list.length > 0),
      fc.nat(),
      async (list, pick) => {
        const { shelf, late } = withLate(list, pick);
        const { events, pullOf } = await pullChange([late], shelf);
        const all = new Map(actsOf(list).flatMap((act) => act.events.map(({ id }) => [id, act.pull] as const)));
        for (const event of events) {
          const pull = pullOf.get(event.id);
          if (isManifestPull(event) && event.time >= late.time - writeAfterMs)
            assert.deepEqual(pull, all.get(event.id) ?? null, event.id);
          else if (pull !== undefined) assert.deepEqual(pull, all.get(event.id), event.id);
        }
      },
    ),
    { seed: 7, numRuns: runs },
  );
});

test('the cost of a steady puller does not grow over time', async () => {
  const shelf = new Shelf();
  const steady = events(...Array.from({ length: 3000 }, (_, at) => [at * 20, 'GET', '1', 'root'] as const));
  shelf.put(steady);
  for (const pull of pullsOf(steady)) shelf.opened.set(pull.id, pull);
  const [late] = events([29_999, 'GET', '1', 'root']);
  shelf.put([{ ...late, id: 'late' }]);
  await shelf.update([{ ...late, id: 'late' }]);
  assert.ok(shelf.read < 50, `${shelf.read} events read`);
});

test('what lies between touched events that are weeks apart is not read', async () => {
  const shelf = new Shelf();
  const steady = events(...Array.from({ length: 1000 }, (_, at) => [at * 3600, 'GET', '1', 'root'] as const));
  shelf.put(steady);
  for (const pull of pullsOf(steady)) shelf.opened.set(pull.id, pull);
  const late = events([60, 'GET', '2', 'root'], [999 * 3600, 'GET', '2', 'root']).map((event) => ({
    ...event,
    id: `late ${event.id}`,
  }));
  shelf.put(late);
  await shelf.update(late);
  assert.ok(shelf.read < 10, `${shelf.read} events read`);
  assert.deepEqual([...shelf.opened.values()].sort(byTime), pullsOf([...steady, ...late]));
});

/** The rule, clause by clause, tried on every earlier pull. */
function naive(list: StoredEvent[], windowSeconds: number) {
  const pulls: { own: StoredEvent[]; root: StoredEvent }[] = [];
  const sorted = [...list].sort((a, b) => a.time - b.time || (a.id < b.id ? -1 : 1));
  const same = (a: string[], b: string[]) => a.length + b.length === 0 || a.some((digest) => b.includes(digest));
  const bare = (event: StoredEvent) =>
    !event.userAgent &&
    !event.addressDigests.length &&
    !event.references &&
    !event.mediaType &&
    event.user &&
    event.digest;
  const forWriting = new Set<StoredEvent>();
  for (const [at, write] of sorted.entries()) {
    if (write.action === 'pull' || !write.digest || !write.userAgent) continue;
    if (write.action === 'push' && write.userAgent.startsWith('docker')) continue;
    const [last, before] = sorted
      .slice(0, at)
      .reverse()
      .filter((event) => {
        if (event.action !== 'pull' || event.digest !== write.digest || event.userAgent !== write.userAgent)
          return false;
        const within = same(event.addressDigests, write.addressDigests) ? 2000 : write.user ? 1000 : -1;
        return write.time - event.time <= within;
      });
    if (last) forWriting.add(last);
    if (last && !last.tag && before?.tag && before.method === 'HEAD') forWriting.add(before);
  }
  for (const event of sorted.filter((event) => event.action === 'pull' && !forWriting.has(event))) {
    const owner = pulls.findLast(({ own, root }) => {
      const [first] = own;
      const age = event.time - first.time;
      if (age > 60_000 || first.userAgent !== event.userAgent) return false;
      if (!same(first.addressDigests, event.addressDigests)) {
        const had = own.some(({ digest, method }) => digest === event.digest && method === event.method);
        if (!event.user || age > 10_000 || had) return false;
      }
      if (event.tag && event.tag === root.tag) {
        if (event.digest !== root.digest) return false;
        const inWindow = windowSeconds > 0 && age <= windowSeconds * 1000;
        if (inWindow && (event.method === first.method || (first.method === 'HEAD' && event.method === 'GET')))
          return true;
        const clocks = age === 0 || (age <= 1000 && first.source !== event.source);
        return clocks && event.method === 'HEAD' && own.every(({ method }) => method === 'GET');
      }
      const names = (a: StoredEvent, b: StoredEvent) => b.digest !== undefined && a.references?.includes(b.digest);
      if (!root.tag && root.digest && age <= 1000) {
        if (event.digest === root.digest) {
          if (event.tag && event.method === 'HEAD' && root.method === 'GET') return true;
        } else if (names(event, root)) return true;
      }
      if (!event.tag && event.digest) {
        if (event.digest === root.digest) {
          if (root.method === 'HEAD') return true;
        } else if (root.references ? names(root, event) : root.mediaType === index) return true;
      }
      return Boolean(bare(first) && bare(event) && age <= 5000 && !(root.tag && event.tag));
    });
    if (owner) {
      const { root } = owner;
      owner.own.push(event);
      const index = event.digest !== root.digest && root.digest && event.references?.includes(root.digest);
      if (!root.tag && (event.tag || index)) owner.root = event;
      continue;
    }
    const readBack = sorted.some((push) => {
      if (
        push.action !== 'push' ||
        push.digest !== event.digest ||
        !event.digest ||
        !event.userAgent ||
        push.userAgent !== event.userAgent
      )
        return false;
      const age = event.time - push.time;
      if (age < 0 || (age === 0 && push.id > event.id)) return false;
      const here = same(push.addressDigests, event.addressDigests);
      return (here || event.user !== '') && age <= (event.tag ? 400 : here ? 10_000 : 1000);
    });
    if (!readBack) pulls.push({ own: [event], root: event });
  }
  const strength = ['version-check', 'signature', 'human'];
  return pulls.map(({ own, root }) => {
    const kind = own.map((event) => event.class).reduce((a, b) => (strength.indexOf(b) > strength.indexOf(a) ? b : a));
    return [own[0].id, own.length, root.tag, kind];
  });
}
