// One chaotic run of the commit protocol: every store call is a step that waits its turn; a seeded scheduler picks the
// next step and may make it fail before it takes effect (throttled), after it took effect (timed out), or kill its
// caller. Batches are repeated, overlap, are split and race each other, as an event source mapping and its zombies
// cause; two exports run at once.

import { seeded } from '#core/bytes/random.ts';
import type { HitLine } from '#core/event.ts';
import { cellOf } from '#core/hits/cells.ts';
import { DaySums } from '#core/hits/day-sums.ts';
import type { PointsBy } from '#core/hits/delta.ts';
import { encodeHit } from '#core/hits/hit.ts';
import { readManifest } from '#core/hits/manifest.ts';
import { PointsState } from '#core/hits/points-state.ts';
import type { exportPoints as ExportPoints } from '#process/export.ts';
import type { processBatch as ProcessBatch, ShardRecord } from '#process/process.ts';
import { type Gate, memoryCheckpoints, memoryObjects } from '../support/memory-stores.ts';

export interface World {
  seed: number;
  /** Hits of each record of each shard. */
  shards: HitLine[][][];
  points: PointsBy;
}

export interface Protocol {
  processBatch: typeof ProcessBatch;
  exportPoints: typeof ExportPoints;
}

/** What export has published at the end: every sum and every point, as plain data. */
export type Result = Record<string, number | string>;

export const now = Date.UTC(2026, 10, 21);
const place = (address: string) =>
  address === ''
    ? undefined
    : { lat: Number(address), lon: -Number(address), country: Number(address) % 2 ? 'DE' : 'FR' };

/** Runs the world through the protocol with failures, then once more without any, and returns what is published. */
export async function runWorld(
  { seed, shards, points }: World,
  { processBatch, exportPoints }: Protocol,
): Promise<Result> {
  const random = seeded(seed);
  const checkpoints = memoryCheckpoints();
  const objects = memoryObjects(() => now);
  let names = 0;
  const newId = () => `${++names}`;
  const clock = () => now;
  const records = shards.map((hits) =>
    hits.map(
      (lines, index): ShardRecord => ({
        // Sequence numbers longer than a double can represent: comparing them as numbers or texts would fail the test.
        sequenceNumber: String(9_007_199_254_740_990n * 10n + BigInt(index * 3 + 1)),
        data: new TextEncoder().encode(lines.map(encodeHit).join('\n')),
        arrivedAt: now,
      }),
    ),
  );

  // Far more steps than any correct run takes: a protocol that loops for ever is wrong, too.
  let budget = 20_000;
  const step = <T>(effect: () => T): T => {
    if (--budget < 0) throw new Error('the protocol does not terminate');
    return effect();
  };
  const counted: Gate = async (_name, effect) => step(effect);
  const steps: (() => void)[] = [];
  /** Share of calls that fail: low enough in some worlds for long runs to succeed, high in others. */
  const danger = 0.2 * random() ** 2;
  /** The gate of one function invocation: a kill ends all its calls. */
  const gate = (died: () => void): Gate => {
    let dead = false;
    return (_name, effect) =>
      new Promise((resolve, reject) => {
        steps.push(() => {
          if (dead) return;
          const fate = random() / danger;
          try {
            if (fate < 0.4) return reject(new Error('throttled'));
            if (fate < 0.6) {
              dead = true;
              died();
              if (fate < 0.5) step(effect);
              return;
            }
            const result = step(effect);
            if (fate < 1) return reject(new Error('timed out after it succeeded'));
            resolve(result);
          } catch (cause) {
            reject(cause);
          }
        });
      });
  };
  const run = (work: (gate: Gate) => Promise<unknown>) =>
    new Promise<boolean>((resolve) => {
      work(gate(() => resolve(false))).then(
        () => resolve(true),
        () => resolve(false),
      );
    });
  const process = (shard: number, from: number, to: number, through: Gate) =>
    processBatch(`shard-${shard}`, records[shard].slice(from, to), {
      checkpoints: checkpoints.through(through),
      objects: objects.through(through),
      locator: { locate: place },
      points,
      clock,
      newId,
    } as Parameters<typeof ProcessBatch>[2]);
  const exportOnce = (through: Gate) =>
    exportPoints({
      checkpoints: checkpoints.through(through),
      objects: objects.through(through),
      keepDays: 10_000,
      points,
      privateHostsOn: ['names'],
      clock,
      newId,
    });

  // The event source mapping of a shard: it advances only when a batch succeeded; a batch that seems dead may still run
  // (a zombie).
  const through = records.map(() => 0);
  const mapShard = async (shard: number) => {
    for (let tries = 0; tries < 30 && through[shard] < records[shard].length; tries++) {
      const from = Math.max(0, through[shard] - (random() < 0.2 ? 1 + Math.floor(random() * 3) : 0));
      const to = Math.min(records[shard].length, through[shard] + 1 + Math.floor(random() * 4));
      const batch = run((gated) => process(shard, from, to, gated));
      const impatient = new Promise<boolean>((resolve) => {
        if (random() < 0.15) steps.push(() => resolve(false));
      });
      if (await Promise.race([batch, impatient])) through[shard] = Math.max(through[shard], to);
    }
  };
  const exporting = async () => {
    while (mapping) await run(exportOnce);
  };
  let mapping = true;
  const mapped = Promise.all([...records.keys()].map(mapShard)).then(() => {
    mapping = false;
  });
  let acting = true;
  Promise.all([mapped, exporting(), exporting()]).then(() => {
    acting = false;
  });
  while (acting && budget > 0) {
    await new Promise((resolve) => setImmediate(resolve));
    if (steps.length > 0) steps.splice(Math.floor(random() * steps.length), 1)[0]();
  }

  for (const shard of records.keys())
    if (through[shard] < records[shard].length) await process(shard, through[shard], records[shard].length, counted);
  await exportOnce(counted);
  return published(objects.through(counted), points);
}

