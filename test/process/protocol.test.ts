import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeHit } from '#core/hits/hit.ts';
import { manifestKey } from '#core/hits/manifest.ts';
import { pointerKey } from '#core/map/pointer.ts';
import { exportPoints } from '#process/export.ts';
import { processBatch } from '#process/process.ts';
import { memoryCheckpoints, memoryObjects, memoryStores, open } from '../support/memory-stores.ts';
import { now, type Protocol, plainFold, runWorld, type World } from './chaos.ts';

// For more runs: WHALEWATCH_RUNS=20000 npm test
const numRuns = Number(process.env.WHALEWATCH_RUNS ?? 1000);
const seed = 20261121;

const hit = fc.record({
  type: fc.constant('hit' as const),
  time: fc.constantFrom(now, now - 1, now - 43_200_000, now - 3 * 86_400_000),
  address: fc.constantFrom('', '1', '2', '3'),
  domain: fc.constantFrom('a.example', 'b.example', 'c.example'),
  action: fc.constantFrom('view', 'login'),
});
const record = fc.array(hit, { minLength: 1, maxLength: 3 });
const world: fc.Arbitrary<World> = fc.record({
  seed: fc.nat(),
  shards: fc.array(fc.array(record, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 3 }),
  points: fc.constantFrom('domain', 'location'),
});

/** The first of `runs` worlds whose result differs from the plain fold; undefined if none does. */
async function counterexample(protocol: Protocol, runs: number): Promise<World | undefined> {
  const checked = await fc.check(
    fc.asyncProperty(world, async (world) => {
      assert.deepEqual(await runWorld(world, protocol), plainFold(world));
    }),
    { numRuns: runs, seed, endOnFailure: true },
  );
  return checked.failed ? checked.counterexample?.[0] : undefined;
}

test(`${numRuns} chaotic runs end in the sums of a plain fold`, { timeout: 600_000 }, async () => {
  assert.equal(await counterexample({ processBatch, exportPoints }, numRuns), undefined);
});

test('a row missing from its chain, or a missing delta, stops export with an error', async () => {
  const rows = [
    { shard: 's', previous: '0', last: '5', delta: 'deltas/s/5', committedAt: now },
    { shard: 's', previous: '6', last: '9', delta: 'deltas/s/9', committedAt: now },
  ];
  const attempt = async (kept: typeof rows) => {
    const checkpoints = memoryCheckpoints().through(open);
    const objects = memoryObjects(() => now).through(open);
    for (const row of kept) await checkpoints.commit(row);
    await exportPoints({ checkpoints, objects, keepDays: 7, privateHostsOn: [], clock: () => now, newId: () => 'id' });
  };
  await assert.rejects(attempt(rows.slice(0, 1)), /row 0 of s names deltas\/s\/5, which is missing/);
  await assert.rejects(attempt(rows.slice(1)), /the chain of s breaks after 0: its next row starts at 6/);
});

// Each mutation removes a step of the protocol or swaps two: the test above must detect every one.
const mutations: { name: string; file: string; from: string | RegExp; to: string }[] = [
  {
    name: 'process does not read its position',
    file: 'process.ts',
    from: /\(await checkpoints\.latest\(shard\)\)\?\.last \?\? '0'/,
    to: "'0'",
  },
  {
    name: 'process does not drop what is done',
    file: 'process.ts',
    from: 'BigInt(record.sequenceNumber) > BigInt(previous)',
    to: 'true',
  },
  {
    name: 'sequence numbers are compared as doubles',
    file: 'process.ts',
    from: 'BigInt(record.sequenceNumber) > BigInt(previous)',
    to: 'Number(record.sequenceNumber) > Number(previous)',
  },
  {
    name: 'a lost commit is treated as won',
    file: 'process.ts',
    from: 'if (await checkpoints.commit({ shard, previous, last, delta, committedAt: clock() })) return;',
    to: 'await checkpoints.commit({ shard, previous, last, delta, committedAt: clock() }); return;',
  },
  {
    name: 'a commit that timed out is treated as lost',
    file: 'process.ts',
    from: 'if (await checkpoints.commit({ shard, previous, last, delta, committedAt: clock() })) return;',
    to: 'await checkpoints.commit({ shard, previous, last, delta, committedAt: clock() }).catch(() => false); return;',
  },
  {
    name: 'the row is committed before its delta is written',
    file: 'process.ts',
    from: 'const delta = await write(shard, previous, last, fresh, options);\n    if (await checkpoints.commit({ shard, previous, last, delta, committedAt: clock() })) return;',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: source text
    to: "const key = `deltas/${shard}/${last.padStart(64, '0')}-${options.newId()}`;\n    const won = await checkpoints.commit({ shard, previous, last, delta: key, committedAt: clock() });\n    await write(shard, previous, last, fresh, { ...options, newId: () => key.split('-').at(-1) as string });\n    if (won) return;",
  },
  {
    name: 'export does not move its position with the state',
    file: 'fold.ts',
    from: 'generation,\n      positions,',
    to: 'generation,',
  },
];

