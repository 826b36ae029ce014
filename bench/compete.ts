// npm run bench -- compete [--users 100000 --items 10000 --pairs 2840000] [--budget 60]
// A whole training on seeded communities, from the first pair read to the published model: time by stage, processor
// time of all threads, and peak memory. Pairs come from memory; the model card of `npm run train` has the time of a
// real store.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { ObjectStore, Pair, SearchStore } from '#core/stores.ts';
import { train } from '#train/train.ts';
import { communities } from './als/worlds.ts';

const { values: flags } = parseArgs({
  options: {
    users: { type: 'string', default: '100000' },
    items: { type: 'string', default: '10000' },
    pairs: { type: 'string', default: '2840000' },
    budget: { type: 'string', default: '60' },
  },
});
const { rows } = communities(Number(flags.users), Number(flags.items), Number(flags.pairs));

let lists = 0;
const search: Partial<SearchStore> = {
  async *pairs() {
    for (let user = 0; user + 1 < rows.starts.length; user++)
      for (let at = rows.starts[user]; at < rows.starts[user + 1]; at++) {
        const time = 1.7e12 + ((at * 7919) % 900) * 86_400_000;
        const names = { user: `user${user}`, repository: `team/image${rows.columns[at]}` };
        yield { ...names, pulls: rows.values[at], firstPull: time, lastPull: time } satisfies Pair;
      }
  },
  async saveRecommendations(saved) {
    lists += saved.length;
  },
  async *allShown() {},
  async saveShown() {},
};
const kept = new Map<string, Uint8Array>();
const objects: Partial<ObjectStore> = {
  get: async () => undefined,
  async put(key, body) {
    kept.set(key, typeof body === 'string' ? new TextEncoder().encode(body) : body);
    return { etag: '1' };
  },
  list: async () => [],
  remove: async () => {},
};

const before = process.cpuUsage();
const began = performance.now();
const card = await train({
  ...{ search: search as SearchStore, objects: objects as ObjectStore },
  ...{ clock: () => performance.now(), newId: () => 'bench-00', seed: 1, budgetSeconds: Number(flags.budget) },
  log: (text) => console.log(`${((performance.now() - began) / 1000).toFixed(1)} s: ${text}`),
});
const { user, system } = process.cpuUsage(before);
const round = (value: number) => Number(value.toFixed(1));
console.log(
  JSON.stringify({
    ...{ users: card.people, items: card.images, pairs: card.pairs, lists, winner: card.winner },
    seconds: round((performance.now() - began) / 1000),
    processorS: round((user + system) / 1e6),
    stages: Object.fromEntries((card.stages ?? []).map(({ name, seconds }) => [name, round(seconds)])),
    modelMB: Math.round((kept.get(`models/${card.id}/model.bin`)?.length ?? 0) / 1e6),
    peakMB: Math.round(Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1000),
  }),
);
