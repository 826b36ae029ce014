// What becomes of each kind of line in a record: stored, counted or quarantined.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RegistryEvent } from '#core/event.ts';
import { decodeDelta } from '#core/hits/delta.ts';
import { encodeHit } from '#core/hits/hit.ts';
import { whyInvalidEvent } from '#core/registry/line.ts';
import type { Batch } from '#process/notify.ts';
import { processBatch } from '#process/process.ts';
import { memoryStores } from '../support/memory-stores.ts';

const minute = 60_000;
const day = 86_400_000;
const now = Date.UTC(2026, 10, 28, 12) + 30_000;

const event = (change: Partial<RegistryEvent> = {}): RegistryEvent => ({
  ...{ id: 'one', time: now - 1000, action: 'pull', kind: 'manifest', method: 'GET', repository: 'team/app', tag: '1' },
  ...{ digest: 'd', user: 'ann', userAgent: 'docker/27', source: '', address: '192.0.2.1' },
  ...change,
});
const registry = (change: Partial<RegistryEvent> = {}, receivedAt = now) => ({
  ...{ type: 'registry', receivedAt, event: event(change) },
});
const hit = (time: number) => encodeHit({ type: 'hit', time, address: '1', domain: 'a.example', action: 'view' });

/** Processes records of these lines; returns what is stored, the newest delta, and the batches for alerts. */
async function processed(...records: (object | string)[][]) {
  const stores = memoryStores(() => now);
  const batches: Batch[] = [];
  const deltas: string[] = [];
  const objects: typeof stores.objects = {
    ...stores.objects,
    put: (key, ...rest) => {
      deltas.push(key);
      return stores.objects.put(key, ...rest);
    },
  };
  for (const [at, lines] of records.entries()) {
    const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n');
    const record = { sequenceNumber: `${10 * at + 7}`, data: Buffer.from(text), arrivedAt: now + at * minute };
    await processBatch('s', [record], {
      ...{ ...stores, objects, locator: { locate: () => ({ lat: 1, lon: 2, country: 'DE' }) } },
      ...{ classify: () => 'human' as const, pullWindowSeconds: 2, clock: () => now, newId: () => `id-${at}` },
      notify: async (batch) => {
        batches.push(batch);
      },
    });
  }
  const { body } = (await stores.objects.get(deltas.at(-1) as string)) as { body: Uint8Array };
  const events = await stores.events.events('ann', 'team/app', 0, Number.MAX_SAFE_INTEGER);
  const { items } = await stores.events.quarantined({ limit: 100 });
  return { stores, batches, deltas, events, quarantined: items, ...decodeDelta(body) };
}

test('hits that are not late are told by the minute of their arrival', async () => {
  const { batches, deltas, counters } = await processed(
    [hit(now), hit(now - day), hit(now - day - 1)],
    [hit(now + minute), hit(0)],
  );
  const begun = now - 30_000;
  assert.deepEqual(
    batches.map(({ shard, previous, arrivedAt, hitsByMinute }) => [shard, previous, arrivedAt, [...hitsByMinute]]),
    [
      ['s', '0', now, [[begun, 2]]],
      ['s', '7', now + minute, [[begun + minute, 1]]],
    ],
  );
  assert.deepEqual(
    deltas,
    ['7', '17'].map((last, at) => `deltas/s/${last.padStart(64, '0')}-id-${at}`),
  );
  assert.deepEqual([counters.hits, counters.late], [2, 1]);
  assert.deepEqual(
    [...batches[0].locations()],
    [now, now - day].map((time) => ['a.example', 1, 2, 'DE', time]),
  );
});

test('the kernel is asked only where points are by domain, and gives its memory back whatever fails', async () => {
  for (const [points, asks] of [
    [undefined, 1],
    ['domain', 1],
    ['location', 0],
  ] as const) {
    let begun = 0;
    let closed = 0;
    const stores = memoryStores(() => now);
    const kernel = {
      ...{ promptHits: 0, count: () => {}, encode: () => new Uint8Array() },
      read: () => {
        throw new Error('the kernel reads');
      },
      close: () => {
        closed++;
      },
    };
    const locator = {
      locate: () => ({ lat: 1, lon: 2, country: 'DE' }),
      begin: () => {
        begun++;
        return kernel;
      },
    };
    const work = processBatch('s', [{ sequenceNumber: '1', data: Buffer.from(hit(now)), arrivedAt: now }], {
      ...{ ...stores, locator, points, classify: () => 'human' as const, pullWindowSeconds: 2, clock: () => now },
      newId: () => 'id',
    });
    if (asks) await assert.rejects(work, /the kernel reads/);
    else await work;
    assert.deepEqual([begun, closed], [asks, asks], points);
  }
});

test('events are stored with their origin, without addresses, and at most a day ahead of their arrival', async () => {
  const { events, counters, batches } = await processed(
    [registry(), registry({ id: 'two', time: now + day }), registry({ id: 'three', time: now + day + 1 })],
    [registry(), registry({ id: 'four', userAgent: 'at 203.0.113.7', user: 'ann' })],
  );
  const of = (id: string) => events.find((one) => one.id === id);
  assert.deepEqual(
    ['one', 'two', 'three', 'four'].map((id) => [of(id)?.time, of(id)?.origin]),
    [
      [now - 1000, 's:7:0'],
      [now + day, 's:7:1'],
      [now, 's:7:2'],
      [now - 1000, 's:17:1'],
    ],
  );
  assert.equal(of('four')?.userAgent, 'at [address]');
  assert.ok(events.every((one) => !('address' in one) && one.addressDigests.length > 0 && one.country === 'DE'));
  assert.deepEqual([counters.registryEvents, counters.duplicates, counters.quarantined], [2, 1, 0]);
  assert.deepEqual(
    batches.map(({ events: told }) => told.map(({ id }) => id)),
    [
      ['one', 'two', 'three'],
      ['one', 'four'],
    ],
  );
});

