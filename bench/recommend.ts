// npm run bench -- recommend [--items N] [--pulls N]: one person's recommendations at request time, fold-in, ranking and
// reasons together, against scoring the plain way: Gram matrix and system made anew for each request.
import { parseArgs } from 'node:util';
import { alsDefaults, rowSolver } from '#core/als.ts';
import { seeded } from '#core/random.ts';
import { folding, scoresOf, topN } from '#core/recommend.ts';

const { values } = parseArgs({
  options: { items: { type: 'string', default: '10000' }, pulls: { type: 'string', default: '30' } },
});
const [items, pulls] = [Number(values.items), Number(values.pulls)];
const random = seeded(1);
const results: Record<number, { p50Ms: number; p99Ms: number; plainMs: number; ratio: number }> = {};
let sink = 0;

for (const rank of [10, 64]) {
  const model = { rank, items: Float32Array.from({ length: items * rank }, () => random() - 0.3) };
  const foldIn = folding(model, alsDefaults);
  const history = () => Array.from({ length: pulls }, () => Math.floor(random() * items));
  const counts = Array<number>(pulls).fill(1);
  const ours = (own: number[]) => {
    const person = foldIn(own, counts);
    const best = topN(scoresOf(model, person.factors), 10, (item) => own.includes(item));
    for (const { item } of best) sink += person.explain(item)[0];
  };
  const plain = (own: number[]) => {
    const solve = rowSolver(model.items, { ...alsDefaults, rank });
    sink += topN(scoresOf(model, solve(own, counts)), 10, (item) => own.includes(item))[0].score;
  };
  const times = (run: (own: number[]) => void, count: number) => {
    for (let n = 0; n < count / 4; n++) run(history());
    return Float64Array.from({ length: count }, () => {
      const own = history();
      const start = performance.now();
      run(own);
      return performance.now() - start;
    }).sort();
  };
  const sorted = times(ours, 2000);
  const [p50Ms, p99Ms] = [sorted[1000], sorted[1980]];
  const plainMs = times(plain, 100)[50];
  results[rank] = { p50Ms, p99Ms, plainMs, ratio: plainMs / p50Ms };
  console.log(
    `rank ${rank}: half within ${p50Ms.toFixed(3)} ms, 99 % within ${p99Ms.toFixed(3)} ms; anew ${plainMs.toFixed(2)} ms`,
  );
}
console.log(JSON.stringify({ items, pulls, ...results, sink: Math.sign(sink) }));
