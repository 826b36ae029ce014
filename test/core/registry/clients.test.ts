// Checks the rows of test/real-clients/table.ts by captured traffic, without the clients.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isManifestPull, pullsOf } from '#core/registry/pull.ts';
import { type Counts, expected, rows } from '../../real-clients/table.ts';
import { eventsOf, readCapture } from '../../support/captured.ts';

for (const registry of ['2.8', '3', '2.8-cache']) {
  const posts = Map.groupBy(readCapture(`clients-${registry}.ndjson`), ({ label }) => label);
  const mine = rows.filter((row) => registry !== '2.8-cache' || row.user === 'cache');
  for (const row of mine)
    test(`registry ${registry}: ${row.row}`, () => {
      const { pulls, raw } = expected(row, registry);
      const events = eventsOf(posts.get(row.row) ?? []);
      const user = registry === '2.8-cache' ? '' : (row.user ?? 'alice');
      for (const [root, right] of [
        ['rows/', { pulls, raw }],
        ['other/', row.other ?? { pulls: {}, raw: 0 }],
      ] as const) {
        const acts = events.filter((event) => event.user === user && event.repository.startsWith(root));
        const counts: Counts = {};
        for (const pull of pullsOf(acts)) counts[pull.class] = (counts[pull.class] ?? 0) + 1;
        assert.deepEqual(
          { pulls: counts, raw: acts.filter(isManifestPull).length },
          { pulls: right.pulls, raw: right.raw },
          root,
        );
      }
    });
}
