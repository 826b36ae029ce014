// Test data for training on Spark: pairs of communities, and stores whose objects are files that Spark can read.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seeded } from '#core/bytes/random.ts';
import type { Pair, SavedRecommendations, SearchStore } from '#core/stores.ts';
import { files } from '../../bench/worlds/spark.ts';

/** Groups of repositories whose users pull most of their group's, and sometimes one of another group. */
export function communities(): Pair[] {
  const random = seeded(5);
  const pairs: Pair[] = [];
  for (let user = 0; user < 400; user++)
    for (let image = 0; image < 80; image++)
      if (random() < (image % 4 === user % 4 ? 0.6 : 0.03)) {
        const pulls = 1 + Math.floor(random() * 5);
        const time = 1 + Math.floor(random() * 1e9);
        const names = { user: `user "${user}", é`, repository: `group${image % 4}/image${image}` };
        pairs.push({ ...names, pulls, firstPull: time, lastPull: time });
      }
  return pairs;
}

export function world(folder: string, pairs: Pair[]) {
  const saved = new Map<string, SavedRecommendations>();
  const search: Partial<SearchStore> = {
    async *pairs({ to = Infinity }) {
      yield* pairs.filter(({ firstPull }) => firstPull < to);
    },
    async saveRecommendations(rows) {
      for (const row of rows) saved.set(row.user, row);
    },
    async *allShown() {},
    async saveShown() {},
  };
  let ids = 0;
  const options = { objects: files(folder), clock: () => 1e12, newId: () => `${ids++}-spark`, seed: 1 };
  return { saved, options: { ...options, search: search as SearchStore } };
}

export function folder(t: { after(end: () => void): void }): string {
  const made = mkdtempSync(join(tmpdir(), 'spark-'));
  t.after(() => rmSync(made, { recursive: true, force: true }));
  return made;
}
