// Scores of all candidates on seeded communities and on MovieLens-100k, held out at random and by time.
//   npm run bench -- tune [--trials 24] [--seconds 120] [--seed 1]
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Pair } from '#core/stores.ts';
import { table, tune } from '#train/tune.ts';
import { communities, entriesOf, movieLens, type World } from './als/worlds.ts';

const { values } = parseArgs({
  options: {
    trials: { type: 'string', default: '24' },
    seconds: { type: 'string', default: '120' },
    seed: { type: 'string', default: '1' },
  },
});
const [trials, seconds, seed] = [values.trials, values.seconds, values.seed].map(Number);
const venv = join(import.meta.dirname, '..', '.venv', 'bench');
const python = join(venv, 'bin', 'python');
if (!existsSync(python)) execFileSync('python3', ['-m', 'venv', venv], { stdio: 'inherit' });

const figures: Record<string, unknown> = {};
for (const [world, by] of [
  [communities(5000, 1000, 140_000), 'chance'],
  [movieLens(python, venv), 'chance'],
  [movieLens(python, venv), 'time'],
] as const) {
  if (!world) continue;
  const clock = () => performance.now();
  const { candidates, winner } = tune({ pairs: pairsOf(world), trials, seconds, seed, by, clock, log: () => {} });
  console.log(`\n${world.name}, by ${by}; best first:\n${table(candidates)}`);
  figures[`${world.name}, by ${by}`] = {
    winner: winner.name,
    ...Object.fromEntries(candidates.map(({ name, random, byTime }) => [name, by === 'time' ? byTime : random])),
  };
}
console.log(JSON.stringify(figures));

/** As training reads them, with numbers as names. */
function pairsOf({ rows, times }: World): Pair[] {
  return entriesOf(rows).map(({ user, item, value }, at) => {
    const time = times?.[at] ?? at;
    return { user: `${user}`, repository: `${item}`, pulls: value, firstPull: time, lastPull: time };
  });
}
