// The saved objects of examples/opensearch: everything they refer to exists, and every panel's query runs on a real
// node.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { documentsIndex } from '#aws/opensearch/mapping.ts';
import { openSearchCall } from '#aws/opensearch/opensearch.ts';
import { openSearch } from '#aws/opensearch/search.ts';
import { pull, start, storedEvent } from '../contracts/samples.ts';
import { notInstalled, startOpenSearch } from './servers.ts';

interface Saved {
  type: string;
  id: string;
  attributes: Record<string, string> & { kibanaSavedObjectMeta: { searchSourceJSON: string } };
  references: { name: string; type: string; id: string }[];
}
interface Aggregation {
  id: string;
  type: 'count' | 'terms' | 'date_histogram';
  params: { field?: string; size?: number };
}

const file = join(import.meta.dirname, '../../examples/opensearch/dashboards.ndjson');
const saved = readFileSync(file, 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Saved);
const ofType = (type: string) => saved.filter((one) => one.type === type);
const aggregationsOf = ({ attributes }: Saved) => (JSON.parse(attributes.visState) as { aggs: Aggregation[] }).aggs;

test('each saved object refers to objects that exist, and to fields that documents have', () => {
  const ids = new Set(saved.map(({ type, id }) => `${type} ${id}`));
  for (const { references } of saved) for (const { type, id } of references) assert.ok(ids.has(`${type} ${id}`), id);
  const { properties } = documentsIndex.mappings as { properties: Record<string, object> };
  const [pattern] = ofType('index-pattern');
  assert.ok(Object.hasOwn(properties, pattern.attributes.timeFieldName));
  for (const one of ofType('visualization'))
    for (const { params } of aggregationsOf(one))
      if (params.field) assert.ok(Object.hasOwn(properties, params.field), `${one.id}: ${params.field}`);
  const [board] = ofType('dashboard');
  const panels = JSON.parse(board.attributes.panelsJSON) as { panelRefName: string }[];
  assert.deepEqual(
    panels.map(({ panelRefName }) => panelRefName),
    board.references.map(({ name }) => name),
  );
});

test(`each panel shows what is stored${notInstalled ? ` (install the servers with ${notInstalled})` : ''}`, {
  skip: notInstalled !== undefined,
}, async (t) => {
  const node = await startOpenSearch();
  t.after(() => node.stop());
  const call = openSearchCall({ endpoint: node.url });
  await openSearch({ endpoint: node.url }).write([
    ...[1, 2, 3].map((n) => ({ kind: 'pull' as const, id: `p${n}`, version: 1, doc: pull(`p${n}`, start + n) })),
    {
      ...{ kind: 'event' as const, id: 'e', version: 0 },
      doc: storedEvent('e', start, { action: 'push', method: 'PUT' }),
    },
  ]);
  await call('POST', '/whalewatch-documents/_refresh');
  for (const one of ofType('visualization')) {
    const { query } = JSON.parse(one.attributes.kibanaSavedObjectMeta.searchSourceJSON) as { query: { query: string } };
    const aggs = Object.fromEntries(
      aggregationsOf(one)
        .filter(({ type }) => type !== 'count')
        .map(({ id, type, params: { field, size } }) => [
          id,
          type === 'terms' ? { terms: { field, size } } : { date_histogram: { field, calendar_interval: 'day' } },
        ]),
    );
    // These queries mean the same in both query languages.
    const text = query.query.replaceAll(' and not ', ' AND NOT ').replaceAll(' and ', ' AND ');
    const found = await call<{
      hits: { total: { value: number } };
      aggregations: Record<string, { buckets: object[] }>;
    }>('POST', '/whalewatch-documents/_search', { size: 0, query: { query_string: { query: text } }, aggs });
    assert.equal(found.hits.total.value, one.id === 'whalewatch-pushes' ? 1 : 3, one.id);
    for (const { buckets } of Object.values(found.aggregations)) assert.ok(buckets.length > 0, one.id);
  }
});