for (const [index, { name, file, from, to }] of mutations.entries()) {
  test(`mutation: ${name}: is detected`, { timeout: 300_000 }, async () => {
    const protocol = await mutated(index, file, from, to);
    assert.ok(await counterexample(protocol, 3000), 'no run detected the mutation');
  });
}

test('an export that stalls before its swap while two others swap changes nothing; without If-Match this test fails', async () => {
  const scenario = { key: manifestKey, before: 0, exports: true };
  assert.equal(await stalled({ processBatch, exportPoints }, scenario), 'exact');
  const from = /\.\.\.\(etag === undefined \? \{ ifNoneMatch: '\*' as const \} : \{ ifMatch: etag \}\),/;
  assert.match(await stalled(await mutated(98, 'export.ts', from, ''), scenario), /the chain of s breaks/);
});

test('an export does not expire what is committed while it publishes; expiring unfolded rows is detected', async () => {
  const scenario = { key: pointerKey, before: 1, exports: false };
  assert.equal(await stalled({ processBatch, exportPoints }, scenario), 'exact');
  const mutant = await mutated(99, 'expire.ts', 'BigInt(row.last) <= BigInt(position) && ', '');
  assert.match(await stalled(mutant, scenario), /the chain of s breaks/);
});

/**
 * Runs an export of one batch that waits before it puts a key, while two more batches are committed, and perhaps
 * exported, after `before` batches with exports. Returns whether the sums are exact.
 */
async function stalled(
  { processBatch, exportPoints }: Protocol,
  { key: at, before, exports }: { key: string; before: number; exports: boolean },
): Promise<string> {
  const clock = () => 9;
  const stores = memoryStores(clock);
  let made = 0;
  let batches = 0;
  const own = { keepDays: 7, privateHostsOn: [], clock, newId: () => `n${made++}` };
  const locator = { locate: () => ({ lat: 1, lon: 2, country: 'DE' }) };
  const batch = () => {
    const line = encodeHit({ type: 'hit', time: ++batches, address: '1', domain: 'a.example', action: 'view' });
    return processBatch('s', [{ sequenceNumber: `${batches}`, data: Buffer.from(line), arrivedAt: 9 }], {
      ...{ ...stores, ...own, locator, classify: () => 'human', pullWindowSeconds: 2 },
    });
  };
  const plain = () => exportPoints({ ...stores, ...own });
  const reached = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  let stalls = true;
  const objects: typeof stores.objects = {
    ...stores.objects,
    async put(key, ...rest) {
      if (key === at && stalls) {
        stalls = false;
        reached.resolve();
        await released.promise;
      }
      return stores.objects.put(key, ...rest);
    },
  };
  for (let n = 0; n < before; n++) {
    await batch();
    await plain();
  }
  await batch();
  const late = exportPoints({ ...stores, objects, ...own });
  await reached.promise;
  for (const _ of [1, 2]) {
    await batch();
    if (exports) await plain();
  }
  released.resolve();
  try {
    await late;
    const { manifest } = await plain();
    return manifest.counters.hits === batches ? 'exact' : `${manifest.counters.hits} hits of ${batches}`;
  } catch (cause) {
    return (cause as Error).message;
  }
}

/** Loads copies of the protocol's files with one text replaced, from a temporary folder inside the project. */
async function mutated(index: number, file: string, from: string | RegExp, to: string): Promise<Protocol> {
  const source = join(import.meta.dirname, '../../functions/process');
  const folder = join(import.meta.dirname, `../../build/mutants/${process.pid}-${index}`);
  mkdirSync(folder, { recursive: true });
  try {
    for (const name of ['process.ts', 'export.ts', 'fold.ts', 'expire.ts']) {
      const text = readFileSync(join(source, name), 'utf8').replaceAll(
        /from '\.\/(forgotten|locate|pulls|publish|state)\.ts'/g,
        "from '#process/$1.ts'",
      );
      const changed = name === file ? text.replace(from, () => to) : text;
      if (name === file) assert.notEqual(changed, text, `${file} no longer holds what this mutation replaces`);
      writeFileSync(join(folder, name), changed);
    }
    const { processBatch } = await import(join(folder, 'process.ts'));
    const { exportPoints } = await import(join(folder, 'export.ts'));
    return { processBatch, exportPoints };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
