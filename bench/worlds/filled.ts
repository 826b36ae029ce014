// Stores pulls as process does, but user by user: the rows of a batch lie side by side, so it takes a fraction of an
// import's time.
import { join } from 'node:path';
import { inParallel } from '#core/parallel.ts';
import { classifier } from '#core/registry/classify.ts';
import { openEvents } from '#local/stores/events.ts';
import { openWriter } from '#local/stores/search/reading.ts';
import { batchCacheMiB } from '#local/stores/sqlite/sqlite.ts';
import { storeEvents } from '#process/pulls.ts';
import { eventOf, type WorldRow } from './pulls.ts';

const batchRows = 10_000;

/** Makes the stores of a data folder with these rows, and prints the progress. */
export async function filled(folder: string, rows: Iterable<WorldRow>): Promise<void> {
  const options = {
    events: openEvents(join(folder, 'events.db'), Date.now, { cacheMiB: batchCacheMiB }),
    search: openWriter(join(folder, 'search.db')),
    ...{ locator: { locate: () => undefined }, classify: classifier([]), pullWindowSeconds: 2 },
  };
  const byUser = new Map<string, WorldRow[]>();
  const texts = new Map<string, string>();
  // Ten million rows with texts of their own would not fit into memory.
  const kept = (text: string) => {
    if (!texts.has(text)) texts.set(text, text);
    return texts.get(text)!;
  };
  let all = 0;
  for (const { user, repository, tag, digest, ...row } of rows) {
    const one = { ...row, user: kept(user), repository: kept(repository), tag: kept(tag), digest: kept(digest) };
    const own = byUser.get(user);
    if (own) own.push(one);
    else byUser.set(one.user, [one]);
    all++;
  }
  let [stored, done, shown] = [0, 0, 0];
  // Two at a time: one computes while the other's documents are written.
  await inParallel(batchesOf(byUser), 2, async (batch) => {
    await storeEvents(
      batch.map((row) => ({
        event: eventOf(row, `filled-${String(++stored).padStart(9, '0')}`),
        origin: `filled:${stored}:0`,
      })),
      options,
    );
    done += batch.length;
    if (done < shown + all / 20) return;
    shown = done;
    console.log(`filling: ${Math.round((100 * done) / all)} % of ${all} events`);
  });
}

function batchesOf(byUser: Map<string, WorldRow[]>): WorldRow[][] {
  const batches: WorldRow[][] = [[]];
  for (const rows of byUser.values())
    for (const row of rows) {
      if (batches.at(-1)!.length === batchRows) batches.push([]);
      batches.at(-1)!.push(row);
    }
  return batches;
}
