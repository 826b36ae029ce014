// Search indices on a real node: versions behind aliases, moved while they are read and written, and documents that an
// index refuses.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { documentsIndex } from '#aws/opensearch/mapping.ts';
import { migrateIndex } from '#aws/opensearch/migrate.ts';
import { openSearchCall } from '#aws/opensearch/opensearch.ts';
import { openSearch, type RefusedDocument } from '#aws/opensearch/search.ts';
import { type SearchChange, StoreUnavailable } from '#core/stores.ts';
import { pull, start } from '../contracts/samples.ts';
import { notInstalled, startOpenSearch } from './servers.ts';

const change = (n: number, more: object = {}): SearchChange => ({
  ...{ kind: 'pull', id: `${n}`, version: 1 },
  doc: pull(`${n}`, start + n * 1000, { user: `user-${n % 7}`, repository: `team/app-${n % 5}`, ...more }),
});
const changes = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => change(from + n));

if (notInstalled) test(`search indices (install the servers with ${notInstalled})`, { skip: true });
else await indices();

async function indices() {
  const node = await startOpenSearch();
  after(() => node.stop());
  const endpoint = node.url;
  const call = openSearchCall({ endpoint });
  const behind = async (alias: string) => Object.keys(await call<object>('GET', `/${alias}`));

  test('a document that does not fit is quarantined with its reason; all others are stored', async () => {
    const refused: RefusedDocument[] = [];
    const store = openSearch({
      ...{ endpoint, prefix: 'unfit' },
      quarantine: async (documents) => {
        refused.push(...documents);
      },
    });
    const { mappings, settings } = structuredClone(documentsIndex) as typeof documentsIndex & {
      mappings: { properties: Record<string, object> };
    };
    mappings.properties.country = { type: 'long' };
    await call('PUT', '/unfit-documents', { mappings, settings });
    const fitting = changes(0, 50).map((one) => ({ ...one, doc: { ...one.doc, country: '7' } }) as SearchChange);
    await store.write([...fitting, change(50, { country: 'FI' })]);
    await call('POST', '/unfit-documents/_refresh');
    assert.equal((await store.counts({})).total.pulls, 50);
    assert.deepEqual(
      refused.map(({ reason }) => reason),
      ['search: mapper_parsing_exception of country'],
    );
    assert.match(refused[0].doc, /"country":"FI"/);
    const strict = openSearch({ endpoint, prefix: 'unfit' });
    await assert.rejects(strict.write([change(51, { country: 'FI' })]), /bulk: 400 mapper_parsing_exception/);
  });

  test('an index of an older version moves behind the alias while it is read, written and forgotten from', async () => {
    const { mappings, settings } = documentsIndex;
    await call('PUT', '/moved-documents', { mappings, settings });
    const store = openSearch({ endpoint, prefix: 'moved' });
    await store.write(changes(0, 2000));
    await call('POST', '/moved-documents/_refresh');
    assert.deepEqual(await behind('moved-documents'), ['moved-documents']);

    let version = 0;
    let [written, reads] = [2000, 0];
    const until = async (over: Promise<unknown>, work: () => Promise<void>) => {
      let done = false;
      const end = over.finally(() => {
        done = true;
      });
      while (!done) await work();
      await end;
    };
    const moved: unknown[] = [];
    const migrating = (async () => {
      for (version = 1; version <= 2; version++)
        moved.push(await migrateIndex(call, 'moved-documents', { ...documentsIndex, version }, () => {}));
    })();
    await Promise.all([
      until(migrating, async () => {
        try {
          await store.write(changes(written, written + 20));
          written += 20;
        } catch (cause) {
          assert.ok(cause instanceof StoreUnavailable, String(cause));
        }
      }),
      until(migrating, async () => {
        assert.ok((await store.counts({})).total.pulls > 1000);
        reads++;
      }),
      // A document that is removed while the index is copied does not come back.
      (async () => {
        for (let left = 1000; ; left--) {
          try {
            return await store.forget('user-3');
          } catch (cause) {
            assert.ok(cause instanceof StoreUnavailable && left > 0, String(cause));
          }
        }
      })(),
    ]);
    await store.forget('user-3');
    await call('POST', '/moved-documents/_refresh');
    assert.deepEqual(await behind('moved-documents'), ['moved-documents-v2']);
    assert.equal(moved.length, 2);
    const kept = Array.from({ length: written }, (_, n) => n).filter((n) => n % 7 !== 3).length;
    assert.equal((await store.counts({})).total.pulls, kept);
    assert.ok(reads > 0);
    assert.equal(await migrateIndex(call, 'moved-documents', { ...documentsIndex, version: 2 }, () => {}), undefined);
    // The new index refuses late writers as the old one did.
    await store.write([{ ...change(0, { user: 'somebody else' }), version: 0 }]);
    await call('POST', '/moved-documents/_refresh');
    assert.equal((await store.counts({ user: 'somebody else' })).total.pulls, 0);
  });

  test('sums of an older index are not used in its copy, which has sums of its own after the next summing', async () => {
    const searched: string[] = [];
    const store = openSearch({
      ...{ endpoint, prefix: 'summed' },
      sign: async (url, { headers = {}, body }) => {
        if (url.pathname.endsWith('_search')) searched.push(String(body));
        return headers;
      },
    });
    const read = async () => {
      await call('POST', '/summed-documents/_refresh');
      searched.length = 0;
      const { total } = await store.counts({});
      return [searched.at(-2)?.includes('day ') ? 'sums' : 'documents', total.pulls];
    };
    // Redelivered, so that sequence numbers of the old index are beyond those of the new one.
    for (let version = 1; version <= 5; version++)
      await store.write(changes(0, 200).map((one) => ({ ...one, version }) as SearchChange));
    const now = start + 3 * 86_400_000;
    await store.sumUp(now);
    assert.deepEqual(await read(), ['sums', 200]);
    assert.ok(await migrateIndex(call, 'summed-documents', { ...documentsIndex, version: 2 }, () => {}));
    assert.deepEqual(await read(), ['documents', 200]);
    await store.sumUp(now);
    assert.deepEqual(await read(), ['sums', 200]);
    for (let tries = 0; ; tries++) {
      const query = { query: { term: { index: 'summed-documents-v1' } } };
      const { hits } = await call<{ hits: { total: { value: number } } }>('POST', '/summed-documents/_search', query);
      if (hits.total.value === 0) break;
      assert.ok(tries < 200, 'the copied sums are removed');
      await call('POST', '/summed-documents/_refresh');
    }
    assert.deepEqual(await read(), ['sums', 200]);
  });

  test('a new index is made from the template, behind its alias', async () => {
    const store = openSearch({ endpoint, prefix: 'new' });
    await store.write(changes(0, 10));
    assert.deepEqual(await behind('new-documents'), ['new-documents-v1']);
    const found = await call<Record<string, { mappings: { dynamic: string } }>>('GET', '/new-documents/_mapping');
    assert.equal(found['new-documents-v1'].mappings.dynamic, 'strict');
  });
}
