// npm run bench -- als [--ranks 10,64] [--users 100000 --items 10000 --pairs 2840000] [--rounds 3] [--spark]: training
// and top-10 of everybody against implicit 0.7.3 and Spark MLlib, on seeded communities of people, from the same start.
// Ours includes lay-out and the start of its threads.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { alsDefaults, type Factors } from '#core/als.ts';
import { auc } from '#core/auc.ts';
import { seeded } from '#core/random.ts';
import type { Entry, Rows } from '#core/ratings.ts';
import { scoresOf } from '#core/recommend.ts';
import { topOf } from '#core/top.ts';
import { fit } from '#train/kernel.ts';

const { values: flags } = parseArgs({
  options: {
    ranks: { type: 'string', default: '10,64' },
    users: { type: 'string', default: '100000' },
    items: { type: 'string', default: '10000' },
    pairs: { type: 'string', default: '2840000' },
    rounds: { type: 'string', default: '3' },
    spark: { type: 'boolean', default: false },
  },
});
const [users, items, pairs, rounds] = [flags.users, flags.items, flags.pairs, flags.rounds].map(Number);
const { iterations, lambda, alpha } = alsDefaults;
/** People the AUC is taken on: exact for each. */
const judged = 2000;

const root = join(import.meta.dirname, '..');
const python = join(root, '.venv', 'bench', 'bin', 'python');
if (!existsSync(python)) execFileSync('python3', ['-m', 'venv', join(root, '.venv', 'bench')], { stdio: 'inherit' });
if (spawnSync(python, ['-c', 'import implicit, pyspark']).status !== 0)
  execFileSync(python, ['-m', 'pip', 'install', '-q', 'implicit==0.7.3', 'pyspark==4.3.0'], { stdio: 'inherit' });

const folder = mkdtempSync(join(tmpdir(), 'whalewatch-als-'));
mkdirSync(folder, { recursive: true });
try {
  const { rows, held } = communities();
  console.log(`${users} people x ${items} images, ${rows.columns.length} pairs, ${held.length} held out`);
  writeFileSync(join(folder, 'starts.u32'), rows.starts);
  writeFileSync(join(folder, 'columns.u32'), rows.columns);
  writeFileSync(join(folder, 'values.f32'), rows.values);
  writeFileSync(join(folder, 'meta.json'), JSON.stringify({ users, items, lambda, alpha, iterations }));
  const answer: Record<string, unknown> = {};
  for (const rank of flags.ranks.split(',').map(Number)) answer[rank] = measure(rank, rows, held);
  console.log(JSON.stringify(answer));
} finally {
  rmSync(folder, { recursive: true });
}

function measure(rank: number, rows: Rows, held: Entry[]) {
  const options = { rank, iterations, lambda, alpha };
  const start = () => seeded(rank);
  const random = start();
  writeFileSync(
    join(folder, `start${rank}.f32`),
    Float32Array.from({ length: items * rank }, () => (random() - 0.5) / rank),
  );
  const time = (solver: 'exact' | 'cg') => {
    const times: number[] = [];
    const processor: number[] = [];
    let factors!: Factors;
    for (let round = 0; round <= rounds; round++) {
      const began = performance.now();
      const before = process.cpuUsage();
      factors = fit(rows, items, { ...options, solver }, start());
      times.push((performance.now() - began) / 1000);
      const { user, system } = process.cpuUsage(before);
      processor.push((user + system) / 1e6);
    }
    const [first, ...warm] = times;
    return { factors, first, seconds: median(warm), processor: median(processor.slice(1)) };
  };
  const exact = time('exact');
  const cg = time('cg');
  console.log(
    `rank ${rank}: ours exact ${exact.seconds.toFixed(3)} s (first ${exact.first.toFixed(3)}), cg ${cg.seconds.toFixed(3)} s (first ${cg.first.toFixed(3)})`,
  );
  const peers = JSON.parse(
    execFileSync(
      python,
      [join(import.meta.dirname, 'als.py'), folder, `${rank}`, `${rounds}`, flags.spark ? '1' : '0'],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
    )
      .trim()
      .split('\n')
      .at(-1) as string,
  );
  const theirs = (name: string): Factors => {
    const read = (side: string) => {
      const bytes = readFileSync(join(folder, `${name}${rank}.${side}.f32`));
      return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    };
    return { rank, users: read('users'), items: read('items') };
  };
  const implicit = theirs('implicitCholesky');
  const implicitCg = theirs('implicitCg');
  const topS = topTen(rows, exact.factors);
  const own = loss(rows, exact.factors);
  const round = (value: number, digits = 3) => Number(value.toFixed(digits));
  return {
    oursS: round(exact.seconds),
    oursCgS: round(cg.seconds),
    oursFirstS: round(exact.first),
    implicitCholeskyS: round(peers.implicitCholeskyS),
    implicitCgS: round(peers.implicitCgS),
    sparkS: peers.sparkS ?? null,
    ratioCholesky: round(peers.implicitCholeskyS / exact.seconds, 2),
    ratioCg: round(peers.implicitCgS / Math.min(cg.seconds, exact.seconds), 2),
    ratioSpark: peers.sparkS ? round(peers.sparkS / exact.seconds, 1) : null,
    // Processor time of all threads: what the ratio is when others share the machine.
    processor: {
      oursS: round(exact.processor),
      oursCgS: round(cg.processor),
      ratioCholesky: round(peers.implicitCholeskyProcessorS / exact.processor, 2),
      ratioCg: round(peers.implicitCgProcessorS / Math.min(cg.processor, exact.processor), 2),
    },
    lossRatio: round(own / loss(rows, implicit), 6),
    lossRatioCg: round(loss(rows, cg.factors) / loss(rows, implicitCg), 6),
    auc: round(judge(rows, held, exact.factors), 4),
    aucCg: round(judge(rows, held, cg.factors), 4),
    aucImplicit: round(judge(rows, held, implicit), 4),
    aucSpark: peers.sparkS ? round(judge(rows, held, theirs('spark')), 4) : null,
    topN: { oursS: round(topS), implicitS: round(peers.implicitTopS), ratio: round(peers.implicitTopS / topS, 2) },
  };
}

