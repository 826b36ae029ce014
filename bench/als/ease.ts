// EASE over all items: ours from the sparse matrix to the kept weights, against only the inverse by NumPy (double) and
// SciPy (Cholesky, single), on two threads. Checks that the same users get the same lists.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ItemWeights } from '#core/recommender/item-weights.ts';
import { topN } from '#core/recommender/recommend.ts';
import { easeDense } from '#train/ease.ts';
import { bytesOf } from './contestant.ts';
import type { World } from './worlds.ts';

const options = { lambda: 500, denoise: 0, countScale: 'binary', keep: 1000 } as const;
const lists = 500;

export function easeAgainst(python: string, { rows, users, items }: World) {
  const folder = mkdtempSync(join(tmpdir(), 'whalewatch-ease-'));
  try {
    const used = process.cpuUsage();
    const began = performance.now();
    const weights = easeDense(rows, items, options, 2);
    const ours = { seconds: (performance.now() - began) / 1000, processorS: total(process.cpuUsage(used)) };
    writeFileSync(join(folder, 'starts.u32'), rows.starts);
    writeFileSync(join(folder, 'columns.u32'), rows.columns);
    const script = join(import.meta.dirname, 'ease.py');
    const text = execFileSync(python, [script, folder, `${users}`, `${items}`, `${options.lambda}`, `${lists}`], {
      encoding: 'utf8',
      env: { ...process.env, OPENBLAS_NUM_THREADS: '2' },
    });
    const peers = JSON.parse(text.trim().split('\n').at(-1) as string) as Record<string, typeof ours>;
    const theirs = new Uint32Array(bytesOf(join(folder, 'lists.u32')));
    const same = sameLists(weights, { rows, items }, theirs);
    const ratio = (peer: string, field: keyof typeof ours) => Number((peers[peer][field] / ours[field]).toFixed(2));
    const figures = {
      ...{ items, ours, ...peers, sameOfTen: same },
      ratioNumpyDouble: ratio('numpyDouble', 'seconds'),
      ratioScipySingle: ratio('scipySingle', 'seconds'),
      processor: {
        ...{
          ratioNumpyDouble: ratio('numpyDouble', 'processorS'),
          ratioScipySingle: ratio('scipySingle', 'processorS'),
        },
      },
    };
    console.log(`EASE of ${items} items: ${JSON.stringify(figures)}`);
    return figures;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const total = ({ user, system }: NodeJS.CpuUsage) => (user + system) / 1e6;

/** The share of the first users' top-10 lists that are equal. */
function sameLists(
  { starts, columns, weights }: ItemWeights,
  { rows, items }: Pick<World, 'rows' | 'items'>,
  theirs: Uint32Array,
) {
  let same = 0;
  const scores = new Float64Array(items);
  for (let user = 0; user < lists; user++) {
    scores.fill(0);
    const own = rows.columns.subarray(rows.starts[user], rows.starts[user + 1]);
    for (const item of own) for (let at = starts[item]; at < starts[item + 1]; at++) scores[columns[at]] += weights[at];
    const seen = new Set(own);
    const list = new Set(topN(scores, 10, (item) => seen.has(item)).map(({ item }) => item));
    for (const item of theirs.subarray(user * 10, user * 10 + 10)) if (list.has(item)) same++;
  }
  return Number((same / (lists * 10)).toFixed(4));
}
