import { createHash } from 'node:crypto';
import { packLines } from '#core/bytes/pack.ts';
import type { RegistryEvent, RegistryLine, RejectedLine } from '#core/event.ts';
import { structured } from '#core/registry/dialects/cloudevents.ts';
import { jsonOf } from '#core/registry/fields.ts';
import { defaultRegistry, eventOf, type Registry } from '#core/registry/name.ts';
import { normalise } from '#core/registry/normalise.ts';
import { quarantinedText } from '#core/registry/quarantine.ts';
import type { RefusalReason, StreamRecord } from '#core/stores.ts';
import { bearerOf } from '#http/bearer.ts';

/** Keeps a stored event below the 400 KB of a DynamoDB item. */
const eventBytes = 320 * 1024;

/** Returns a request header by its lower-case name. */
export type Header = (name: string) => string | undefined;

/**
 * The token that a request carries: `Authorization: Bearer TOKEN`, or, for registries that can't send that, the
 * password of the URL (Docker Hub, Quay and GitHub: https://whalewatch:TOKEN@…, sent as Basic) or Artifactory's secret.
 */
export function tokenOf(header: Header): string | undefined {
  const authorization = header('authorization');
  const basic = authorization?.match(/^Basic +(.+)$/i)?.[1];
  const password =
    basic &&
    Buffer.from(basic, 'base64')
      .toString('utf8')
      .replace(/^[^:]*:/, '');
  return bearerOf(authorization) ?? password ?? header('x-jfrog-event-auth');
}

/** The result of a webhook body: stream records, and how many events were accepted, ignored and quarantined. */
export interface Webhook {
  records: StreamRecord[];
  accepted: number;
  ignored: number;
  quarantined: number;
  /** Why part of the body was quarantined. */
  refused?: RefusalReason;
}

const unnamed: Registry = { name: defaultRegistry };
const noHeader: Header = () => undefined;

/** Never throws: what can't be understood becomes a line for the quarantine, with its reason. */
export function readWebhook(text: string, now: number, header = noHeader, registry = unnamed): Webhook {
  let body: unknown;
  try {
    body = structured(JSON.parse(text), header);
  } catch (cause) {
    return rejected(text, `the body is not JSON${placeOf(cause as Error)}`, now, 'not-json', registry);
  }
  const { events: read, ignored, rejected: refused } = normalise(body, { receivedAt: now, hosts: registry.hosts });
  const events = read.map((event) => eventOf(registry.name, event));
  const lines = new Map<string, string[]>();
  const quarantined = refused.map(({ reason, event }) => ({ reason, text: () => jsonOf(event) ?? text }));
  for (const event of events) {
    const line = JSON.stringify({ type: 'registry', receivedAt: now, event } satisfies RegistryLine);
    const bytes = Buffer.byteLength(line);
    if (bytes <= eventBytes) add(lines, key(event), line);
    else quarantined.push({ reason: `the event has ${bytes} bytes, more than ${eventBytes}`, text: () => line });
  }
  for (const { reason, text } of quarantined) add(lines, 'rejected', rejectedLine(text(), reason, now, registry));
  const accepted = events.length + refused.length - quarantined.length;
  const counts = { accepted, ignored, quarantined: quarantined.length };
  if (quarantined.length === 0) return { records: pack(lines), ...counts };
  const isForeign = refused.some(({ unknownHost }) => unknownHost);
  return { records: pack(lines), ...counts, refused: isForeign ? 'unknown-host' : 'not-understood' };
}

/** Where JSON.parse stopped. The rest of its message is dropped, because it quotes the body. */
function placeOf({ message }: Error): string {
  const character = /at position (\d+)/.exec(message)?.[1];
  if (character) return ` from character ${character} on`;
  return message === 'Unexpected end of JSON input' ? ': it ends too soon' : '';
}

/** A whole body that could not be read, for the quarantine. */
export function rejected(
  text: string,
  reason: string,
  now: number,
  refused: RefusalReason,
  registry = unnamed,
): Webhook {
  const lines = new Map([['rejected', [rejectedLine(text, reason, now, registry)]]]);
  return { records: pack(lines), accepted: 0, ignored: 0, quarantined: 1, refused };
}

function rejectedLine(text: string, reason: string, receivedAt: number, { name }: Registry): string {
  const line: RejectedLine = { type: 'rejected', receivedAt, reason, body: quarantinedText(text) };
  return JSON.stringify(name === defaultRegistry ? line : { ...line, registry: name });
}

/** One user's events share a partition key, so that they keep their order. */
const key = (event: RegistryEvent) =>
  createHash('sha256')
    .update(event.user || event.address || event.repository)
    .digest('base64url')
    .slice(0, 16);

function add(lines: Map<string, string[]>, group: string, line: string) {
  const list = lines.get(group);
  if (list) list.push(line);
  else lines.set(group, [line]);
}

const pack = (lines: Map<string, string[]>): StreamRecord[] =>
  [...lines].flatMap(([key, list]) => packLines(list).map((data) => ({ key, data })));
