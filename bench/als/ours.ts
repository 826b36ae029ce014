// Our side of bench/als.ts, in its own process so that its memory can be measured alone.
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { seeded } from '#core/bytes/random.ts';
import type { Factors } from '#core/recommender/als.ts';
import type { Rows } from '#core/recommender/ratings.ts';
import { fit } from '#train/kernel.ts';
import { endKernel } from '#train/threads.ts';
import { topLists } from '#train/top.ts';
import { bytesOf, type Reply, type Task } from './contestant.ts';

let read: { folder: string; rows: Rows } | undefined;

for await (const line of createInterface({ input: process.stdin })) {
  const task: Task = JSON.parse(line);
  const { folder, out, items, seed, solver } = task;
  if (read?.folder !== folder)
    read = {
      folder,
      rows: {
        starts: new Uint32Array(bytesOf(`${folder}/starts.u32`)),
        columns: new Uint32Array(bytesOf(`${folder}/columns.u32`)),
        values: new Float32Array(bytesOf(`${folder}/values.f32`)),
      },
    };
  const { rows } = read;
  const options = {
    ...task,
    ...(solver === 'weighted' ? ({ solver: 'exact', weightedLambda: true } as const) : { solver }),
  };
  // A fit must not benefit from an earlier one, because a real training runs in its own process.
  endKernel();
  globalThis.gc?.();
  const before = process.cpuUsage();
  const began = performance.now();
  const factors = fit(rows, items, options, seeded(seed));
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(before);
  // Read before anything that training doesn't need takes memory.
  const peakBytes = peak();
  writeFileSync(`${out}.users.f32`, factors.users);
  writeFileSync(`${out}.items.f32`, factors.items);
  const reply: Reply = { seconds, processorS: (user + system) / 1e6, peakBytes };
  if (task.top) reply.topS = topTen(rows, factors);
  console.log(JSON.stringify(reply));
}

/** VmHWM of proc(5): getrusage's maximum includes the parent's memory at the time when it started this process. */
function peak(): number | undefined {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
  } catch {
    return undefined;
  }
}

/** Top-10 of all users without their own pulls; includes ordering the repositories. */
function topTen(rows: Rows, factors: Factors): number {
  const began = performance.now();
  const { counts } = topLists(factors, rows, 10);
  if (!counts.some((count) => count > 0)) throw new Error('nobody has a list');
  return (performance.now() - began) / 1000;
}
