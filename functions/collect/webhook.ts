import { createHash } from 'node:crypto';
import { bearerOf, sameToken } from '#aws/bearer.ts';
import type { RegistryEvent, RegistryLine, RejectedLine } from '#core/event.ts';
import { normalise, setAsideText } from '#core/registry.ts';
import type { StreamRecord } from '#core/stores.ts';

/** Keeps a stream record well below Kinesis' 1 MiB, whatever one envelope holds. */
const recordBytes = 512 * 1024;

/** Does the header carry the token? */
export const authorized = (header: string | undefined, token: string): boolean =>
  sameToken(bearerOf(header) ?? '', token);

/** What a webhook body becomes: stream records, and how many events were taken, ignored and rejected. */
export interface Webhook {
  records: StreamRecord[];
  accepted: number;
  ignored: number;
  quarantined: number;
}

/** Never throws: what cannot be understood becomes a rejected line with a reason. */
export function readWebhook(text: string, now: number): Webhook {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch (cause) {
    return rejected(text, `the body is no JSON${placeOf(cause as Error)}`, now);
  }
  const { events, ignored, rejected: refused } = normalise(body, { receivedAt: now });
  const lines = new Map<string, string[]>();
  for (const event of events)
    add(lines, key(event), { type: 'registry', receivedAt: now, event } satisfies RegistryLine);
  for (const { reason, event } of refused)
    add(lines, 'rejected', rejectedLine(JSON.stringify(event) ?? 'undefined', reason, now));
  return { records: pack(lines), accepted: events.length, ignored, quarantined: refused.length };
}

/** Where JSON.parse stopped; the rest of its message quotes the body. */
function placeOf({ message }: Error): string {
  const letter = /at position (\d+)/.exec(message)?.[1];
  if (letter) return ` from letter ${letter} on`;
  return message === 'Unexpected end of JSON input' ? ': it ends too soon' : '';
}

/** A whole body that could not be read, set aside. */
export function rejected(text: string, reason: string, now: number): Webhook {
  const lines = new Map([['rejected', [JSON.stringify(rejectedLine(text, reason, now))]]]);
  return { records: pack(lines), accepted: 0, ignored: 0, quarantined: 1 };
}

function rejectedLine(text: string, reason: string, receivedAt: number): RejectedLine {
  return { type: 'rejected', receivedAt, reason, body: setAsideText(text) };
}

/** One person's events keep their order: they share a partition key. */
const key = (event: RegistryEvent) =>
  createHash('sha256')
    .update(event.user || event.address || event.repository)
    .digest('base64url')
    .slice(0, 16);

function add(lines: Map<string, string[]>, group: string, line: RegistryLine | RejectedLine) {
  const list = lines.get(group);
  if (list) list.push(JSON.stringify(line));
  else lines.set(group, [JSON.stringify(line)]);
}

function pack(lines: Map<string, string[]>): StreamRecord[] {
  const records: StreamRecord[] = [];
  for (const [group, list] of lines) {
    let chunk: string[] = [];
    let size = 0;
    const flush = () => {
      if (chunk.length > 0) records.push({ key: group, data: Buffer.from(chunk.join('\n')) });
      chunk = [];
      size = 0;
    };
    for (const line of list) {
      if (size + line.length > recordBytes) flush();
      chunk.push(line);
      size += Buffer.byteLength(line) + 1;
    }
    flush();
  }
  return records;
}
