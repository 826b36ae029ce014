// The captured registry traffic, and its events as process stores them.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RegistryEvent, StoredEvent } from '#core/event.ts';
import { classifier, clientOf } from '#core/registry/classify.ts';
import { normalise } from '#core/registry/normalise.ts';

export interface Captured {
  label: string;
  receivedAt: string;
  /** How the receiver responded during the capture: `ok`, or a failure, after which the registry repeats. */
  answered: string | number;
  headers: [string, string][];
  body: string;
}

export const fixtures = join(import.meta.dirname, '../fixtures/registry');
export const captures = ['distribution-2.8', 'distribution-2.8-noauth', 'distribution-3'].map(
  (name) => `${name}.ndjson`,
);

export function readFixture(name: string) {
  return JSON.parse(readFileSync(join(fixtures, name), 'utf8'));
}

export function readCapture(name: string): Captured[] {
  return readFileSync(join(fixtures, name), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

const classOf = classifier();

/** Addresses serve as their own digests here: tests look at addresses, stores never do. */
export function stored({ address, ...event }: RegistryEvent): StoredEvent {
  return {
    ...event,
    addressDigests: address ? [address] : [],
    country: '',
    client: clientOf(event.userAgent),
    class: classOf(event),
    origin: '',
  };
}

/** The distinct events of these posts. */
export function eventsOf(posts: Pick<Captured, 'body'>[]): StoredEvent[] {
  const byId = new Map<string, StoredEvent>();
  for (const { body } of posts)
    for (const event of normalise(JSON.parse(body), { receivedAt: 0 }).events) byId.set(event.id, stored(event));
  return [...byId.values()];
}

/** Events grouped by user and repository, as the pull rule needs them. */
export function byPersonAndRepository(events: StoredEvent[]): StoredEvent[][] {
  return [...Map.groupBy(events, ({ user, repository }) => JSON.stringify([user, repository])).values()];
}
