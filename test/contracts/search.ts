// The contract of the search store: what every stage relies on in each implementation. `make` returns an empty store
// for a test.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '#core/bytes/random.ts';
import type { Pull, PullClass, StoredEvent } from '#core/event.ts';
import type { Counts, PullsQuery, SearchChange, SearchStore, ShownList, UserRow, UsersQuery } from '#core/stores.ts';
import { byText, day, hour, pull, start, storedEvent } from './samples.ts';

export interface SearchUnderTest {
  store: SearchStore;
  /** Resolves when searches find everything that was written. */
  settled(): Promise<void>;
}

const eventChange = (doc: StoredEvent, version = 1, apart = false): SearchChange => ({
  ...{ kind: 'event', id: doc.id, version, doc, apart },
});
/** Whether a made-up event is `apart`: not part of a pull or push that counts. */
const isApart = ({ id }: { id: string }) => id.endsWith('3');
const pullChange = (doc: Pull, version = 1): SearchChange => ({ kind: 'pull', id: doc.id, version, doc });

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const result: T[] = [];
  for await (const item of items) result.push(item);
  return result;
}

/** Two weeks of made-up documents with few names, so that every query has ties and groups. */
function madeUp(random: () => number, count: number): { events: StoredEvent[]; pulls: Pull[] } {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)];
  const common = () => ({
    time: start - Math.floor(random() * 40 * day) + pick([0, 0.25]),
    user: pick(['ann', 'Bob', 'bobby', 'Zoë', '', 'x*y']),
    repository: pick(['a/redis', 'a/kafka', 'a_b/redis', 'axb/one', 'B/Redis', 'a']),
    class: pick(['human', 'ci', 'cluster', 'scanner'] as const),
    client: pick(['docker', 'skopeo']),
    country: pick(['FI', 'DE', '']),
    tag: pick([undefined, 'latest', '7']),
    digest: pick(['sha256:1', 'sha256:2', undefined]),
  });
  const present = <T extends object>(doc: T) => JSON.parse(JSON.stringify(doc)) as T;
  return {
    events: Array.from({ length: count }, (_, n) =>
      present(
        storedEvent(`event ${n}`, 0, {
          ...common(),
          // A delete of one tag only: a wholly deleted repository is in no list.
          ...pick([
            { action: 'pull' },
            { action: 'pull' },
            { action: 'push' },
            { action: 'delete', tag: 'gone', digest: undefined },
          ] as const),
          kind: pick(['manifest', 'manifest', 'blob']),
        }),
      ),
    ),
    pulls: Array.from({ length: count }, (_, n) =>
      present(pull(`pull ${n}`, 0, { ...common(), uncertain: pick([undefined, true]) })),
    ),
  };
}