/** Top-10 of everybody without what they pulled, ordering the images included; one thread of plain TypeScript. */
function topTen(rows: Rows, factors: Factors): number {
  const began = performance.now();
  const of = topOf(factors, rows, 10);
  let shown = 0;
  for (let user = 0; user < users; user++) shown += of(user).count;
  if (shown === 0) throw new Error('nobody has a list');
  return (performance.now() - began) / 1000;
}

/** Every person is of one of 50 communities, every image has a popularity and a community: 3 in 4 pulls are one's own community's. */
function communities(): { rows: Rows; held: Entry[] } {
  const random = seeded(7);
  const groups = 50;
  const starts = new Uint32Array(users + 1);
  const columns: number[] = [];
  const values: number[] = [];
  const held: Entry[] = [];
  const perGroup = Math.floor(items / groups);
  for (let user = 0; user < users; user++) {
    const group = Math.floor(random() * groups);
    // Exponential around the mean: some pull little, a few a lot; a ninth more, as a tenth is held out.
    const count = Math.max(1, Math.round(-Math.log(1 - random()) * ((pairs / users) * 1.25)));
    const own = new Set<number>();
    for (let n = 0; n < count; n++)
      own.add(
        random() < 0.75 ? group * perGroup + Math.floor(random() ** 2 * perGroup) : Math.floor(random() ** 3 * items),
      );
    for (const item of own) {
      const value = 1 + Math.floor(-Math.log(1 - random()) * 2);
      if (random() < 0.1) held.push({ user, item, value });
      else {
        columns.push(item);
        values.push(value);
      }
    }
    starts[user + 1] = columns.length;
  }
  return { rows: { starts, columns: Uint32Array.from(columns), values: Float32Array.from(values) }, held };
}

/** Hu, Koren, Volinsky's loss over all cells: the unpulled ones by way of both Gram matrices. */
function loss({ starts, columns, values }: Rows, { rank, users: x, items: y }: Factors): number {
  const gram = (factors: Float32Array) => {
    const total = new Float64Array(rank * rank);
    for (let row = 0; row < factors.length; row += rank)
      for (let i = 0; i < rank; i++)
        for (let j = 0; j < rank; j++) total[i * rank + j] += factors[row + i] * factors[row + j];
    return total;
  };
  const [gx, gy] = [gram(x), gram(y)];
  let sum = gx.reduce((all, value, at) => all + value * gy[at], 0);
  for (let row = 0; row + 1 < starts.length; row++)
    for (let n = starts[row]; n < starts[row + 1]; n++) {
      let score = 0;
      for (let k = 0; k < rank; k++) score += x[row * rank + k] * y[columns[n] * rank + k];
      sum += (1 + alpha * values[n]) * (1 - score) ** 2 - score ** 2;
    }
  for (let i = 0; i < rank; i++) sum += lambda * (gx[i * rank + i] + gy[i * rank + i]);
  return sum;
}

function judge({ starts, columns }: Rows, held: Entry[], { rank, users: x, items: y }: Factors): number {
  const some = held.filter(({ user }) => user < judged);
  const pulled = Map.groupBy(some, ({ user }) => user);
  const of = (user: number) =>
    new Set([...columns.subarray(starts[user], starts[user + 1]), ...(pulled.get(user) ?? []).map(({ item }) => item)]);
  return auc(some, items, of, (user) => scoresOf({ rank, items: y }, x.subarray(user * rank, (user + 1) * rank))) ?? 0;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1];
}
