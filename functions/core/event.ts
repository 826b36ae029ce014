// The lines of a stream record, and what is stored of them. A stream record is newline-delimited JSON, one HitLine or
// RegistryLine a line, at most 1 MiB.

/** One hit, as collect puts it into the stream. Process looks `address` up once and drops it. */
export interface HitLine {
  type: 'hit';
  /** Milliseconds since the epoch, UTC. */
  time: number;
  /** The client's IPv4 or IPv6 address, without port. */
  address: string;
  /** Lower-case host name, at most 253 characters. */
  domain: string;
  /** What was done; `view` unless the sender says otherwise. */
  action: string;
  /** Set by senders that retry: hits with the same id within an hour count once. */
  id?: string;
}

/** One registry notification, normalised once by collect. */
export interface RegistryLine {
  type: 'registry';
  /** Milliseconds since the epoch when collect took it. */
  receivedAt: number;
  event: RegistryEvent;
}

/**
 * A body or item that collect could not understand. It goes through the stream, and process quarantines it, so that
 * collect needs no other store.
 */
export interface RejectedLine {
  type: 'rejected';
  receivedAt: number;
  reason: string;
  /** The text, addresses masked, cut at 64 KiB. */
  body: string;
  /** The named registry that sent it. */
  registry?: string;
}

/**
 * A notification as the registry wrote it, put into the stream without collect (EventBridge on AWS): process normalises
 * it.
 */
export interface NotificationLine {
  type: 'notification';
  body: unknown;
}

export type Action = 'pull' | 'push' | 'delete' | 'mount';

/** A normalised registry event, the same for every kind of registry. */
export interface RegistryEvent {
  /** The registry's own id: the same at every redelivery. */
  id: string;
  /** Milliseconds since the epoch; the fraction keeps the registry's microseconds. */
  time: number;
  action: Action;
  /** `manifest` counts; `blob` is a layer or config; `other` is a delete, which has no media type. */
  kind: 'manifest' | 'blob' | 'other';
  method: string;
  /** The registry's name for the repository; from collect on, for a named registry, its key (registry/name.ts). */
  repository: string;
  tag?: string;
  digest?: string;
  mediaType?: string;
  /** Digests the manifest names, when the registry includes references. */
  references?: string[];
  /** Media types of those references: they distinguish a signature or chart from an image. */
  referenceTypes?: string[];
  /** Digest of the manifest that this one signs or describes, when the registry says so. */
  subject?: string;
  /** Bytes of the layers and the config that the manifest names, when the registry says so. */
  size?: number;
  /** '' if the registry reports no actor. */
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

/** Classes of pulls that the recommender learns from. */
export const taughtClasses: PullClass[] = ['human', 'cluster'];

/** A registry event as stored: keyed per-day digests replace the IP address. */
export interface StoredEvent extends Omit<RegistryEvent, 'address'> {
  /**
   * Digests of the address: one, or two near midnight UTC. Events that share one have the same address. Empty: unknown.
   */
  addressDigests: string[];
  /** Two-letter country code, '' when unknown. */
  country: string;
  /** Client name from the user agent: `docker`, `skopeo`, … */
  client: string;
  class: PullClass;
  /** `shard:sequenceNumber:line` of the delivery that stored it first: distinguishes a redelivery from a retry. */
  origin: string;
}

/** Reads an event's stored JSON; before 0.2.0 its digests were called places. */
export function parseStoredEvent(json: string): StoredEvent {
  const { places, ...event } = JSON.parse(json) as StoredEvent & { places?: string[] };
  return places ? { ...event, addressDigests: places } : event;
}

/** One act of one user, derived from its 1-9 registry events. `id` is that of the first of them. */
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
  /** Its source reports neither client nor address: several acts may have become this pull, or one act several. */
  uncertain?: true;
}

/** A quarantined entry: text that could not be understood. Holds no IP address. */
export interface Quarantined {
  id: string;
  time: number;
  reason: string;
  /** Where it was found: `collect`, or `shard:sequenceNumber:line`. */
  position: string;
  /** The offending text with addresses removed, cut at 64 KiB. */
  body: string;
  /** The named registry that sent it. */
  registry?: string;
}
