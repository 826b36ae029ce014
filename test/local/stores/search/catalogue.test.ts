import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import fc from 'fast-check';
import type { PullClass } from '#core/event.ts';
import type { SearchChange, SearchStore } from '#core/stores.ts';
import { openSearch } from '#local/stores/search/search.ts';
import { sumTables } from '#local/stores/search/sums.ts';

const root = mkdtempSync(join(tmpdir(), 'days-'));
after(() => rmSync(root, { recursive: true }));

const day = 86_400_000;
const now = 100 * day;
const halfLifeMs = 3 * day;

interface Doc {
  user: string;
  repository: string;
  class: PullClass;
  /** Days since 1970. */
  day: number;
}

// Few values of each field, so that documents interact: the same id again moves to another day, user or class, or is
// removed.
const doc = fc.record({
  user: fc.constantFrom('ann', 'ann', 'ann', 'bob', ''),
  repository: fc.constantFrom('a', 'a', 'b'),
  class: fc.constantFrom<PullClass>('human', 'human', 'human', 'cluster', 'ci'),
  day: fc.constantFrom(69, 70, 98, 99, 100, 101),
});
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ id: fc.nat(9), doc: fc.option(doc, { freq: 4 }) }) },
  { weight: 1, arbitrary: fc.record({ forget: fc.constantFrom('ann', 'bob') }) },
);

/** The catalogue of these documents, counted naively. */
function expected(docs: Doc[]) {
  const taught = docs.filter((doc) => doc.user !== '' && (doc.class === 'human' || doc.class === 'cluster'));
  return ['a', 'b'].flatMap((repository) => {
    const own = taught.filter((doc) => doc.repository === repository);
    if (own.length === 0) return [];
    const newest = [...Map.groupBy(own, ({ user }) => user).values()].map((of) =>
      Math.max(...of.map(({ day }) => day)),
    );
    const recent = newest.filter((at) => at >= 100 - 30);
    const weight = recent.reduce((sum, at) => sum + 0.5 ** (Math.max(0, 100 - at) / 3), 0);
    const days = new Set(own.map(({ user, day }) => `${user} ${day}`)).size;
    return { repository, pulledBy: newest.length, days, recent: recent.length, weight: weight.toFixed(9) };
  });
}

const catalogueOf = async (store: SearchStore) =>
  (await store.catalogue({ now, halfLifeMs })).map((row) => ({ ...row, weight: row.weight.toFixed(9) }));

const changeOf = (id: number, version: number, doc: Doc | null): SearchChange => ({
  ...{ kind: 'pull', id: `${id}`, version },
  doc: doc && {
    ...{ id: `${id}`, time: doc.day * day + id, user: doc.user, repository: doc.repository, class: doc.class },
    ...{ client: 'docker', country: '', events: 1 },
  },
});

test('counts of users and days stay exact whatever is stored again, recomputed, reclassified or forgotten', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40, size: 'max' }), async (steps) => {
      const store = openSearch(':memory:');
      const held = new Map<number, Doc | null>();
      for (const [version, one] of steps.entries()) {
        if ('forget' in one) {
          await store.forget(one.forget);
          for (const [id, doc] of held) if (doc?.user === one.forget) held.delete(id);
        } else {
          await store.write([changeOf(one.id, version, one.doc)]);
          held.set(one.id, one.doc);
        }
      }
      assert.deepEqual(await catalogueOf(store), expected([...held.values()].filter((doc) => doc !== null)));
    }),
    { seed: 14, numRuns: 80 },
  );
});

test('documents that an older version stored are counted when its file is opened', async () => {
  const file = join(root, 'older.db');
  const docs = Array.from(
    { length: 60 },
    (_, n): Doc => ({
      ...{ user: ['ann', 'bob', ''][n % 3], repository: n % 2 ? 'a' : 'b', class: n % 5 ? 'human' : 'scanner' },
      day: 60 + ((n * 7) % 41),
    }),
  );
  await openSearch(file).write(docs.map((doc, id) => changeOf(id, 1, doc)));
  // A file as before these tables existed: without them, with the index that the catalogue was read from then.
  const older = new DatabaseSync(file);
  for (const name of [...sumTables, 'summing']) older.exec(`DROP TABLE ${name}`);
  older.exec('CREATE INDEX documents_taught ON documents (repository, user, time, gone, class)');
  older.close();
  const store = openSearch(file);
  assert.deepEqual(await catalogueOf(store), expected(docs));
  await store.write([changeOf(99, 1, { user: 'cid', repository: 'a', class: 'human', day: 100 })]);
  const more: Doc = { user: 'cid', repository: 'a', class: 'human', day: 100 };
  assert.deepEqual(await catalogueOf(openSearch(file)), expected([...docs, more]));
});