test('what can not be understood is quarantined with its place, and the rest of its record counts', async () => {
  const deep = '['.repeat(20_000) + ']'.repeat(20_000);
  const rows: [line: object | string, reason: RegExp, body: RegExp, registry?: string][] = [
    ['{', /^the line is not JSON$/, /^\{$/],
    [{ type: 'tea' }, /^type is "tea": must be/, /tea/],
    ['7', /^type is missing/, /^7$/],
    [registry({ id: '' }), /^registry: id or repository is empty$/, /team\/app/],
    [{ type: 'registry', receivedAt: now }, /^registry: event is missing, not an object$/, /"type":"registry"/],
    [{ type: 'rejected', receivedAt: now, reason: 'odd', body: 'from 203.0.113.7' }, /^odd$/, /^from \[address\]$/],
    [{ type: 'rejected', reason: 'odd', body: 'x', registry: 'east' }, /^odd$/, /^x$/, 'east'],
    [{ type: 'rejected' }, /^$/, /^$/],
    [{ type: 'rejected', reason: { a: 1 }, body: ['b'] }, /^\{"a":1\}$/, /^\["b"\]$/],
    [`{"type":"rejected","reason":"deep","body":${deep}}`, /^deep$/, /^object, nested too deep to be written$/],
    [{ type: 'notification', body: { source: 'aws.ecr', 'detail-type': 'Tea', detail: {} } }, /^ecr: /, /aws\.ecr/],
    [{ type: 'notification' }, /^body is missing, not a JSON object$/, /^$/],
  ];
  const { quarantined, counters, events } = await processed([...rows.map(([line]) => line), hit(now), registry()]);
  assert.equal(quarantined.length, rows.length);
  for (const [at, [, reason, body, name]] of rows.entries()) {
    const entry = quarantined.find(({ id }) => id === `s:7:${at}`);
    assert.match(String(entry?.reason), reason);
    assert.match(String(entry?.body), body);
    assert.deepEqual([entry?.time, entry?.position], [now, `s:7:${at}`]);
    assert.equal('registry' in (entry ?? {}), name !== undefined);
    assert.equal(entry?.registry, name);
  }
  assert.deepEqual([counters.quarantined, counters.hits, counters.registryEvents], [rows.length, 1, 1]);
  assert.equal(events[0].origin, `s:7:${rows.length + 1}`);
});

test('a record without anything to quarantine quarantines nothing', async () => {
  const { quarantined, counters } = await processed([hit(now), '', registry()]);
  assert.deepEqual([quarantined, counters.quarantined], [[], 0]);
});

test('each field of an event in the stream must be what collect writes', () => {
  assert.equal(whyInvalidEvent(event()), undefined);
  const odd: [reason: RegExp, ...changes: object[]][] = [
    ...['id', 'method', 'repository', 'user', 'userAgent', 'address', 'source'].map((name): [RegExp, ...object[]] => [
      new RegExp(`^registry: ${name} is .*, not a string$`),
      { [name]: 7 },
      { [name]: undefined },
    ]),
    ...['tag', 'digest', 'mediaType', 'userType', 'subject'].map((name): [RegExp, ...object[]] => [
      new RegExp(`^registry: ${name} is not a string$`),
      { [name]: 7 },
      { [name]: null },
    ]),
    ...['references', 'referenceTypes'].map((name): [RegExp, ...object[]] => [
      /^registry: references are not a list of strings$/,
      ...[{ [name]: 'a' }, { [name]: [7] }, { [name]: ['a', null] }, { [name]: {} }],
    ]),
    [/^registry: size is not a number$/, { size: '7' }, { size: null }],
    [/^registry: id or repository is empty$/, { id: '' }, { repository: '' }],
    [/^registry: time must be/, { time: -1 }, { time: 253_402_300_800_000 }, { time: '1' }, { time: undefined }],
    [/^registry: action is unknown$/, { action: 'look' }, { action: 7 }, { action: undefined }],
    [/^registry: kind is unknown$/, { kind: 'tea' }, { kind: undefined }],
  ];
  for (const [reason, ...changes] of odd)
    for (const change of changes)
      assert.match(String(whyInvalidEvent({ ...event(), ...change })), reason, JSON.stringify(change));
  for (const change of [
    ...[{ tag: undefined, digest: undefined }, { user: '', method: '', userAgent: '', address: '' }, { time: 0 }],
    ...[{ time: 253_402_300_799_999 }, { references: [], referenceTypes: ['a'], size: 0 }, { kind: 'blob' }],
    ...[{ kind: 'other', action: 'delete' }, { action: 'push' }, { action: 'mount' }],
  ])
    assert.equal(whyInvalidEvent({ ...event(), ...change }), undefined, JSON.stringify(change));
  for (const none of [undefined, null, 7, 'x', []])
    assert.match(String(whyInvalidEvent(none)), /^registry: event is .*, not an object$/);
});