async function published(
  objects: ReturnType<ReturnType<typeof memoryObjects>['through']>,
  by: PointsBy,
): Promise<Result> {
  const result: Result = {};
  const { manifest } = await readManifest(objects);
  const read = async (key: string) => (await objects.get(key))?.body as Uint8Array;
  for (const [day, key] of Object.entries(manifest.hits)) {
    const sums = DaySums.decode(await read(key));
    for (const by of ['domain', 'country', 'action'] as const)
      for (const [name, hits] of sums.top(by)) result[`${day} ${by} ${name}`] = hits;
  }
  if (manifest.points) {
    const points = PointsState.decode(await read(manifest.points), by);
    const hits = points.hits();
    for (const [row, [domain, lat, lon, country, time]] of points.rows().entries()) {
      const point = pointOf(by, domain, { lat, lon });
      result[point] = `${lat} ${lon} ${country} ${time}`;
      if (by === 'location') result[`hits at ${point}`] = hits[row];
    }
  }
  result.hits = manifest.counters.hits;
  return result;
}

const pointOf = (by: PointsBy, domain: string, { lat, lon }: { lat: number; lon: number }) =>
  by === 'domain' ? `point ${domain}` : `point ${domain} in ${cellOf(lat, lon)}`;

/** The same, computed by a plain fold over the distinct records. */
export function plainFold({ shards, points: by }: World): Result {
  const result: Result = { hits: 0 };
  const newest: Record<string, { time: number; lat: number; lon: number }> = {};
  const seen = new Set<string>();
  const add = (key: string) => {
    result[key] = ((result[key] as number) ?? 0) + 1;
  };
  for (const { time, address, domain, action, id } of shards.flat(2)) {
    if (id !== undefined && seen.has(id)) continue;
    if (id !== undefined) seen.add(id);
    const day = new Date(time).toISOString().slice(0, 10);
    const found = place(address);
    add('hits');
    add(`${day} domain ${domain}`);
    add(`${day} country ${found?.country ?? ''}`);
    add(`${day} action ${action}`);
    if (!found) continue;
    const point = pointOf(by, domain, found);
    if (by === 'location') add(`hits at ${point}`);
    const held = newest[point];
    if (held && [held.time - time, held.lat - found.lat].find((part) => part !== 0)! > 0) continue;
    newest[point] = { time, lat: found.lat, lon: found.lon };
    result[point] = `${found.lat} ${found.lon} ${found.country} ${time}`;
  }
  return result;
}
