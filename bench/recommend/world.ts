// The stores of a large registry: seeded communities, one stored pull for each pair, over the last 30 days.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { seeded } from '#core/bytes/random.ts';
import type { Pull } from '#core/event.ts';
import { openEvents } from '#local/stores/events.ts';
import { openSearch } from '#local/stores/search/search.ts';
import { communities, type World } from '../als/worlds.ts';

const days30 = 30 * 86_400_000;
const peopleAtOnce = 2500;

export const userOf = (user: number) => `user-${user}`;
const repositoryOf = (item: number) => `team-${item % 100}/image-${item}`;

/** A data folder for `npm start` with these pulls; filled once and kept for later runs. */
export async function filledFolder(size: { users: number; items: number; pairs: number }): Promise<{
  folder: string;
  world: World;
}> {
  const world = communities(size.users, size.items, size.pairs);
  const folder = join(import.meta.dirname, '../../.cache/bench', `recommend-${Object.values(size).join('-')}`);
  const marker = join(folder, 'filled');
  if (!existsSync(marker)) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    await fill(folder, world);
    writeFileSync(marker, '');
  }
  return { folder, world };
}

async function fill(folder: string, { users, rows }: World): Promise<void> {
  const began = performance.now();
  const events = openEvents(join(folder, 'events.db'), Date.now);
  const search = openSearch(join(folder, 'search.db'));
  const indexed = ['events.db', 'search.db'].map((name) => withoutIndexes(join(folder, name)));
  const random = seeded(1);
  const now = Date.now();
  for (let first = 0; first < users; first += peopleAtOnce) {
    const pulls: Pull[] = [];
    for (let user = first; user < Math.min(users, first + peopleAtOnce); user++)
      for (let at = rows.starts[user]; at < rows.starts[user + 1]; at++)
        pulls.push({
          ...{ id: `${at}`, time: now - Math.floor(random() * days30), user: userOf(user) },
          ...{ repository: repositoryOf(rows.columns[at]), tag: 'latest', digest: `sha256:${'a'.repeat(64)}` },
          ...{ class: 'human', client: 'docker', country: 'FI', events: 2 },
        });
    await Promise.all([
      events.replacePulls(
        pulls.map((pull) => ({ user: pull.user, repository: pull.repository, version: 0, remove: [], put: [pull] })),
      ),
      search.write(pulls.map((doc) => ({ kind: 'pull', id: doc.id, version: 1, doc }))),
    ]);
    if (first % 10_000 === 0)
      console.log(`filling: ${first} of ${users} users, ${Math.round((performance.now() - began) / 1000)} s`);
  }
  console.log('filling: the indexes');
  for (const again of indexed) again();
}

/**
 * Drops the indexes and returns a function that makes them again: sorting once is many times faster than a million
 * insertions.
 */
function withoutIndexes(file: string): () => void {
  const database = new DatabaseSync(file, { timeout: 10_000 });
  const found = database.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").all();
  for (const { name } of found) database.exec(`DROP INDEX ${name}`);
  return () => {
    for (const { sql } of found) database.exec(String(sql));
    database.close();
  };
}
