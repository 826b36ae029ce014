import { readWebhook } from '#collect/webhook.ts';
import { type LineSink, parseLines } from '#core/hits/hit.ts';
import { defaultRegistry, type Registry } from '#core/registry/name.ts';
import type { EventStore, StreamRecord, StreamWriter } from '#core/stores.ts';

export interface ReplayOptions {
  events: Pick<EventStore, 'quarantined' | 'release'>;
  stream: StreamWriter;
  clock: () => number;
  registries: Registry[];
}

/**
 * Puts every quarantined entry that is understood now into the stream, then releases it: a crash between the two
 * replays an entry twice, which its ids make harmless. Returns how many were released and, by reason, how many stay.
 */
export async function replayed({ events, stream, clock, registries }: ReplayOptions) {
  let released = 0;
  const kept = new Map<string, number>();
  let cursor: string | undefined;
  do {
    const page = await events.quarantined({ cursor, limit: 500 });
    const understood = page.items.map(({ id, reason, body, registry: name = defaultRegistry }) => ({
      id,
      reason,
      records: recordsOf(id, body, clock(), registries.find((registry) => registry.name === name) ?? { name }),
    }));
    const going = understood.filter(({ records }) => records);
    await stream.put(going.flatMap(({ records }) => records ?? []));
    await events.release(going.map(({ id }) => id));
    released += going.length;
    for (const { records, reason } of understood) if (!records) kept.set(reason, (kept.get(reason) ?? 0) + 1);
    cursor = page.cursor;
  } while (cursor);
  return { released, kept };
}

/** Stream records of a quarantined line, webhook body or single event; undefined if it is still not understood. */
function recordsOf(id: string, body: string, now: number, registry: Registry): StreamRecord[] | undefined {
  const line = lineOf(id, body);
  if (line) return [{ key: id, data: Buffer.from(line) }];
  for (const text of [body, `{"events":[${body}]}`]) {
    const { records, quarantined } = readWebhook(text, now, undefined, registry);
    if (quarantined === 0) return records;
  }
}

/** The body itself if process understands it as a line; a hit gets an id, so that it counts once. */
function lineOf(id: string, body: string): string | undefined {
  let line: string | undefined;
  const sink: LineSink = {
    hit: (hit) => {
      line = JSON.stringify({ ...hit, id: hit.id ?? `replay-${id}` });
    },
    other: (other) => {
      if (other.type === 'registry') line = body;
    },
    bad: () => {},
  };
  parseLines(Buffer.from(body.replaceAll('\n', ' ')), sink);
  return line;
}