export function searchContract(name: string, make: () => Promise<SearchUnderTest>): void {
  const open = async (...changes: SearchChange[]) => {
    const { store, settled } = await make();
    if (changes.length > 0) await store.write(changes);
    await settled();
    return { store, settled };
  };
  const world = madeUp(seeded(1), 400);
  const filled = () =>
    open(...world.events.map((doc) => eventChange(doc, 1, isApart(doc))), ...world.pulls.map((doc) => pullChange(doc)));
  const listed = { limit: 100, now: start, halfLifeMs: 7 * day };
  const dayOf = (time: number) => Math.floor(time / day);
  const raw = world.events.filter(({ action, kind }) => action === 'pull' && kind === 'manifest');
  const pushes = world.events.filter(({ action, kind }) => action === 'push' && kind === 'manifest');
  const newestOf = (docs: Pull[]) => {
    const { tag, digest, class: kind, client, country } = docs.reduce((a, b) => (b.time > a.time ? b : a));
    return { ...(tag ? { tag } : {}), ...(digest ? { digest } : {}), class: kind, client, country };
  };
  const newest = (docs: { time: number }[]) => docs.reduce((most, { time }) => Math.max(most, time), 0);
  const repositoryRow = (repository: string) => {
    const own = world.pulls.filter((doc) => doc.repository === repository);
    return {
      repository,
      pulls: own.length,
      raw: raw.filter((doc) => doc.repository === repository).length,
      pulledBy: new Set(own.map(({ user }) => user).filter(Boolean)).size,
      lastPull: newest(own),
    };
  };
  const repositories = [...new Set(world.pulls.map(({ repository }) => repository))].sort(byText);
  const groups = (docs: Pull[], key: (doc: Pull) => string) => [...Map.groupBy(docs, key).values()];

  test(`${name}: an empty store returns empty results`, async () => {
    const { store } = await open();
    assert.deepEqual(await store.users({ sort: 'recent', limit: 10, now: start }), []);
    for (const sort of ['popular', 'trending', 'name'] as const)
      assert.deepEqual(await store.repositories({ sort, ...listed }), []);
    assert.deepEqual(await store.catalogue(listed), []);
    assert.deepEqual(await store.pushed('Ann'), []);
    assert.deepEqual(await store.pulled('Ann'), []);
    const nothing = { total: { pulls: 0, raw: 0, pushes: 0, rawPushes: 0 }, uncertain: 0, buckets: [] };
    assert.deepEqual(await store.counts({}), nothing);
    assert.deepEqual(await store.counts({ interval: 'day', by: 'tag' }), nothing);
    assert.deepEqual(await store.pullers({ repository: 'a', limit: 10 }), []);
    assert.deepEqual(await store.unused({ since: start, limit: 10 }), []);
    assert.deepEqual(await all(store.pairs({ classes: ['human'] })), []);
    assert.equal(await store.recommendations('Ann'), undefined);
    await store.write([]);
    await store.forget('Ann');
  });

  test(`${name}: users have a name and pulls; they are found by any part of the name in any case, by kind, and sorted`, async () => {
    const { store } = await filled();
    const orders = {
      name: () => 0,
      recent: (a: UserRow, b: UserRow) => b.lastPull - a.lastPull,
      pulls: (a: UserRow, b: UserRow) => b.pulls - a.pulls,
      new: (a: UserRow, b: UserRow) => b.firstPull - a.firstPull,
    };
    const expected = ({ search = '', kind, sort }: Omit<UsersQuery, 'limit' | 'now'>) =>
      groups(
        world.pulls.filter(({ user }) => user !== '' && user.toLowerCase().includes(search.toLowerCase())),
        ({ user }) => user,
      )
        .map((docs): UserRow => {
          const kinds = groups(docs, (doc) => doc.class).sort(
            (a, b) => b.length - a.length || byText(b[0].class, a[0].class),
          );
          const days = new Array<number>(30).fill(0);
          for (const { time } of docs) {
            const ago = Math.floor(start / day) - Math.floor(time / day);
            if (ago < 30) days[29 - ago]++;
          }
          return {
            ...{ user: docs[0].user, kind: kinds[0][0].class, pulls: docs.length, lastPull: newest(docs), days },
            firstPull: docs.reduce((least, { time }) => Math.min(least, time), Infinity),
          };
        })
        .filter((row) => kind === undefined || row.kind === kind)
        .sort((a, b) => orders[sort](a, b) || byText(a.user, b.user));
    for (const sort of ['recent', 'pulls', 'new', 'name'] as const)
      for (const kind of [undefined, 'human', 'ci', 'mirror'] as const) {
        const query = { sort, kind };
        const rows = plain(await store.users({ ...query, limit: 100, now: start }));
        assert.deepEqual(rows, expected(query), `${sort} ${kind}`);
      }
    for (const search of ['BOB', 'n', 'ZOË', '*', 'o', 'nobody']) {
      const query = { search, sort: 'recent' } as const;
      assert.deepEqual(plain(await store.users({ ...query, limit: 100, now: start })), expected(query), search);
    }
    const two = plain(await store.users({ sort: 'recent', limit: 2, now: start }));
    assert.deepEqual(two, expected({ sort: 'recent' }).slice(0, 2));
  });

  test(`${name}: a user's kind is the most telling one that their pulls give`, async () => {
    const kinds = ['version-check', 'version-check', 'signature', 'ci'] as const;
    const { store } = await open(
      ...kinds.map((kind, n) => pullChange(pull(`a${n}`, start, { user: 'a', class: kind }))),
      pullChange(pull('b', start, { user: 'b', class: 'signature' })),
    );
    const rows = await store.users({ sort: 'name', limit: 10, now: start });
    assert.deepEqual(
      rows.map(({ user, kind }) => [user, kind]),
      [
        ['a', 'ci'],
        ['b', 'signature'],
      ],
    );
  });

  test(`${name}: repositories are sorted by pulls, by name, or by pulls whose weight halves with age`, async () => {
    const { store } = await filled();
    const weight = (repository: string) =>
      world.pulls
        .filter((doc) => doc.repository === repository)
        .reduce((sum, { time }) => sum + 0.5 ** ((dayOf(start) - dayOf(time)) / 3), 0);
    const order = {
      popular: (a: string, b: string) => repositoryRow(b).pulls - repositoryRow(a).pulls || byText(a, b),
      trending: (a: string, b: string) => weight(b) - weight(a),
      name: byText,
    };
    for (const sort of ['popular', 'trending', 'name'] as const) {
      const expected = [...repositories].sort(order[sort]).map(repositoryRow);
      assert.deepEqual(plain(await store.repositories({ sort, ...listed })), expected, sort);
      assert.deepEqual(plain(await store.repositories({ sort, ...listed, limit: 2 })), expected.slice(0, 2), sort);
      for (const search of ['REDIS', 'a_', 'a/'])
        assert.deepEqual(
          plain(await store.repositories({ sort, ...listed, search })),
          expected.filter(({ repository }) => repository.toLowerCase().includes(search.toLowerCase())),
          `${sort} ${search}`,
        );
    }
  });

  test(`${name}: a repository that was only pushed is listed; one that was only deleted is not`, async () => {
    const { store } = await open(
      eventChange(storedEvent('1', start, { action: 'push', repository: 'pushed' })),
      eventChange(storedEvent('2', start, { action: 'delete', kind: 'other', repository: 'deleted' })),
      eventChange(storedEvent('3', start, { kind: 'blob', repository: 'layers' })),
    );
    const expected = [{ repository: 'pushed', pulls: 0, raw: 0, pulledBy: 0, lastPull: 0 }];
    for (const sort of ['popular', 'trending', 'name'] as const)
      assert.deepEqual(plain(await store.repositories({ sort, ...listed })), expected, sort);
  });

  /** The catalogue of these pulls, computed naively: users by the day of their newest pull. */
  const expectedCatalogue = (pulls: Pull[]) => {
    const taught = pulls.filter((doc) => ['human', 'cluster'].includes(doc.class) && doc.user !== '');
    return groups(taught, ({ repository }) => repository)
      .map((docs) => {
        const newestDays = groups(docs, ({ user }) => user).map((own) => dayOf(newest(own)));
        const recent = newestDays.filter((at) => at * day >= dayOf(start) * day - 10 * listed.halfLifeMs);
        const weightOf = (at: number) => 0.5 ** (Math.max(0, (dayOf(start) - at) * day) / listed.halfLifeMs);
        return {
          repository: docs[0].repository,
          pulledBy: newestDays.length,
          days: groups(docs, ({ user, time }) => JSON.stringify([user, dayOf(time)])).length,
          recent: recent.length,
          weight: recent.reduce((sum, at) => sum + weightOf(at), 0).toFixed(9),
        };
      })
      .sort((a, b) => byText(a.repository, b.repository));
  };
  const catalogueOf = async (store: SearchStore) =>
    plain(await store.catalogue(listed)).map((row) => ({ ...row, weight: row.weight.toFixed(9) }));

  test(`${name}: the catalogue counts users and days, however often a user pulls and in whatever order pulls are stored`, async () => {
    const extra = [
      pull('scanned', start, { repository: 'scanned', class: 'scanner' }),
      ...Array.from({ length: 300 }, (_, n) => pull(`anonymous ${n}`, start, { repository: 'z/anonymous', user: '' })),
      ...Array.from({ length: 300 }, (_, n) => pull(`loop ${n}`, start - n * hour, { repository: 'z/loop' })),
      // A pull dated tomorrow weighs no more than one of today.
      pull('tomorrow', start + day, { repository: 'z/tomorrow', user: 'ann' }),
      pull('long ago', start - 400 * day, { repository: 'z/old' }),
    ];
    const pulls = [...world.pulls, ...extra];
    const { store, settled } = await open(...pulls.map((doc) => pullChange(doc)));
    const expected = expectedCatalogue(pulls);
    const loop = expected.find(({ repository }) => repository === 'z/loop')!;
    assert.deepEqual([loop.pulledBy, loop.recent, Number(loop.weight) <= 1], [1, 1, true]);
    assert.deepEqual(await catalogueOf(store), expected);
    await store.write(pulls.map((doc) => pullChange(doc, 2)));
    await settled();
    assert.deepEqual(await catalogueOf(store), expected, 'the same after a redelivery');
    const random = seeded(3);
    const shuffled = (await make()) satisfies SearchUnderTest;
    for (const doc of pulls.map((doc) => ({ doc, at: random() })).sort((a, b) => a.at - b.at))
      await shuffled.store.write([pullChange(doc.doc)]);
    await shuffled.settled();
    assert.deepEqual(await catalogueOf(shuffled.store), expected, 'the same one by one in another order');
    await store.write([{ kind: 'pull', id: 'long ago', version: 2, doc: null }]);
    await settled();
    assert.ok(
      (await store.catalogue(listed)).every(({ repository }) => repository !== 'z/old'),
      'without the removed ones',
    );
  });

  test(`${name}: the repositories that a user pushed are those of their manifests`, async () => {
    const push = (id: string, more: Partial<StoredEvent>) =>
      eventChange(storedEvent(id, start, { action: 'push', ...more }));
    const { store } = await open(
      push('1', { repository: 'b' }),
      push('2', { repository: 'b', tag: '8' }),
      push('3', { repository: 'a' }),
      push('4', { repository: 'layers', kind: 'blob' }),
      push('5', { repository: "another's", user: 'Bob' }),
      eventChange(storedEvent('6', start, { repository: 'pulled' })),
    );
    assert.deepEqual(await store.pushed('Ann'), ['a', 'b']);
    assert.deepEqual(await store.pushed('ann'), []);
  });

  test(`${name}: what a user pulled is every repository with a pull by them, of whatever class`, async () => {
    const { store, settled } = await filled();
    const pulledBy = (user: string, docs = world.pulls) =>
      [...new Set(docs.filter((doc) => doc.user === user).map(({ repository }) => repository))].sort(byText);
    for (const user of ['ann', 'Bob', 'x*y', 'nobody'])
      assert.deepEqual(await store.pulled(user), pulledBy(user), user);
    // Removed pulls no longer count.
    const [first, ...others] = world.pulls.filter(({ user }) => user === 'ann');
    const gone = world.pulls.filter(({ user, repository }) => user === 'ann' && repository === first.repository);
    await store.write(
      gone.map(({ id, user, repository, time }) => ({
        kind: 'pull',
        id,
        version: 2,
        doc: null,
        was: { user, repository, time },
      })),
    );
    await settled();
    assert.deepEqual(
      await store.pulled('ann'),
      pulledBy(
        'ann',
        others.filter((doc) => !gone.includes(doc)),
      ),
    );
    await store.forget('Bob');
    await settled();
    assert.deepEqual(await store.pulled('Bob'), []);
  });

  test(`${name}: counts are exact, whatever the filter, interval and field`, async () => {
    const { store } = await filled();
    const random = seeded(2);
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)];
    for (let round = 0; round < 30; round++) {
      const query: PullsQuery = {
        repository: pick([undefined, undefined, 'a/redis', 'nothing']),
        user: pick([undefined, undefined, 'ann', '']),
        from: pick([undefined, start - 20 * day, world.pulls[0].time]),
        to: pick([undefined, start - 5 * day, world.pulls[1].time]),
        interval: pick([undefined, 'day', 'week', 'month'] as const),
        by: pick([undefined, 'tag', 'class', 'country', 'client'] as const),
      };
      assert.deepEqual(plain(await store.counts(query)), expectedCounts(query), JSON.stringify(query));
    }
  });

  function expectedCounts(query: PullsQuery) {
    const inside = <T extends { repository: string; user: string; time: number }>(docs: T[]) =>
      docs.filter(
        ({ repository, user, time }) =>
          (query.repository === undefined || repository === query.repository) &&
          (query.user === undefined || user === query.user) &&
          (query.from === undefined || time >= query.from) &&
          (query.to === undefined || time < query.to),
      );
    const total: Counts = { pulls: 0, raw: 0, pushes: 0, rawPushes: 0 };
    const buckets = new Map<string, { from?: number; key?: string } & Counts>();
    for (const [field, docs] of Object.entries({
      pulls: inside(world.pulls),
      raw: inside(raw),
      pushes: inside(pushes.filter((doc) => !isApart(doc))),
      rawPushes: inside(pushes),
    }))
      for (const doc of docs as (Pull & StoredEvent)[]) {
        total[field as keyof Counts]++;
        const from = query.interval && { from: bucketStart(doc.time, query.interval) };
        const key = query.by && { key: doc[query.by] ?? '' };
        if (!from && !key) continue;
        const name = JSON.stringify([from, key]);
        const bucket = buckets.get(name) ?? { ...from, ...key, pulls: 0, raw: 0, pushes: 0, rawPushes: 0 };
        bucket[field as keyof Counts]++;
        buckets.set(name, bucket);
      }
    const order = (a: { from?: number; key?: string }, b: { from?: number; key?: string }) =>
      (a.from ?? 0) - (b.from ?? 0) || byText(a.key ?? '', b.key ?? '');
    const uncertain = inside(world.pulls).filter((doc) => doc.uncertain).length;
    return { total, uncertain, buckets: [...buckets.values()].sort(order) };
  }

  test(`${name}: who pulled a digest or repository, newest first`, async () => {
    const { store } = await open(...world.pulls.map((doc) => pullChange(doc)));
    for (const query of [
      { digest: 'sha256:1' },
      { repository: 'a/redis' },
      { digest: 'sha256:2', repository: 'a', from: start - 30 * day, to: start - 3 * day },
      { digest: 'sha256:9' },
    ]) {
      const expected = groups(
        world.pulls.filter(
          ({ user, repository, digest, time }) =>
            user !== '' &&
            (query.repository === undefined || repository === query.repository) &&
            (query.digest === undefined || digest === query.digest) &&
            time >= (query.from ?? 0) &&
            time < (query.to ?? Infinity),
        ),
        ({ user, repository }) => JSON.stringify([user, repository]),
      )
        .map((docs) => ({
          user: docs[0].user,
          repository: docs[0].repository,
          pulls: docs.length,
          lastPull: newest(docs),
          ...newestOf(docs),
        }))
        .sort((a, b) => b.lastPull - a.lastPull);
      assert.deepEqual(plain(await store.pullers({ ...query, limit: 100 })), expected);
      assert.deepEqual(plain(await store.pullers({ ...query, limit: 3 })), expected.slice(0, 3));
    }
  });

  test(`${name}: who pulled a digest includes pulls by index, by platform, and of parents whose references were not reported`, async () => {
    const index = {
      mediaType: 'application/vnd.oci.image.index.v1+json',
      digest: 'sha256:i',
      references: ['sha256:p'],
    };
    const platform = { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: 'sha256:p', references: [] };
    const untold = { mediaType: index.mediaType, digest: 'sha256:u' };
    const act = (user: string, at: number, root: Partial<StoredEvent>, ...parts: Partial<StoredEvent>[]) => {
      const common = { user, tag: undefined, digest: root.digest };
      return [
        ...[root, ...parts].map((part, n) =>
          eventChange(storedEvent(`${user} ${n}`, start + at + n / 8, { ...common, ...part })),
        ),
        pullChange(pull(`${user} 0`, start + at, { ...common, country: 'FI', class: 'cluster' })),
      ];
    };
    const { store } = await open(
      ...act('by index', 4, index, platform),
      ...act('by index, kept', 3, { ...index, method: 'HEAD' }),
      ...act('by platform', 2, platform),
      ...act('by untold index', 1, untold, { ...platform, references: undefined }),
      ...act('other', 5, { ...platform, digest: 'sha256:o' }),
      eventChange(storedEvent('checked', start, { user: 'checked', ...platform }), 1, true),
    );
    const who = async (digest: string) =>
      (await store.pullers({ digest, limit: 10 })).map(({ user, pulls, digest, country }) => [
        ...[user, pulls, digest, country],
      ]);
    const part = [
      ['by index', 1, 'sha256:i', 'FI'],
      ['by index, kept', 1, 'sha256:i', 'FI'],
      ['by platform', 1, 'sha256:p', 'FI'],
    ];
    assert.deepEqual(await who('sha256:p'), [...part, ['by untold index', 1, 'sha256:p', 'FI']]);
    assert.deepEqual(await who('sha256:i'), part);
    assert.deepEqual(await who('sha256:u'), [['by untold index', 1, 'sha256:u', 'FI']]);
    assert.deepEqual(await who('sha256:x'), []);
  });

  test(`${name}: unused images were pushed, and are connected to nothing that was used since`, async () => {
    const manifest = 'application/vnd.oci.image.manifest.v1+json';
    const index = 'application/vnd.oci.image.index.v1+json';
    const image = ['application/vnd.oci.image.config.v1+json'];
    const told = { mediaType: manifest, references: [], referenceTypes: image, size: 100 };
    const event = (id: string, time: number, more: Partial<StoredEvent>, apart = false) =>
      eventChange(storedEvent(id, time, { ...told, ...more }), 1, apart);
    const push = (id: string, time: number, more: Partial<StoredEvent>) =>
      event(`${id} push`, time, { action: 'push', tag: undefined, ...more });
    const pulled = (id: string, time: number, more: Partial<StoredEvent>, apart = false) =>
      event(`${id} pull ${apart}`, time, { tag: undefined, ...more }, apart);
    const old = start - 10 * day;
    const { store } = await open(
      push('1', old, { tag: 'never', digest: 'sha256:1' }),
      push('2', old + 1, { tag: 'scanned', digest: 'sha256:2' }),
      pulled('2', start, { digest: 'sha256:2', class: 'scanner' }),
      push('3', old + 2, { tag: 'once', digest: 'sha256:3' }),
      pulled('3', old + hour, { tag: 'once', digest: 'sha256:3' }),
      push('4', old + 3, { tag: 'used', digest: 'sha256:4' }),
      pulled('4', start + 1, { tag: 'used', digest: 'sha256:4', class: 'ci' }),
      // An index, used through one of its platforms.
      push('5', old + 4, { digest: 'sha256:5a' }),
      push('6', old + 4, { digest: 'sha256:5b' }),
      push('7', old + 5, {
        tag: 'multi',
        digest: 'sha256:5',
        mediaType: index,
        references: ['sha256:5a', 'sha256:5b'],
      }),
      pulled('7', start + 1, { digest: 'sha256:5b' }),
      push('8', start + 1, { tag: 'fresh', digest: 'sha256:6' }),
      push('9', old + 6, { tag: 'elsewhere', digest: 'sha256:7' }),
      pulled('9', start + 1, { digest: 'sha256:7', repository: 'library/other' }),
      push('10', old + 7, { tag: 'deleted', digest: 'sha256:8' }),
      event('10d', old + 8, { action: 'delete', kind: 'other', tag: undefined, digest: 'sha256:8' }),
      push('11', old + 9, { digest: 'sha256:9' }),
      pulled('11', start + 1, { digest: 'sha256:9' }, true),
      push('12', old + 10, { repository: 'a/untold', digest: 'sha256:1', mediaType: undefined, references: undefined }),
    );
    const row = (tag: string | undefined, digest: string, lastPush: number, more: object = {}) => ({
      ...{
        repository: 'library/redis',
        ...(tag ? { tag } : {}),
        digest,
        lastPush,
        size: 100,
        confidence: 'known',
        ...more,
      },
    });
    const expected = [
      row('never', 'sha256:1', old),
      row('scanned', 'sha256:2', old + 1),
      row('once', 'sha256:3', old + 2, { lastPull: old + hour }),
      row('elsewhere', 'sha256:7', old + 6),
      row(undefined, 'sha256:9', old + 9),
      row(undefined, 'sha256:1', old + 10, { repository: 'a/untold', confidence: 'unknown references' }),
    ];
    const found = plain(await store.unused({ since: start, limit: 10 }));
    assert.ok(found.every(({ reason }) => reason));
    assert.deepEqual(
      found.map(({ reason, ...image }) => image),
      expected,
    );
    assert.deepEqual(plain(await store.unused({ since: start, limit: 2 })), found.slice(0, 2));

    const untold = { digest: 'sha256:1', size: 100 };
    assert.deepEqual(plain(await store.images({ repository: ['a/untold', 'a/nothing'] })), [
      {
        repository: 'a/untold',
        facts: [{ action: 'push', digest: 'sha256:1', class: 'human', apart: false, time: old + 10 }],
        manifests: [{ ...untold, runs: true }],
      },
    ]);
    const [redis, ...others] = await store.images({ repository: 'library/redis' });
    assert.deepEqual([redis.repository, redis.manifests.length, others], ['library/redis', 11, []]);
  });

  test(`${name}: a deleted repository is in no list, and a push brings it back`, async () => {
    const event = (id: string, action: 'push' | 'pull' | 'delete', time: number, more: Partial<StoredEvent>) =>
      eventChange(storedEvent(id, time, { action, kind: action === 'delete' ? 'other' : 'manifest', ...more }));
    const named = { tag: '1', digest: 'sha256:1' };
    const { store, settled } = await open(
      ...['whole', 'digest', 'tag', 'kept'].flatMap((repository) => [
        event(`${repository} 1`, 'push', start, { repository, ...named }),
        event(`${repository} 2`, 'pull', start + 1, { repository, ...named }),
        pullChange(pull(`${repository} 2`, start + 1, { repository, ...named })),
      ]),
      event('kept 3', 'push', start, { repository: 'kept', tag: '2', digest: 'sha256:2' }),
      event('d1', 'delete', start + 2, { repository: 'whole', tag: undefined, digest: undefined }),
      event('d2', 'delete', start + 2, { repository: 'digest', tag: undefined, digest: 'sha256:1' }),
      event('d3', 'delete', start + 2, { repository: 'tag', tag: '1', digest: undefined }),
      event('d4', 'delete', start + 2, { repository: 'kept', tag: undefined, digest: 'sha256:1' }),
    );
    const names = async () => ({
      deleted: await store.deleted(),
      catalogue: (await store.catalogue(listed)).map(({ repository }) => repository),
      popular: (await store.repositories({ sort: 'popular', ...listed })).map(({ repository }) => repository),
      trending: (await store.repositories({ sort: 'trending', ...listed })).map(({ repository }) => repository),
    });
    const only = { catalogue: ['kept'], popular: ['kept'], trending: ['kept'] };
    assert.deepEqual(await names(), { deleted: ['digest', 'tag', 'whole'], ...only });
    const unused = await store.unused({ since: start + day, limit: 10 });
    assert.deepEqual(
      unused.map(({ repository, digest }) => [repository, digest]),
      [['kept', 'sha256:2']],
    );
    assert.equal((await store.counts({ repository: 'whole' })).total.pulls, 1, 'history stays');
    await store.write([event('whole 3', 'push', start + 3, { repository: 'whole', ...named })]);
    await settled();
    const both = ['kept', 'whole'];
    assert.deepEqual(await names(), { deleted: ['digest', 'tag'], catalogue: both, popular: both, trending: both });
  });

  test(`${name}: forgetting the user who pushed, pulled or deleted images changes nothing that is known about the images`, async () => {
    const event = (id: string, action: 'push' | 'pull' | 'delete', time: number, more: Partial<StoredEvent>) =>
      eventChange(
        storedEvent(id, time, { action, kind: action === 'delete' ? 'other' : 'manifest', user: 'gone', ...more }),
      );
    const told = { mediaType: 'application/vnd.oci.image.manifest.v1+json', references: [] as string[] };
    const image = (digest: string, tag?: string) => ({ digest, tag, ...told });
    const { store, settled } = await open(
      // Deleted, then pushed again by the forgotten user.
      event('1', 'push', start, { repository: 'back', user: 'Ann', ...image('sha256:1', '1') }),
      event('2', 'delete', start + 1, { repository: 'back', user: 'Ann', tag: undefined, digest: undefined }),
      event('3', 'push', start + 2, { repository: 'back', ...image('sha256:1', '1') }),
      pullChange(pull('4', start, { repository: 'back', user: 'Ann' })),
      // Deleted by the forgotten user.
      event('5', 'push', start, { repository: 'away', user: 'Ann', ...image('sha256:1', '1') }),
      event('6', 'delete', start + 1, { repository: 'away', tag: undefined, digest: undefined }),
      pullChange(pull('7', start, { repository: 'away', user: 'Ann' })),
      // Used by the forgotten user, and not used.
      event('8', 'push', start, { repository: 'used', user: 'Ann', ...image('sha256:1', '1') }),
      event('9', 'pull', start + 2 * day, { repository: 'used', ...image('sha256:1', '1') }),
      event('10', 'push', start, { repository: 'used', ...image('sha256:2', '2') }),
    );
    const known = async () => ({
      deleted: await store.deleted(),
      listed: (await store.repositories({ sort: 'name', ...listed })).map(({ repository }) => repository),
      unused: plain(await store.unused({ since: start + day, limit: 10 })),
      changes: (await store.imageUse({ repository: 'back', from: start })).changes
        .map(({ action, tag, last }) => [action, tag, last])
        .sort(),
    });
    const before = await known();
    assert.deepEqual([before.deleted, before.listed], [['away'], ['back', 'used']]);
    assert.deepEqual(
      before.unused.map(({ repository, tag }) => [repository, tag]),
      [
        ['used', '2'],
        ['back', '1'],
      ],
    );
    await store.forget('gone');
    await settled();
    assert.deepEqual(await known(), before);
    assert.deepEqual((await store.counts({ repository: 'used' })).total, {
      ...{ pulls: 0, raw: 0, pushes: 1, rawPushes: 1 },
    });
    assert.deepEqual(await store.pushed('gone'), []);
    assert.deepEqual(await store.pulled('gone'), []);
    await store.forget('gone');
    await settled();
    assert.deepEqual(await known(), before);
  });

  test(`${name}: pairs have every user's pulls of each repository, of the classes asked for, sorted`, async () => {
    const { store } = await filled();
    for (const query of [
      { classes: ['human'] },
      { classes: ['human', 'cluster'], from: start - 20 * day, to: start - day },
      { classes: ['human', 'ci', 'cluster', 'scanner'], repositoryPrefix: 'a_' },
      { classes: ['human'], repositoryPrefix: 'A/' },
      { classes: [] },
    ] as { classes: PullClass[]; from?: number; to?: number; repositoryPrefix?: string }[]) {
      const expected = groups(
        world.pulls.filter(
          (doc) =>
            doc.user !== '' &&
            query.classes.includes(doc.class) &&
            doc.repository.startsWith(query.repositoryPrefix ?? '') &&
            doc.time >= (query.from ?? 0) &&
            doc.time < (query.to ?? Infinity),
        ),
        ({ user, repository }) => JSON.stringify([user, repository]),
      )
        .map((docs) => ({
          user: docs[0].user,
          repository: docs[0].repository,
          pulls: docs.length,
          days: new Set(docs.map(({ time }) => Math.floor(time / day))).size,
          firstPull: docs.reduce((least, { time }) => Math.min(least, time), Infinity),
          lastPull: newest(docs),
        }))
        .sort((a, b) => byText(a.user, b.user) || byText(a.repository, b.repository));
      assert.deepEqual(plain(await all(store.pairs(query))), expected, JSON.stringify(query));
    }
  });

  test(`${name}: pairs stay in order over many pages`, async () => {
    const pulls = Array.from({ length: 2300 }, (_, n) =>
      pull(`${n}`, start, { user: `user ${(n * 7919) % 2300}`, repository: `r${n % 3}` }),
    );
    const { store } = await open(...pulls.map((doc) => pullChange(doc)));
    const users = (await all(store.pairs({ classes: ['human'] }))).map(({ user }) => user);
    assert.deepEqual(users, pulls.map(({ user }) => user).sort(byText));
  });

  test(`${name}: a late writer can't undo a newer version, nor bring back a removed document`, async () => {
    const { store, settled } = await open(pullChange(pull('1', start, { repository: 'new' }), 5));
    const names = async () => {
      await settled();
      return (await store.repositories({ sort: 'name', ...listed })).map(({ repository }) => repository);
    };
    await store.write([pullChange(pull('1', start, { repository: 'old' }), 4)]);
    assert.deepEqual(await names(), ['new']);
    await store.write([{ kind: 'pull', id: '1', version: 4, doc: null }]);
    assert.deepEqual(await names(), ['new']);
    await store.write([pullChange(pull('1', start, { repository: 'same' }), 5)]);
    assert.deepEqual(await names(), ['same']);
    await store.write([{ kind: 'pull', id: '1', version: 6, doc: null }]);
    assert.deepEqual(await names(), []);
    await store.write([pullChange(pull('1', start, { repository: 'old' }), 5)]);
    assert.deepEqual(await names(), []);
    await store.write([pullChange(pull('1', start, { repository: 'newest' }), 7)]);
    assert.deepEqual(await names(), ['newest']);
  });

  test(`${name}: of several versions in one write the highest stays, and an event may have the same id as a pull`, async () => {
    const { store } = await open(
      pullChange(pull('1', start, { repository: 'two' }), 2),
      pullChange(pull('1', start, { repository: 'one' }), 1),
      { kind: 'pull', id: '2', version: 1, doc: null },
      eventChange(storedEvent('1', start, { repository: 'event' }), 1),
    );
    const names = (await store.repositories({ sort: 'name', ...listed })).map(({ repository }) => repository);
    assert.deepEqual(names, ['event', 'two']);
  });

  test(`${name}: the days on which a user pulled each repository, newest first, up to a limit`, async () => {
    const { store } = await filled();
    for (const user of ['ann', 'Zoë', 'nobody']) {
      const own = world.pulls.filter((doc) => doc.user === user && ['human', 'cluster'].includes(doc.class));
      const expected = groups(own, ({ repository }) => repository)
        .map((docs) => ({
          ...{ repository: docs[0].repository, days: new Set(docs.map(({ time }) => dayOf(time))).size },
          last: dayOf(newest(docs)),
        }))
        .sort((a, b) => b.last - a.last || byText(a.repository, b.repository))
        .map(({ last, ...row }) => row);
      assert.deepEqual(plain(await store.pulledDays({ user, limit: 100 })), expected, user);
      assert.deepEqual(plain(await store.pulledDays({ user, limit: 2 })), expected.slice(0, 2), user);
    }
  });

  test(`${name}: who uses which images, and whether these were pushed or deleted since`, async () => {
    const { store } = await filled();
    const from = start - 20 * day;
    const using = world.pulls.filter(
      (doc) => doc.user !== '' && ['human', 'ci', 'cluster'].includes(doc.class) && doc.time >= from,
    );
    const changes = world.events.filter(
      ({ action, kind }) => action === 'delete' || (action === 'push' && kind === 'manifest'),
    );
    const sorted = <T>(rows: T[]) =>
      plain(rows)
        .map((row) => JSON.stringify(Object.entries(row as object).sort()))
        .sort();
    const expected = (of: (repository: string) => boolean) => ({
      pulls: sorted(
        groups(
          using.filter(({ repository }) => of(repository)),
          ({ user, repository, class: kind, tag, digest }) => JSON.stringify([user, repository, kind, tag, digest]),
        ).map(([{ user, repository, class: kind, tag, digest }, ...more], at, all) => ({
          ...{ user, repository, class: kind, tag, digest, lastPull: newest(all[at]) },
          firstPull: Math.min(all[at][0].time, ...more.map(({ time }) => time)),
        })),
      ),
      changes: sorted(
        groups(changes.filter(({ repository }) => of(repository)) as unknown as Pull[], (doc) =>
          JSON.stringify([doc.repository, (doc as unknown as StoredEvent).action, doc.tag, doc.digest]),
        ).map((docs) => {
          const { repository, action, tag, digest } = docs[0] as unknown as StoredEvent;
          return { repository, action, tag, digest, last: newest(docs) };
        }),
      ),
    });
    const read = async (query: Parameters<SearchStore['imageUse']>[0]) => {
      const use = await store.imageUse(query);
      return { pulls: sorted(use.pulls), changes: sorted(use.changes) };
    };
    assert.deepEqual(
      await read({ repository: 'a/redis', from }),
      expected((repository) => repository === 'a/redis'),
    );
    const own = new Set(using.filter(({ user }) => user === 'ann').map(({ repository }) => repository));
    assert.deepEqual(
      await read({ user: 'ann', from }),
      expected((repository) => own.has(repository)),
    );
    assert.deepEqual(await read({ user: 'nobody', from }), { pulls: [], changes: [] });
  });

  test(`${name}: what users were shown replaces what was stored before, and goes with a user`, async () => {
    const { store, settled } = await filled();
    const shown = (user: string, list: string, repository = 'a'): ShownList => ({
      ...{ user, list, items: [{ repository, source: 'als', from: start, to: start + 0.5 }] },
    });
    const stored = async (count: number) => {
      for (let tries = 0; ; tries++) {
        await settled();
        const lists = plain(await all(store.allShown()));
        if (lists.length === count || tries > 200) return lists.sort((a, b) => byText(a.user, b.user));
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    assert.equal(await store.shown('ann'), undefined);
    await store.saveShown([shown('ann', 'one'), shown('bobby', 'one')]);
    await store.saveShown([shown('ann', 'two', 'b')]);
    await settled();
    assert.deepEqual(plain(await store.shown('ann')), shown('ann', 'two', 'b'));
    assert.deepEqual(await stored(2), [shown('ann', 'two', 'b'), shown('bobby', 'one')]);
    assert.equal(
      await store.recommendations('ann'),
      undefined,
      'shown lists are stored apart from those that training saved',
    );
    await store.forget('bobby');
    assert.deepEqual(await stored(1), [shown('ann', 'two', 'b')]);
    assert.equal(await store.shown('bobby'), undefined);
  });

  test(`${name}: saved recommendations replace earlier ones; an empty list removes them`, async () => {
    const { store, settled } = await open();
    const saved = (user: string, model: string) => ({ user, model, items: [{ repository: 'a/redis', score: 0.5 }] });
    await store.saveRecommendations([saved('Ann', 'm1'), saved('Bob', 'm1')]);
    await store.saveRecommendations([saved('Ann', 'm2')]);
    await settled();
    assert.deepEqual(await store.recommendations('Ann'), saved('Ann', 'm2'));
    await store.saveRecommendations(['Ann', 'nobody'].map((user) => ({ user, model: 'm3', items: [] })));
    await settled();
    assert.equal(await store.recommendations('Ann'), undefined);
    assert.deepEqual(await store.recommendations('Bob'), saved('Bob', 'm1'));
    assert.equal(await store.recommendations('ann'), undefined);
  });

  test(`${name}: a query may name one registry; the same repository in two registries counts as two`, async () => {
    const common = { user: 'ann', class: 'human' as const, tag: '1', digest: 'sha256:1' };
    const keys = ['team/app', 'east//team/app', 'west//team/app', 'east//east/one'];
    const { store } = await open(
      ...keys.map((repository, n) => pullChange(pull(`p${n}`, start, { ...common, repository }))),
      ...keys.map((repository, n) => eventChange(storedEvent(`p${n}`, start, { ...common, repository }))),
      pullChange(pull('p9', start, { ...common, user: 'bob', repository: 'west//team/app' })),
    );
    const names = async (query: object) =>
      (await store.repositories({ sort: 'name', ...listed, ...query })).map(({ repository }) => repository).sort();
    assert.deepEqual(await names({}), [...keys].sort());
    assert.deepEqual(await names({ registry: 'east' }), ['east//east/one', 'east//team/app']);
    assert.deepEqual(await names({ registry: 'default' }), ['team/app']);
    assert.deepEqual(await names({ search: 'EAST' }), ['east//east/one'], 'the search is in names, not in registries');
    assert.deepEqual(await names({ search: 'am/a', registry: 'west' }), ['west//team/app']);
    const pulls = async (query: PullsQuery) => (await store.counts(query)).total.pulls;
    assert.equal(await pulls({}), 5);
    assert.equal(await pulls({ registry: 'east' }), 2);
    assert.equal(await pulls({ registry: 'default' }), 1);
    assert.equal(await pulls({ repository: ['team/app', 'west//team/app'] }), 3);
    const users = async (registry: string) =>
      (await store.users({ sort: 'name', limit: 9, now: start, registry })).map(({ user, pulls }) => [user, pulls]);
    assert.deepEqual(await users('west'), [
      ['ann', 1],
      ['bob', 1],
    ]);
    assert.deepEqual(await users('default'), [['ann', 1]]);
    const digest = { digest: 'sha256:1', limit: 9 };
    assert.equal((await store.pullers(digest)).length, 5);
    assert.equal((await store.pullers({ ...digest, registry: 'west' })).length, 2);
  });

  test(`${name}: documents from before a given time are removed, and nothing else`, async () => {
    const { store, settled } = await filled();
    const before = start - 20 * day;
    await store.expire(before);
    await settled();
    const left = world.pulls.filter(({ time }) => time >= before);
    assert.ok(left.length > 0 && left.length < world.pulls.length);
    for (let tries = 0; (await store.counts({})).total.pulls > left.length && tries < 100; tries++) await settled();
    assert.equal((await store.counts({})).total.pulls, left.length);
    assert.equal((await store.counts({})).total.raw, raw.filter(({ time }) => time >= before).length);
    assert.equal((await store.counts({ to: before })).total.pulls, 0);
  });

  test(`${name}: a forgotten user is in no result, and results about others stay the same`, async () => {
    const { store, settled } = await filled();
    const saved = (user: string) => ({ user, model: 'm', items: [{ repository: 'a', score: 1 }] });
    await store.saveRecommendations([saved('bobby'), saved('Bob')]);
    await settled();
    await store.forget('bobby');
    await settled();
    const users = (await store.users({ sort: 'recent', limit: 100, now: start })).map(({ user }) => user);
    assert.deepEqual(users.sort(), ['Bob', 'Zoë', 'ann', 'x*y'].sort());
    assert.deepEqual((await store.counts({ user: 'bobby' })).total, { pulls: 0, raw: 0, pushes: 0, rawPushes: 0 });
    assert.deepEqual(plain((await store.counts({ user: 'Bob' })).total), expectedCounts({ user: 'Bob' }).total);
    assert.equal(await store.recommendations('bobby'), undefined);
    assert.deepEqual(await store.recommendations('Bob'), saved('Bob'));
    assert.deepEqual(await catalogueOf(store), expectedCatalogue(world.pulls.filter(({ user }) => user !== 'bobby')));
  });
}

/** The same values as plain objects: SQLite's rows have no prototype. */
const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value));

function bucketStart(time: number, interval: 'day' | 'week' | 'month'): number {
  const date = new Date(time);
  const [year, month, dayOfMonth] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
  if (interval === 'month') return Date.UTC(year, month, 1);
  return Date.UTC(year, month, dayOfMonth - (interval === 'week' ? (date.getUTCDay() + 6) % 7 : 0));
}
