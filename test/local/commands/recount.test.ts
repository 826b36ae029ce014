// The command recounts what version 0.1.0 stored, even if it is stopped on the way.
import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Pull, StoredEvent } from '#core/event.ts';
import { classifier, clientOf } from '#core/registry/classify.ts';
import { isManifestPull, isManifestPush, pullsOf } from '#core/registry/pull.ts';
import { coveredPushes } from '#core/registry/push.ts';
import type { SearchChange } from '#core/stores.ts';
import { openStores } from '#local/stores/stores.ts';
import { recount } from '#process/recount.ts';
import { dataFolder, runScript } from '../../support/run.ts';

const old = join(import.meta.dirname, '../../fixtures/data-0.1.0/folder');
const classify = classifier();
const always = [0, Number.MAX_SAFE_INTEGER] as const;

/** All stored pulls, and the pulls of a replay of the same events by today's rules. */
async function readAll(folder: string) {
  const { events, search } = openStores(folder);
  const stored: Pull[] = [];
  const replayed: Pull[] = [];
  const all: StoredEvent[] = [];
  let pushes = 0;
  const names: string[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await events.pairs({ cursor, limit: 1000 });
    for (const { user, repository } of page.items) {
      names.push(user);
      const own = (await events.events(user, repository, ...always)).map((event) => ({
        ...event,
        ...{ class: classify(event), client: clientOf(event.userAgent) },
      }));
      all.push(...own);
      stored.push(...(await events.pulls(user, repository, ...always)));
      replayed.push(...pullsOf(own));
      pushes += own.filter(isManifestPush).length - coveredPushes(own).size;
    }
    cursor = page.cursor;
    if (cursor === undefined) break;
  }
  const byClass: Record<string, number> = {};
  for (const { class: name } of replayed) byClass[name] = (byClass[name] ?? 0) + 1;
  const { total, buckets } = await search.counts({ by: 'class' });
  const counted = Object.fromEntries(buckets.filter(({ pulls }) => pulls > 0).map(({ key, pulls }) => [key, pulls]));
  return {
    names,
    stored: { pulls: stored, total: { ...total }, byClass: counted },
    replayed: {
      pulls: replayed,
      total: {
        ...{ pulls: replayed.length, raw: all.filter(isManifestPull).length },
        ...{ pushes, rawPushes: all.filter(isManifestPush).length },
      },
      byClass,
    },
  };
}

test('recounting the data of 0.1.0 gives what a replay counts, and continues where it was stopped', async (t) => {
  const folder = dataFolder(t);
  cpSync(old, folder, { recursive: true });
  const stores = openStores(folder);
  let left = 20;
  const search = {
    ...stores.search,
    async write(changes: SearchChange[]) {
      if (left-- === 0) throw new Error('stopped');
      await stores.search.write(changes);
    },
  };
  const clock = () => Date.parse('2026-11-25T00:00:00Z');
  await assert.rejects(recount({ ...stores, search, classify, pullWindowSeconds: 2, clock }), /stopped/);
  const { names } = await readAll(folder);
  const held = await stores.objects.get('recount/progress.json');
  assert.ok(held, 'its progress is kept');
  const text = Buffer.from(held.body).toString();
  for (const name of names.filter(Boolean)) assert.ok(!text.includes(`"${name}"`), `it names ${name}`);
  const before = JSON.parse(text) as { pairs: number };
  assert.ok(before.pairs > 0);

  const { code, output } = await runScript('local/commands/recount.ts', ['--data', folder]);
  assert.equal(code, 0, output);
  const [, events, pairs] = /(\d+) events of (\d+) users' repositories recounted/.exec(output) ?? [];
  assert.match(output, new RegExp(`^continues after ${before.pairs} users' repositories`, 'm'));
  const now = await readAll(folder);
  assert.deepEqual([Number(pairs), Number(events) > 0], [now.names.length, true]);
  assert.deepEqual(now.stored, now.replayed);
  assert.equal(await stores.objects.get('recount/progress.json'), undefined);

  const again = await runScript('local/commands/recount.ts', ['--data', folder]);
  assert.match(again.output, /recounted: 0 pulls changed/);
});
