import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { packLines } from '#core/bytes/pack.ts';

/** UTF-16 and UTF-8 lengths differ: a packer that mixes them packs wrongly. */
const unit = fc.constantFrom('a', 'é', '猫', '😀');
const line = fc.string({ unit, maxLength: 30, size: 'max' });
const lines = fc.oneof(
  fc.array(line, { maxLength: 60, size: 'max' }),
  fc.array(fc.string({ unit, maxLength: 1 }), { maxLength: 60, size: 'max' }),
);

test('records contain all lines in order; none is empty, and only a record of one long line exceeds the limit', () => {
  fc.assert(
    fc.property(lines, fc.integer({ min: 1, max: 200 }), (lines, most) => {
      const records = packLines(lines, most).map((data) => Buffer.from(data));
      assert.deepEqual(
        records.flatMap((data) => data.toString().split('\n')),
        lines,
      );
      for (const data of records) assert.ok(data.length <= most || !data.includes('\n'), `${data.length} of ${most}`);
      // Greedy: the first line of each record did not fit into the one before.
      for (let at = 1; at < records.length; at++) {
        const [first] = records[at].toString().split('\n');
        assert.ok(records[at - 1].length + 1 + Buffer.byteLength(first) > most);
      }
    }),
  );
});

test('a long first line makes no empty record, and without lines there is no record', () => {
  assert.deepEqual(
    packLines(['x'.repeat(100), 'y'], 10).map(({ length }) => length),
    [100, 1],
  );
  assert.deepEqual(packLines([]), []);
});
