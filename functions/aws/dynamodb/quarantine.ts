// The quarantine of the events table: each entry is encrypted with its day's key. Bytes and days are limited; the
// oldest entries are dropped first. DynamoDB's time to live is not used: a counted entry must be uncounted when it
// leaves, and its text is unreadable once its day's key is destroyed.
import { DeleteCommand, type DynamoDBDocumentClient, GetCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { readCursor, shortPage } from '#core/cursor.ts';
import type { Quarantined } from '#core/event.ts';
import { inParallel } from '#core/parallel.ts';
import { namesPerson } from '#core/registry/quarantine.ts';
import {
  openEntry,
  quarantineBounds,
  quarantineKeyExpiry,
  quarantineKeyName,
  sealEntry,
} from '#core/registry/sealed.ts';
import type { EventStore } from '#core/stores.ts';
import type { DayKeys } from './day-keys.ts';
import { type Key, putNew, queryAll, type Row } from './dynamo.ts';
import { listedBefore, readSortKey, sortKeyOf } from './newest.ts';

const dayMs = 86_400_000;
const atOnce = 32;
/** Entries of one query, which returns at most a megabyte. */
const rowsAtOnce = 100;
/** How often entries that are too old are removed. */
const agedEveryMs = 3_600_000;

const list = 'quarantine';
const keyOfEntry = (id: string): Key => ({ pk: `quarantine ${id}`, sk: '-' });
const totalsKey: Key = { pk: 'quarantined', sk: '-' };

export interface QuarantineOptions {
  client: DynamoDBDocumentClient;
  table: string;
  keys: DayKeys;
  keepEventsDays?: number;
  mostBytes?: number;
  clock: () => number;
}

export type Quarantine = Pick<EventStore, 'quarantine' | 'quarantined' | 'quarantineState' | 'release'> & {
  /** Deletes entries that name a user; returns how many. */
  forget(user: string): Promise<number>;
};

export function openQuarantine(options: QuarantineOptions): Quarantine {
  const { client, table, keys, keepEventsDays = quarantineBounds.days, clock } = options;
  const { mostBytes = quarantineBounds.bytes } = options;
  const TableName = table;
  let agedAt = Number.NEGATIVE_INFINITY;

  /** Each key is read once a call and not kept: a destroyed key must not decrypt anything. */
  const keyReader = () => {
    const found = new Map<string, Promise<Uint8Array | undefined>>();
    return (name: string) => {
      const key = found.get(name) ?? keys.find(name);
      found.set(name, key);
      return key;
    };
  };

  /** Undefined if its key was destroyed. An older version stored entries as text. */
  async function opened(row: Row, keyOf: ReturnType<typeof keyReader>): Promise<Quarantined | undefined> {
    if (typeof row.doc === 'string') return JSON.parse(row.doc);
    const key = await keyOf(quarantineKeyName(Number(row.time)));
    return key && openEntry(String(row.pk).slice('quarantine '.length), row.doc as Uint8Array, key);
  }

  async function* entries([time, id]: [number, string]) {
    const keyOf = keyReader();
    for (let before = { time, id }; ; ) {
      const rows = await queryAll(client, listedBefore(TableName, list, before), rowsAtOnce);
      for (const row of rows) {
        const entry = await opened(row, keyOf);
        if (entry) yield entry;
      }
      if (rows.length < rowsAtOnce) return;
      before = readSortKey(String(rows[rows.length - 1].at));
    }
  }

  const count = async (change: { entries: number; bytes: number; dropped?: number }) => {
    const { dropped = 0 } = change;
    const { Attributes } = await client.send(
      new UpdateCommand({
        ...{ TableName, Key: totalsKey, ReturnValues: 'ALL_NEW' },
        UpdateExpression: `ADD #entries :entries, #bytes :bytes, #dropped :dropped${dropped > 0 ? ' SET #at = :at' : ''}`,
        ExpressionAttributeNames: {
          ...{ '#entries': 'entries', '#bytes': 'bytes', '#dropped': 'dropped' },
          ...(dropped > 0 ? { '#at': 'droppedAt' } : {}),
        },
        ExpressionAttributeValues: {
          ...{ ':entries': change.entries, ':bytes': change.bytes, ':dropped': dropped },
          ...(dropped > 0 ? { ':at': clock() } : {}),
        },
      }),
    );
    return Number(Attributes?.bytes ?? 0);
  };

  /**
   * Returns how many of these existed, and their bytes: if several callers remove the same entry, it is counted once.
   */
  const remove = async (ids: string[]) => {
    const gone = { entries: 0, bytes: 0 };
    await inParallel(ids, atOnce, async (id) => {
      const { Attributes } = await client.send(
        new DeleteCommand({ TableName, Key: keyOfEntry(id), ReturnValues: 'ALL_OLD' }),
      );
      if (!Attributes) return;
      gone.entries++;
      gone.bytes += sizeOf(Attributes);
    });
    return gone;
  };

  /** Drops the oldest entries: those that are too old, and those beyond the limit of bytes. */
  const tidy = async (total: number) => {
    const tooOld = clock() - Math.min(quarantineBounds.days, keepEventsDays) * dayMs;
    for (let bytes = total; ; ) {
      const all = listedBefore(TableName, list, { time: Number.MAX_VALUE, id: '' });
      const rows = await queryAll(client, { ...all, ScanIndexForward: true }, rowsAtOnce);
      let over = bytes - mostBytes;
      const going = rows.filter((row) => {
        const goes = over > 0 || readSortKey(String(row.at)).time < tooOld;
        if (goes) over -= sizeOf(row);
        return goes;
      });
      if (going.length === 0) return;
      const wanting = bytes > mostBytes;
      const gone = await remove(going.map(({ pk }) => String(pk).slice('quarantine '.length)));
      bytes = await count({
        ...{ entries: -gone.entries, bytes: -gone.bytes },
        ...(wanting ? { dropped: gone.entries } : {}),
      });
      if (going.length < rows.length) return;
    }
  };

  return {
    async quarantine(all) {
      const sealing = new Map<string, Promise<Uint8Array>>();
      const keyOf = (time: number) => {
        const name = quarantineKeyName(time);
        const key = sealing.get(name) ?? keys.of(name, (now) => quarantineKeyExpiry(time, now));
        sealing.set(name, key);
        return key;
      };
      const put = { entries: 0, bytes: 0 };
      await inParallel(all, atOnce, async (entry) => {
        const doc = await sealEntry(entry, await keyOf(entry.time));
        const Item = { ...keyOfEntry(entry.id), list, at: sortKeyOf(entry), time: entry.time, doc };
        if (await putNew(client, { TableName, Item })) return;
        put.entries++;
        put.bytes += sizeOf(Item);
      });
      if (put.entries === 0) return;
      const bytes = await count(put);
      const now = clock();
      if (bytes <= mostBytes && Math.abs(now - agedAt) < agedEveryMs) return;
      agedAt = now;
      await tidy(bytes);
    },
    async quarantined({ cursor, limit }) {
      return shortPage(entries(readCursor(cursor)), limit, quarantineBounds.pageBytes);
    },
    async quarantineState() {
      const { Item = {} } = await client.send(new GetCommand({ TableName, Key: totalsKey }));
      return {
        // Entries of an older version are not counted, but are dropped too.
        ...{ entries: Math.max(0, Number(Item.entries ?? 0)), bytes: Math.max(0, Number(Item.bytes ?? 0)) },
        dropped: Number(Item.dropped ?? 0),
        ...(Item.droppedAt === undefined ? {} : { droppedAt: Number(Item.droppedAt) }),
      };
    },
    async release(ids) {
      const gone = await remove([...new Set(ids)]);
      if (gone.entries > 0) await count({ entries: -gone.entries, bytes: -gone.bytes });
    },
    async forget(user) {
      const naming: string[] = [];
      for await (const entry of entries(readCursor())) if (namesPerson(entry, user)) naming.push(entry.id);
      const gone = await remove(naming);
      if (gone.entries > 0) await count({ entries: -gone.entries, bytes: -gone.bytes });
      return gone.entries;
    },
  };
}

const sizeOf = ({ doc }: Row) => (typeof doc === 'string' ? doc.length : (doc as Uint8Array).length);
