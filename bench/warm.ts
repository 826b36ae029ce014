// npm run bench -- warm [--users N] [--items N]: the newest pulls brought in by a warm start of only the changed rows,
// against a full training and against leaving the model as it was. Seeded communities; the newest are every other pull of one
// person in 23.
import { parseArgs } from 'node:util';
import { seeded } from '#core/bytes/random.ts';
import { alsDefaults, type Factors, fit } from '#core/recommender/als.ts';
import { compress, type Entry, split } from '#core/recommender/ratings.ts';
import { scoresOf } from '#core/recommender/recommend.ts';
import { warmStart } from '#core/recommender/warm.ts';
import { byFolding, scorer } from '#train/evaluate.ts';

const { values } = parseArgs({
  options: { users: { type: 'string', default: '5000' }, items: { type: 'string', default: '1000' } },
});
const [users, items] = [Number(values.users), Number(values.items)];
/** Fewer than the rank: each can have a direction of its own. */
const groups = 8;
const rank = alsDefaults.rank;

/** People pull mostly from their own group, popular images more often. */
function communities(seed: number): Entry[] {
  const random = seeded(seed);
  const entries = new Map<number, Entry>();
  for (let user = 0; user < users; user++)
    for (let n = 0; n < 28; n++) {
      const group = random() < 0.8 ? user % groups : Math.floor(random() * groups);
      const item = Math.floor(random() ** 2 * (items / groups)) * groups + group;
      entries.set(user * items + item, { user, item, value: 1 + Math.floor(random() ** 3 * 9) });
    }
  return [...entries.values()];
}

const row = (factors: Factors, user: number) => factors.users.subarray(user * rank, (user + 1) * rank);
const sums: Record<string, { auc: number; ndcg: number; seconds: number }> = {};
const seeds = [1, 2, 3, 4];
for (const seed of seeds) {
  const { train: now, test } = split(communities(seed), 0.1, seeded(seed));
  // The newest pulls are those of one person in 23, of every group, so that rows change as they do between two trainings.
  const isNew = ({ user }: Entry, at: number) => user % 23 === 7 && at % 2 === 0;
  const before = now.filter((entry, at) => !isNew(entry, at));
  const newest = now.filter(isNew);
  const score = scorer({ users, items, train: now, test: test.filter(({ user }) => user % 23 === 7) }, seed);
  const last = fit(before, users, items, alsDefaults, seeded(seed));
  const rows = {
    byUser: compress(
      now,
      users,
      (entry) => entry.user,
      (entry) => entry.item,
    ),
    byItem: compress(
      now,
      items,
      (entry) => entry.item,
      (entry) => entry.user,
    ),
  };
  const changedUsers = new Set(newest.map(({ user }) => user));
  const measure = (name: string, make: () => (user: number) => ArrayLike<number>) => {
    const start = performance.now();
    const recommender = make();
    const seconds = (performance.now() - start) / 1000;
    const { auc = 0, ndcg = 0 } = score(recommender);
    sums[name] ??= { auc: 0, ndcg: 0, seconds: 0 };
    sums[name].auc += auc / seeds.length;
    sums[name].ndcg += ndcg / seeds.length;
    sums[name].seconds += seconds / seeds.length;
  };
  const byFactors = (factors: Factors) => (user: number) => scoresOf(factors, row(factors, user));
  measure('stale', () => byFactors(last));
  measure('full', () => byFactors(fit(now, users, items, alsDefaults, seeded(seed))));
  measure('folded', () => byFolding(last, { users, items, train: now, test: [] }, alsDefaults));
  measure('warmUsers', () => byFactors(warmStart(last, rows, { users: changedUsers, items: [] }, alsDefaults)));
  measure('warm', () =>
    byFactors(
      warmStart(last, rows, { users: changedUsers, items: new Set(newest.map(({ item }) => item)) }, alsDefaults),
    ),
  );
}
console.log('changed people only, mean of 4 seeds         AUC  NDCG@10   seconds');
for (const [name, { auc, ndcg, seconds }] of Object.entries(sums))
  console.log(
    `${name.padEnd(40)}${auc.toFixed(4).padStart(8)}${ndcg.toFixed(4).padStart(9)}${seconds.toFixed(3).padStart(10)}`,
  );
console.log(
  JSON.stringify({ ...sums, aucCost: sums.full.auc - sums.warm.auc, speed: sums.full.seconds / sums.warm.seconds }),
);
