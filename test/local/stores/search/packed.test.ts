import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { packed, packedTable, unpacked, unpackedTable } from '#local/stores/search/packed.ts';

const value = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.double(),
  fc.boolean(),
  fc.constant(undefined),
  fc.constant(null),
);

test('rows arrive unchanged, whatever they contain', () => {
  const alike = fc.array(fc.record({ name: fc.string({ unit: 'binary' }), count: fc.double() }));
  const any = fc.array(fc.dictionary(fc.constantFrom('a', 'b', 'c'), value));
  const other = fc.oneof(value, fc.array(value), fc.record({ total: fc.nat(), rows: alike }));
  fc.assert(
    fc.property(fc.oneof(alike, any, other), (sent) => {
      assert.deepEqual(unpacked(structuredClone(packed(sent))), structuredClone(sent));
    }),
    { seed: 6, numRuns: 1000 },
  );
});

test('a table arrives as it was sent', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', 'a', 'b'), fc.constant(null));
  fc.assert(
    fc.property(fc.array(fc.tuple(text, fc.double(), text)), (sent) => {
      assert.deepEqual(unpackedTable(structuredClone(packedTable(sent))), sent);
    }),
    { seed: 6, numRuns: 1000 },
  );
});

test('rows of the same shape are sent as columns', () => {
  const rows = Array.from({ length: 1000 }, (_, at) => ({
    repository: `team/image${at}`,
    pulledBy: at,
    weight: at / 3,
  }));
  const { columns } = packed(rows) as { columns: unknown[] };
  assert.equal(columns.length, 3);
});
