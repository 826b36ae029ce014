// Sums of the documents before a day: every read is what it is without sums, whatever is stored and removed since.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { openSearchCall } from '#aws/opensearch/opensearch.ts';
import { type OpenSearchStore, openSearch } from '#aws/opensearch/search.ts';
import { seeded } from '#core/bytes/random.ts';
import type { CatalogueRow, PullsQuery, SearchChange } from '#core/stores.ts';
import { day, pull, start, storedEvent } from '../../contracts/samples.ts';
import { searchContract } from '../../contracts/search.ts';
import { notInstalled, startOpenSearch } from '../servers.ts';

if (notInstalled) test(`sums in OpenSearch (install the servers with ${notInstalled})`, { skip: true });
else await summed();

async function summed() {
  const node = await startOpenSearch();
  after(() => node.stop());
  const endpoint = node.url;
  const call = openSearchCall({ endpoint });
  let made = 0;

  for (const [name, now] of [
    ['of every document', start + 3 * day],
    ['of the older documents', start - 8 * day],
  ] as const)
    searchContract(`OpenSearch with sums ${name}`, async () => {
      const prefix = `contract-${++made}`;
      const store = openSearch({ endpoint, prefix, manyDocuments: 1 });
      return {
        store,
        async settled() {
          await call('POST', `/${prefix}-*/_refresh`);
          await store.sumUp(now);
        },
      };
    });

  const keyOf = (row: object) => JSON.stringify(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)));
  const all = async (store: OpenSearchStore) => {
    const now = start;
    const found: Record<string, unknown> = {};
    for (const sort of ['popular', 'trending', 'name'] as const)
      for (const more of [{}, { registry: 'east' }, { search: '1' }])
        found[`repositories ${sort} ${JSON.stringify(more)}`] = await store.repositories({
          sort,
          limit: 5,
          now,
          ...more,
        });
    for (const sort of ['recent', 'pulls', 'new', 'name'] as const)
      for (const more of [{}, { registry: 'default' }, { kind: 'ci' as const }])
        found[`users ${sort} ${JSON.stringify(more)}`] = await store.users({ sort, limit: 4, now, ...more });
    for (const interval of [undefined, 'week'] as const)
      for (const by of [undefined, 'tag', 'client'] as const)
        for (const more of [
          ...[{}, { registry: 'east' }, { from: start - 25.3 * day, to: start - 2.6 * day }],
          ...['app-0', 'east//app-0', ['app-1', 'east//app-1']].map((repository) => ({ repository })),
          ...[{ repository: 'app-2', from: start - 25.3 * day, to: start - 2.6 * day }],
          ...[{ user: 'user-1' }, { user: 'user-1', registry: 'east' }, { user: 'user-2', repository: 'app-1' }],
        ])
          found[`counts ${interval} ${by} ${JSON.stringify(more)}`] = await store.counts({ interval, by, ...more });
    for (const repository of ['app-0', 'east//app-1', ['app-1', 'east//app-0']])
      found[`pullers ${repository}`] = await store.pullers({ repository, limit: 4 });
    for (const since of [start - 30 * day, start - 10 * day, start - day, start + day])
      for (const more of [{ limit: 1000 }, { limit: 3 }, { limit: 1000, registry: 'east' }])
        found[`unused ${since} ${JSON.stringify(more)}`] = await store.unused({ since, ...more });
    for (const repository of ['app-0', ['east//app-1', 'app-3', 'none']])
      found[`images ${repository}`] = (await store.images({ repository })).map(({ facts, manifests, ...one }) => ({
        ...{ ...one, facts: facts.map(keyOf).sort(), manifests: manifests.map(keyOf).sort() },
      }));
    found.deleted = await store.deleted();
    // Sums of fractions depend on their order.
    const rounded = (row: CatalogueRow) => ({ ...row, weight: row.weight.toFixed(9) });
    found.catalogue = (await store.catalogue({ now, halfLifeMs: 7 * day })).map(rounded);
    return found;
  };

  test('reads are the same with sums as without, through late pulls, redeliveries, removed pulls, forgetting and expiry', async () => {
    // Some repositories and users have so many documents.
    const [sums, plain] = ['sums', 'plain'].map((prefix) => openSearch({ endpoint, prefix, manyDocuments: 100 }));
    const random = seeded(7);
    const below = (count: number) => Math.floor(random() * count);
    /** An id stands for the same user, repository and time in each of its versions. */
    const changesOf = (id: number, version: number): SearchChange[] => {
      const own = seeded(id + 1);
      const of = (count: number) => Math.floor(own() * count);
      const user = of(6) === 0 ? '' : `user-${of(5)}`;
      const repository = `${of(3) === 0 ? 'east//' : ''}app-${of(4)}`;
      const was = { user, repository, time: start - of(40 * 24) * (day / 24) - of(1000) / 4 - id / 1000 };
      const more = {
        ...was,
        class: (['human', 'ci', 'cluster', 'mirror'] as const)[below(4)],
        client: ['docker', 'skopeo'][below(2)],
        tag: [undefined, 'latest', '7', `${of(20)}`][of(4)],
        digest: [undefined, `sha256:${of(30)}`][Math.min(1, of(20))],
      };
      const action = (['push', 'push', 'push', 'delete'] as const)[of(14)] ?? 'pull';
      // An index names two others; what a manifest is may be reported later.
      const isIndex = more.digest?.endsWith('0');
      const told = below(3) === 0 ? {} : { references: isIndex ? ['sha256:1', 'sha256:2'] : [], size: 10 };
      const mediaType = `application/vnd.oci.image.${isIndex ? 'index' : 'manifest'}.v1+json`;
      const event = storedEvent(`${id}`, 0, { ...more, action, mediaType, ...told });
      const changes: SearchChange[] = [{ kind: 'event', id: `${id}`, version, doc: event, apart: below(5) === 0 }];
      if (event.action !== 'pull') return changes;
      const isRemoved = version > 1 && below(3) === 0;
      const doc = isRemoved ? null : pull(`${id}`, 0, { ...more, uncertain: below(3) === 0 ? true : undefined });
      return [...changes, JSON.parse(JSON.stringify({ kind: 'pull', id: `${id}`, version, doc, was }))];
    };
    const versions = new Map<number, number>();
    const write = async (ids: number[]) => {
      const changes = ids.flatMap((id) => {
        const version = (versions.get(id) ?? 0) + below(2);
        versions.set(id, version);
        return changesOf(id, version);
      });
      for (const store of [sums, plain]) await store.write(changes);
    };
    const same = async (step: string) => {
      for (const prefix of ['sums', 'plain']) await call('POST', `/${prefix}-*/_refresh`);
      const [found, expected] = [await all(sums), await all(plain)];
      for (const [name, value] of Object.entries(expected)) assert.deepEqual(found[name], value, `${step}: ${name}`);
    };
    const some = (count: number, of: number, from = 0) => Array.from({ length: count }, () => from + below(of));

    await write(Array.from({ length: 500 }, (_, id) => id));
    await same('no sums');
    await sums.sumUp(start - 5 * day);
    await same('sums');
    for (let round = 0; round < 4; round++) {
      await write(some(3, 700));
      await same(`written after the sums, ${round}`);
      if (round === 2) await sums.sumUp(start - 3 * day);
    }
    await write(some(200, 500));
    await same('much changed');
    await sums.sumUp(start + 2 * day);
    await same('everything is summed');
    await write(some(5, 500));
    await same('written after everything was summed');
    for (const store of [sums, plain]) await store.forget('user-3');
    await same('a forgotten user');
    await sums.sumUp(start - day);
    const named = { query: { term: { user: 'user-3' } } };
    const { hits } = await call<{ hits: { total: { value: number } } }>('POST', '/sums-documents/_search', named);
    assert.equal(hits.total.value, 0);
    await same('summed without a forgotten user');
    for (const store of [sums, plain]) await store.expire(start - 20 * day);
    await sums.sumUp(start - day);
    for (let tries = 0; tries < 100; tries++) {
      await call('POST', '/plain-documents,sums-documents/_refresh');
      const left = await Promise.all(
        [plain, sums].map((store) => store.counts({ user: 'user-1', to: start - 20 * day })),
      );
      if (left.every(({ total }) => total.pulls + total.pushes === 0)) break;
    }
    await same('expired');
    await sums.sumUp(start - day);
    await write(some(20, 500));
    await same('stored again after it expired');
    await sums.sumUp(start - day);
    await same('and summed');
  });

  test('sums stay in use while pulls come late and expire, until a user is forgotten', async () => {
    const searched: string[] = [];
    const store = openSearch({
      ...{ endpoint, prefix: 'used' },
      sign: async (url, { headers = {}, body }) => {
        if (url.pathname.endsWith('_search')) searched.push(String(body));
        return headers;
      },
    });
    const put = (id: number, user: string, at: number) =>
      store.write([{ kind: 'pull', id: `${id}`, version: 1, doc: pull(`${id}`, at, { user, repository: 'app' }) }]);
    const readsSums = async () => {
      await call('POST', '/used-documents/_refresh');
      searched.length = 0;
      const [{ user, pulls }] = await store.users({ sort: 'pulls', limit: 1, now: start });
      // The list, the check, and the days of the listed user.
      const [list] = searched.slice(-3);
      return { reads: list.includes('user pulls') ? 'sums' : 'documents', user, pulls };
    };
    for (let id = 0; id < 40; id++) await put(id, id % 4 ? 'ann' : 'bob', start - id * day);
    assert.deepEqual(await readsSums(), { reads: 'documents', user: 'ann', pulls: 30 });
    await assert.rejects(store.sumUp(start, 0), /summing takes longer than 0 s/);
    const left = async () =>
      (
        await call<{ hits: { total: { value: number } } }>('POST', '/used-documents/_search', {
          query: { term: { kind: 'sum' } },
        })
      ).hits.total.value;
    for (let tries = 0; (await left()) > 0 && tries < 100; tries++) await call('POST', '/used-documents/_refresh');
    assert.equal(await left(), 0);
    assert.deepEqual(await readsSums(), { reads: 'documents', user: 'ann', pulls: 30 });
    await store.sumUp(start);
    assert.deepEqual(await readsSums(), { reads: 'sums', user: 'ann', pulls: 30 });
    await put(40, 'ann', start - 20 * day);
    assert.deepEqual(await readsSums(), { reads: 'sums', user: 'ann', pulls: 31 });
    const expired = async (before: number) => {
      await store.expire(before);
      for (let tries = 0; tries < 100; tries++) {
        await call('POST', '/used-documents/_refresh');
        if ((await store.counts({ user: 'ann', to: before })).total.pulls === 0) return;
      }
    };
    await expired(start - 30 * day);
    assert.deepEqual(await readsSums(), { reads: 'documents', user: 'ann', pulls: 24 });
    await store.sumUp(start);
    assert.deepEqual(await readsSums(), { reads: 'sums', user: 'ann', pulls: 24 });
    await expired(start - 25 * day);
    assert.deepEqual(await readsSums(), { reads: 'sums', user: 'ann', pulls: 20 });
    await expired(start - 15 * day);
    assert.deepEqual(await readsSums(), { reads: 'documents', user: 'ann', pulls: 12 });
    await store.sumUp(start);
    await store.forget('ann');
    assert.deepEqual(await readsSums(), { reads: 'documents', user: 'bob', pulls: 4 });
  });

  test('counts of a user or repository with many documents come from sums, also once a pull comes late', async () => {
    const searched: string[] = [];
    const store = openSearch({
      ...{ endpoint, prefix: 'owners', manyDocuments: 20 },
      sign: async (url, { headers = {}, body }) => {
        if (url.pathname.endsWith('_search')) searched.push(String(body));
        return headers;
      },
    });
    const put = (id: number, user: string, at: number) =>
      store.write([{ kind: 'pull', id: `${id}`, version: 1, doc: pull(`${id}`, at, { user, repository: 'app' }) }]);
    const read = async (query: PullsQuery) => {
      await call('POST', '/owners-documents/_refresh');
      searched.length = 0;
      const { total, buckets } = await store.counts({ interval: 'month', ...query });
      assert.equal(
        total.pulls,
        buckets.reduce((sum, { pulls }) => sum + pulls, 0),
      );
      const isSummed = searched.some((body) => body.includes(' ownDay pulls"') && body.includes('date_histogram'));
      return [isSummed ? 'sums' : 'documents', total.pulls];
    };
    for (let id = 0; id < 40; id++) await put(id, id % 4 ? 'ann' : 'bob', start - id * day);
    await store.sumUp(start);
    assert.deepEqual(await read({ user: 'ann' }), ['sums', 30]);
    assert.deepEqual(await read({ repository: 'app' }), ['sums', 40]);
    assert.deepEqual(await read({ user: 'bob' }), ['documents', 10]);
    assert.deepEqual(await read({ user: 'ann', repository: 'app' }), ['documents', 30]);
    await put(40, 'ann', start - 20.5 * day);
    assert.deepEqual(await read({ user: 'ann' }), ['sums', 31]);
    assert.deepEqual(await read({ repository: ['app', 'none'] }), ['sums', 41]);
    await store.forget('ann');
    const [, pulls] = await read({ repository: 'app' });
    assert.equal(pulls, 10);
  });

  test('what a read learns of sums that are replaced meanwhile is not used for the next', async () => {
    const searched: string[] = [];
    let hold: { reached: () => void; released: Promise<void> } | undefined;
    const options = { endpoint, prefix: 'replaced', manyDocuments: 20 };
    const store = openSearch({
      ...options,
      sign: async (url, { headers = {}, body }) => {
        if (url.pathname.endsWith('_search')) searched.push(String(body));
        const held = String(body).includes(' ownDay pulls"') ? hold : undefined;
        held?.reached();
        await held?.released;
        return headers;
      },
    });
    const counted = async () => (await store.counts({ repository: 'app', interval: 'month' })).total.pulls;
    await store.write(
      Array.from({ length: 40 }, (_, id) => ({
        ...{ kind: 'pull', id: `${id}`, version: 1 },
        doc: pull(`${id}`, start - id * day, { repository: 'app' }),
      })),
    );
    await store.sumUp(start);
    const [reached, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    hold = { reached: reached.resolve, released: released.promise };
    const first = counted();
    await reached.promise;
    hold = undefined;
    await openSearch(options).sumUp(start - day);
    type Generations = { aggregations: { all: { buckets: object[] } } };
    const generations = { query: { term: { kind: 'sum' } }, aggs: { all: { terms: { field: 'generation' } } } };
    for (let tries = 0; tries < 100; tries++) {
      await call('POST', '/replaced-documents/_refresh');
      const found = await call<Generations>('POST', '/replaced-documents/_search', generations);
      if (found.aggregations.all.buckets.length === 1) break;
    }
    assert.equal((await store.users({ sort: 'pulls', limit: 1, now: start }))[0].pulls, 40);
    released.resolve();
    assert.equal(await first, 40);
    searched.length = 0;
    assert.equal(await counted(), 40);
    assert.ok(searched.some((body) => body.includes(' ownDay pulls"') && body.includes('date_histogram')));
  });

  test('unused images come from sums; of a repository with something new, they are computed once', async () => {
    const searched: string[] = [];
    const store = openSearch({
      ...{ endpoint, prefix: 'images' },
      sign: async (url, { headers = {}, body }) => {
        if (url.pathname.endsWith('_search')) searched.push(String(body));
        return headers;
      },
    });
    const put = (repository: string, digest: string, time: number, more: object = {}) => {
      const id = `${repository} ${digest} ${time}`;
      const told = { mediaType: 'application/vnd.oci.image.manifest.v1+json', references: [] };
      const doc = storedEvent(id, time, { repository, digest, tag: digest, action: 'push', ...told, ...more });
      return store.write([{ kind: 'event', id, version: 1, doc }]);
    };
    const read = async () => {
      await call('POST', '/images-documents/_refresh');
      searched.length = 0;
      const found = await store.unused({ since: start - 10 * day, limit: 10 });
      const reads = ['unused', 'images'].filter((name) => searched.some((body) => body.includes(` ${name}"`)));
      return { found: found.map(({ repository, tag }) => `${repository}:${tag}`), reads };
    };
    for (const [at, digest] of ['1', '2', '3'].entries())
      for (const repository of ['a', 'b']) await put(repository, digest, start - (30 - at) * day);
    const found = ['a:1', 'b:1', 'a:2', 'b:2', 'a:3', 'b:3'];
    assert.deepEqual(await read(), { found, reads: [] });
    await store.sumUp(start);
    assert.deepEqual(await read(), { found, reads: ['unused'] });
    await put('a', '2', start, { action: 'pull' });
    const left = found.filter((name) => name !== 'a:2');
    assert.deepEqual(await read(), { found: left, reads: ['unused', 'images'] });
    assert.deepEqual(await read(), { found: left, reads: ['unused'] });
    await put('a', '3', start, { action: 'pull' });
    left.splice(left.indexOf('a:3'), 1);
    assert.deepEqual(await read(), { found: left, reads: ['unused', 'images'] });
    // Late, so that no sum of its repository is used.
    await put('b', '1', start - 5 * day, { action: 'pull' });
    const least = left.filter((name) => name !== 'b:1');
    for (let n = 0; n < 2; n++) assert.deepEqual(await read(), { found: least, reads: ['unused'] });
    await store.sumUp(start);
    assert.deepEqual(await read(), { found: least, reads: ['unused', 'images'] });
    // As an older version named its sums, which lack images.
    const asBefore = { source: "ctx._source.generation = 'images-documents-v1-9-20000'" };
    await call('POST', '/images-documents/_update_by_query?refresh=true', {
      ...{ script: asBefore, query: { term: { kind: 'summed' } } },
    });
    for (let n = 0; n < 2; n++) assert.deepEqual((await read()).found, least);
    assert.deepEqual(await read(), { found: least, reads: [] });
  });
}
