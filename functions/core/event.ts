// What flows: the lines of a stream record, and what is kept of them.
// A stream record is newline-delimited JSON, one HitLine or RegistryLine a line, at most 1 MiB.
import { withoutAddresses } from './registry/quarantine.ts';

/** One visit of the portal, as collect streams it. `address` is used for one look-up and dropped by process. */
export interface HitLine {
  type: 'hit';
  /** Milliseconds since the epoch, UTC. */
  time: number;
  /** The visitor's IPv4 or IPv6 address, without port. */
  address: string;
  /** Lower-case host name, at most 253 letters. */
  domain: string;
  /** What was done; `view` unless the sender says otherwise. */
  action: string;
  /** Given by senders that retry: the same id within an hour counts once. */
  id?: string;
}

/** One registry notification, normalised once by collect. */
export interface RegistryLine {
  type: 'registry';
  /** Milliseconds since the epoch when collect took it. */
  receivedAt: number;
  event: RegistryEvent;
}

/** What collect could not understand; process sets it aside in its turn, so that collect needs no store but the stream. */
export interface RejectedLine {
  type: 'rejected';
  receivedAt: number;
  reason: string;
  /** The text, addresses masked, cut at 64 KiB. */
  body: string;
}

export type Action = 'pull' | 'push' | 'delete' | 'mount';

/** A registry event normalised at the edge, whichever registry sent it. */
export interface RegistryEvent {
  /** The registry's own id: the same at every redelivery. */
  id: string;
  /** Milliseconds since the epoch; the fraction keeps the registry's microseconds. */
  time: number;
  action: Action;
  /** `manifest` counts; `blob` is a layer or config; `other` is a delete, which has no media type. */
  kind: 'manifest' | 'blob' | 'other';
  method: string;
  repository: string;
  tag?: string;
  digest?: string;
  mediaType?: string;
  /** Digests the manifest names, when the registry includes references. */
  references?: string[];
  /** Media types of those references: they tell a signature or chart from an image. */
  referenceTypes?: string[];
  /** Digest of the manifest that this one signs or describes, when the registry says so. */
  subject?: string;
  /** Bytes of the layers and the config that the manifest names, when the registry says so. */
  size?: number;
  /** '' when the registry knows no actor. */
  user: string;
  /** What kind of account the registry says it is (GitLab: `build` is a CI job); absent elsewhere. */
  userType?: string;
  userAgent: string;
  /** Client address without port; '' when the registry gives none. Never stored. */
  address: string;
  /** Registry instance or host that reported it. */
  source: string;
}

/** What kind of client a pull came from. */
export type PullClass = 'human' | 'ci' | 'cluster' | 'scanner' | 'mirror' | 'signature' | 'version-check';

/** Whose pulls teach the recommender, and are recommended: people's and clusters'. */
export const taughtClasses: PullClass[] = ['human', 'cluster'];

/** A registry event as stored: the address is gone, `places` tell addresses of one day apart. */
export interface StoredEvent extends Omit<RegistryEvent, 'address'> {
  /** Keyed digests of the address (one, or two near midnight UTC); equal in one means the same address. Empty: unknown. */
  places: string[];
  /** Two-letter country code, '' when unknown. */
  country: string;
  /** Client name from the user agent: `docker`, `skopeo`, … */
  client: string;
  class: PullClass;
  /** `shard:sequenceNumber:line` of the delivery that stored it first: tells a redelivery from a retry. */
  origin: string;
}

/** One person's one act, told from its 1-9 registry events. `id` is that of the event that opened it. */
export interface Pull {
  id: string;
  time: number;
  user: string;
  repository: string;
  tag?: string;
  digest?: string;
  class: PullClass;
  client: string;
  country: string;
  /** Distinct registry events that make up this pull. */
  events: number;
  /** Its source names neither client nor address: several acts may look like this one, or one like several. */
  uncertain?: true;
}

/** Something that could not be understood, set aside. Holds no address. */
export interface Quarantined {
  id: string;
  time: number;
  reason: string;
  /** Where it came from: `collect`, or `shard:sequenceNumber:line`. */
  position: string;
  /** The offending text with addresses removed, cut at 64 KiB. */
  body: string;
}

/**
 * Does what was set aside name a person? Their name anywhere in the body, or in what the reason quotes, counts if no letter,
 * digit or underscore touches it: to forget "an" must not take every text that holds "an" inside a word, and may take
 * one where it is a word of its own. What senders escape in JSON and URLs is read both ways, and a body that ends within
 * the name (it was cut) counts from three letters on.
 */
export function namesPerson({ body, reason }: Quarantined, user: string): boolean {
  const alone = (name: string) => new RegExp(`(?<![\\p{L}\\p{M}\\p{N}_])${name}(?![\\p{L}\\p{M}\\p{N}_])`, 'u');
  const literal = (text: string) => text.replace(/[\\^$.|?+*()[\]{}/]/g, '\\$&');
  const masked = withoutAddresses(user);
  const names = masked === '[address]' ? [user] : [user, masked];
  const whole = alone(`(?:${names.map(literal).join('|')})`);
  const quoted = reason.match(/"(?:[^"\\]|\\.)*"/g)?.join(' ') ?? '';
  const letters = [...user];
  const cut = (text: string) =>
    letters.some((_, count) => {
      const start = letters.slice(0, count).join('');
      return count >= 3 && text.endsWith(start) && !/[\p{L}\p{M}\p{N}_]$/u.test(text.slice(0, -start.length));
    });
  return [...readings(body), ...readings(quoted)].some((text) => whole.test(text)) || readings(body).some(cut);
}

/** A text as it came, with JSON's escapes resolved (twice where JSON holds JSON), and with those of URLs. */
function readings(text: string): string[] {
  const once = unescaped(text.replace(/\\(u[0-9a-f]{0,3})?$/i, ''));
  const url = text.replaceAll('+', ' ').replace(/(%[0-9a-f]{2})+/gi, (run) => {
    const bytes = run
      .slice(1)
      .split('%')
      .map((hex) => Number.parseInt(hex, 16));
    return new TextDecoder().decode(Uint8Array.from(bytes));
  });
  return [...new Set([text, once, unescaped(once), url])];
}

const escapes: Record<string, string> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };
const unescaped = (text: string): string =>
  text.replace(/\\(?:u([0-9a-f]{4})|(.))/gis, (_, code: string | undefined, letter: string) =>
    code ? String.fromCharCode(Number.parseInt(code, 16)) : (escapes[letter] ?? letter),
  );
