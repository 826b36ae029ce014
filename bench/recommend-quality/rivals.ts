// Runs rivals.py, the slow half of the bench, once for each matrix: its scores are kept beside its Python.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Scores } from '#core/recommender/model-list.ts';
import type { Rows } from '#core/recommender/ratings.ts';
import type { Recommender } from '#train/evaluate.ts';
import { bytesOf } from '../als/contestant.ts';

const rivals = ['ease', 'knn', 'als', 'weighted-als'];
const script = join(import.meta.dirname, 'rivals.py');

/** Scores of each rival, tuned and fitted on `rows` by the Python in `venv`. */
export function rivalScores(
  venv: string,
  { users, items }: { users: number; items: number },
  rows: Rows,
  seed: number,
  score: (recommender: Recommender) => Scores,
): Record<string, Scores> {
  const matrix = { 'starts.u32': rows.starts, 'columns.u32': rows.columns, 'values.f32': rows.values };
  const hash = createHash('sha256').update(readFileSync(script)).update(`${seed}`);
  for (const array of Object.values(matrix)) hash.update(array);
  const folder = join(venv, 'quality', hash.digest('hex').slice(0, 16));
  mkdirSync(folder, { recursive: true });
  // A run that was stopped goes on with the rivals that it lacks.
  if (rivals.some((name) => !existsSync(join(folder, `${name}.f32`)))) {
    for (const [name, array] of Object.entries(matrix)) writeFileSync(join(folder, name), array);
    execFileSync(join(venv, 'bin', 'python'), [script, folder, `${users}`, `${items}`, `${seed}`], {
      stdio: ['ignore', 'inherit', 'ignore'],
      env: { ...process.env, OPENBLAS_NUM_THREADS: '2' },
    });
  }
  return Object.fromEntries(
    rivals.map((name) => {
      const all = new Float32Array(bytesOf(join(folder, `${name}.f32`)));
      return [`rival ${name}`, score((user) => all.subarray(user * items, (user + 1) * items))];
    }),
  );
}
