// Sums of the documents before a day: every read is what it is without sums, whatever is stored and removed since.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { openSearchCall } from '#aws/opensearch/opensearch.ts';
import { type OpenSearchStore, openSearch } from '#aws/opensearch/search.ts';
import { seeded } from '#core/bytes/random.ts';
import type { SearchChange } from '#core/stores.ts';
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
      const store = openSearch({ endpoint, prefix });
      return {
        store,
        async settled() {
          await call('POST', `/${prefix}-*/_refresh`);
          await store.sumUp(now);
        },
      };
    });

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
        for (const more of [{}, { registry: 'east' }, { from: start - 25.3 * day, to: start - 2.6 * day }])
          found[`counts ${interval} ${by} ${JSON.stringify(more)}`] = await store.counts({ interval, by, ...more });
    for (const repository of ['app-0', 'east//app-1', ['app-1', 'east//app-0']])
      found[`pullers ${repository}`] = await store.pullers({ repository, limit: 4 });
    return found;
  };

  test('reads are the same with sums as without, through late pulls, redeliveries, removed pulls, forgetting and expiry', async () => {
    const [sums, plain] = ['sums', 'plain'].map((prefix) => openSearch({ endpoint, prefix }));
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
        class: (['human', 'ci', 'cluster'] as const)[below(3)],
        client: ['docker', 'skopeo'][below(2)],
        tag: [undefined, 'latest', '7'][of(3)],
        digest: `sha256:${of(3)}`,
      };
      const event = storedEvent(`${id}`, 0, { ...more, action: of(4) === 0 ? 'push' : 'pull' });
      const changes: SearchChange[] = [{ kind: 'event', id: `${id}`, version, doc: event, apart: below(5) === 0 }];
      if (event.action === 'push') return changes;
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
}
