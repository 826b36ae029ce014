// Registry notifications, whoever sent them, normalised once at the edge.
// An adapter is chosen by the shape of the body, not by its Content-Type: Distribution 2.8 says v1 and 3 says v2 for the
// same body, and proxies rewrite the header. Forms: https://distribution.github.io/distribution/about/notifications/,
// Harbor's webhook payloads (Default and CloudEvents), GitLab's registry (a fork of Distribution).
import type { Action, RegistryEvent } from '../event.ts';

export interface RegistryContext {
  /** Milliseconds since the epoch; the time of a notification that names none. */
  receivedAt: number;
}

export interface Normalised {
  events: RegistryEvent[];
  /** Understood, but nothing to keep: blobs, mounts, scan reports. */
  ignored: number;
  /** Not understood. `reason` names the field and never holds a person or an address; `event` is verbatim. */
  rejected: { reason: string; event: unknown }[];
}

/** Parsed JSON to events; never throws. */
export function normalise(body: unknown, context: RegistryContext): Normalised {
  const result: Normalised = { events: [], ignored: 0, rejected: [] };
  const adapter = isObject(body) ? adapters.find(({ fits }) => fits(body)) : undefined;
  if (!adapter) {
    result.rejected.push({ reason: misfit(body), event: body });
    return result;
  }
  const items = adapter.items(body as Fields);
  if (items.length > mostItems) {
    const reason = `${adapter.name}: ${items.length} events in one body, more than ${mostItems}`;
    result.rejected.push({ reason, event: body });
    return result;
  }
  for (const item of items) {
    try {
      const events = adapter.read(item, context);
      for (const event of events) result.events.push(event);
      if (events.length === 0) result.ignored++;
    } catch (error) {
      if (!(error instanceof Misread)) throw error;
      result.rejected.push({ reason: `${adapter.name}: ${error.message}`, event: item });
    }
  }
  return result;
}

/** More than fit in the 4 MiB that collect reads, if each is an event. */
const mostItems = 20_000;

// --- adapters -------------------------------------------------------------------------------------------------------

interface Adapter {
  name: string;
  fits(body: Fields): boolean;
  /** The notifications in one body. */
  items(body: Fields): unknown[];
  /** Events of one notification, none when there is nothing to keep; throws Misread. */
  read(item: unknown, context: RegistryContext): RegistryEvent[];
}

type Fields = Record<string, unknown>;

const adapters: Adapter[] = [
  {
    name: 'distribution',
    fits: (body) => Array.isArray(body.events),
    items: (body) => body.events as unknown[],
    read: readDistribution,
  },
  {
    name: 'harbor cloudevents',
    fits: ({ specversion, type }) =>
      typeof specversion === 'string' && typeof type === 'string' && type.startsWith('harbor.'),
    items: (body) => [body],
    read: (item, context) => {
      const body = item as Fields;
      const action = harborCloudEvents[text(body, 'type')];
      if (!action) return [];
      return readHarbor(action, body, object(body, 'data'), {
        id: text(body, 'id', 256),
        time: body.time === undefined ? context.receivedAt : timestamp(body.time, 'time'),
      });
    },
  },
  {
    name: 'harbor',
    fits: (body) => typeof body.type === 'string' && 'event_data' in body,
    items: (body) => [body],
    read: (item, context) => {
      const body = item as Fields;
      const type = text(body, 'type');
      const action = harborDefault[type];
      if (!action) {
        if (harborOther.test(type)) return [];
        throw new Misread(`type ${quote(type)} is unknown`);
      }
      const seconds = body.occur_at;
      if (seconds !== undefined && !(typeof seconds === 'number' && isTime(seconds * 1000)))
        throw new Misread('occur_at is not a number of seconds since 1970');
      const json = jsonOf(body);
      if (json === undefined) throw new Misread('it is nested too deep');
      // The Default form has no id. Its job service repeats a failed post verbatim, so the content serves as one;
      // two like pulls by one person within a second can't be told apart.
      return readHarbor(action, body, object(body, 'event_data'), {
        id: `harbor-${contentHash(json)}`,
        time: seconds === undefined ? context.receivedAt : seconds * 1000,
      });
    },
  },
];

function readDistribution(item: unknown): RegistryEvent[] {
  if (!isObject(item)) throw new Misread(`event is ${kindOf(item)}, not an object`);
  const action = text(item, 'action');
  if (!isAction(action)) throw new Misread(`action ${quote(action)} is none of pull, push, delete, mount`);
  const target = object(item, 'target');
  const request = optionalObject(item, 'request');
  const actor = optionalObject(item, 'actor');
  const source = optionalObject(item, 'source');
  const mediaType = optionalText(target, 'mediaType', 255);
  const kind = action === 'delete' ? 'other' : isManifest(mediaType) ? 'manifest' : 'blob';
  const event: RegistryEvent = {
    id: text(item, 'id', 256),
    time: timestamp(item.timestamp, 'timestamp'),
    action,
    kind,
    method: optionalText(request, 'method', 16) ?? '',
    repository: text(target, 'repository', 255),
    user: optionalText(actor, 'name', 255) ?? '',
    // Clients write what they like here; a cut one still tells clients apart.
    userAgent: (optionalText(request, 'useragent', Number.POSITIVE_INFINITY) ?? '').slice(0, 512),
    address: addressOf(request.addr),
    source: (optionalText(source, 'addr', 255) ?? optionalText(request, 'host', 255) ?? '').slice(0, 255),
  };
  const tag = optionalText(target, 'tag', 128);
  const digest = optionalText(target, 'digest', 255);
  const userType = optionalText(actor, 'user_type', 64);
  if (tag) event.tag = tag;
  if (digest) event.digest = digest;
  if (mediaType) event.mediaType = mediaType;
  if (userType) event.userType = userType;
  if (kind === 'manifest') Object.assign(event, referencesOf(target.references));
  if (kind === 'blob' || action === 'mount') return [];
  return [event];
}

/**
 * Only manifests that a manifest names are kept by digest: the pull rule asks for no others, and layers would be most of
 * what is stored. Types are kept of all, once each. An index has a dozen platforms; of one with thousands the first are
 * kept, so that an event fits in an item of DynamoDB (400 KB).
 */
function referencesOf(references: unknown): Pick<RegistryEvent, 'references' | 'referenceTypes'> {
  if (references === undefined || references === null) return {};
  if (!Array.isArray(references)) throw new Misread(`target.references is ${kindOf(references)}, not an array`);
  if (references.length === 0) return {};
  const named = references.filter(isObject);
  const types = named.map((reference) => reference.mediaType).filter(isShort);
  return {
    references: named
      .filter((reference) => isManifest(reference.mediaType))
      .map((reference) => reference.digest)
      .filter(isShort)
      .slice(0, mostReferences),
    referenceTypes: [...new Set(types)].sort().slice(0, mostReferenceTypes),
  };
}

const mostReferences = 2000;
const mostReferenceTypes = 100;
/** As long as target.mediaType and target.digest may be. */
const isShort = (value: unknown): value is string => typeof value === 'string' && value.length <= 255;

// https://goharbor.io/docs/main/working-with-projects/project-configuration/configure-webhooks/
const harborDefault: Partial<Record<string, Action>> = {
  PUSH_ARTIFACT: 'push',
  PULL_ARTIFACT: 'pull',
  DELETE_ARTIFACT: 'delete',
};
const harborOther = /^(SCANNING_\w+|QUOTA_\w+|REPLICATION|TAG_RETENTION)$/;
const harborCloudEvents: Partial<Record<string, Action>> = {
  'harbor.artifact.pushed': 'push',
  'harbor.artifact.pulled': 'pull',
  'harbor.artifact.deleted': 'delete',
};
const harborMethods = { push: 'PUT', pull: 'GET', delete: 'DELETE', mount: 'POST' };

/** Why a stream line's event is none of ours; undefined when it is. Process asks this, since the stream is shared. */
export function registryEventMisfit(event: unknown): string | undefined {
  if (!isObject(event)) return `registry: event is ${kindOf(event)}, not an object`;
  const { time, action, kind, references, referenceTypes } = event;
  for (const name of ['id', 'method', 'repository', 'user', 'userAgent', 'address', 'source'])
    if (typeof event[name] !== 'string') return `registry: ${name} is ${kindOf(event[name])}, not a string`;
  for (const name of ['tag', 'digest', 'mediaType', 'userType'])
    if (event[name] !== undefined && typeof event[name] !== 'string') return `registry: ${name} is not a string`;
  for (const list of [references, referenceTypes])
    if (list !== undefined && !(Array.isArray(list) && list.every((item) => typeof item === 'string')))
      return 'registry: references are not a list of strings';
  if (event.id === '' || event.repository === '') return 'registry: id or repository is empty';
  if (!isTime(time)) return 'registry: time is no number of milliseconds since 1970';
  if (typeof action !== 'string' || !isAction(action)) return 'registry: action is unknown';
  return kind === 'manifest' || kind === 'blob' || kind === 'other' ? undefined : 'registry: kind is unknown';
}

/** Harbor tells of one or a few at a time. */
const mostResources = 1000;

function readHarbor(action: Action, body: Fields, data: Fields, { id, time }: { id: string; time: number }) {
  const { resources } = data;
  if (!Array.isArray(resources) || resources.length === 0) throw new Misread('resources is not a list of artifacts');
  if (resources.length > mostResources)
    throw new Misread(`resources has ${resources.length} artifacts, more than ${mostResources}`);
  const repository = text(object(data, 'repository'), 'repo_full_name', 255);
  return resources.map((resource: unknown, index): RegistryEvent => {
    if (!isObject(resource)) throw new Misread(`resources[${index}] is ${kindOf(resource)}, not an object`);
    const tag = optionalText(resource, 'tag', 255);
    const digest = optionalText(resource, 'digest', 255);
    const event: RegistryEvent = {
      id: index === 0 ? id : `${id}:${index}`,
      time,
      action,
      kind: action === 'delete' ? 'other' : 'manifest',
      method: harborMethods[action],
      repository,
      user: optionalText(body, 'operator', 255) ?? '',
      userAgent: '',
      address: '',
      source: (optionalText(resource, 'resource_url', 2048) ?? '').split('/', 1)[0],
    };
    // docker asks by digest after a HEAD that Harbor does not report: such a pull has its digest for a tag.
    if (tag && !tag.includes(':')) event.tag = tag;
    if (digest) event.digest = digest;
    return event;
  });
}

/** Distribution's own split: every other media type is a blob's. */
export function isManifest(mediaType: unknown): boolean {
  return typeof mediaType === 'string' && (mediaType.includes('manifest') || mediaType.includes('image.index'));
}

// --- addresses ------------------------------------------------------------------------------------------------------

const v4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/;

function isV6(text: string): boolean {
  const groups = text.replace(/(?<=:)\d+\.\d+\.\d+\.\d+$/, (last) => (v4.test(last) ? '0:0' : last));
  const [head, tail, ...more] = groups.split('::');
  const count = [head, tail ?? ''].join(':').split(':').filter(Boolean).length;
  const sound = /^[0-9a-f]{1,4}(:[0-9a-f]{1,4})*$/i;
  if (more.length > 0 || ![head, tail ?? ''].every((half) => half === '' || sound.test(half))) return false;
  return tail === undefined ? count === 8 : count < 8;
}

/** The IP address of `ip:port`, `[v6]:port` or a bare address; '' when there is none. */
export function addressOf(addr: unknown): string {
  if (typeof addr !== 'string') return '';
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(addr);
  const bare = bracketed ? bracketed[1] : addr.replace(/^([^:]+):\d+$/, '$1');
  const address = bare.split('%', 1)[0].replace(/^::ffff:(?=\d+\.)/i, '');
  if (v4.test(address)) return address;
  return isV6(address) ? address.toLowerCase() : '';
}

// What may be part of an address: hexadecimal letters and colons (also as URLs and JSON escape them), and four numbers
// with dots. Neither pattern can fail after it has taken anything but a few letters, so each reads a text once.
const fourNumbers = /\d{1,3}(?:\.\d{1,3}){3}(?:\.\d{1,3})*/g;
const addressRun = new RegExp(`(?:${fourNumbers.source}|[0-9a-f:]|%3a|\\\\u003a)+`, 'gi');
/** As host names have it: ec2-203-0-113-25. */
const dashedAddress = /\d{1,3}(?:-\d{1,3}){3,}/g;
const mask = '[address]';

/**
 * Text with every IP address in it replaced, for what is set aside. Errs on the side of masking: whatever stands around an
 * address, and four-part versions, may go with it; times, digests, versions of three parts and ports stay.
 */
export function withoutAddresses(text: string): string {
  return text.replace(dashedAddress, mask).replace(addressRun, (run) => {
    const plain = run.replace(/%3a|\\u003a/gi, ':');
    const numbers = plain.includes('.');
    // IPv6 has eight groups, of which an IPv4 address ends two, or '::' for some of them.
    const colons = plain.split(':').length - 1;
    if (plain.includes('::') || colons >= (numbers ? 6 : 7)) return mask;
    return numbers ? run.replace(fourNumbers, mask) : run;
  });
}

/** Letters of what is set aside that are kept. */
const bodyLetters = 64 * 1024;
/** No address is longer, however it is escaped. */
const addressLetters = 128;

/** The text of what is set aside: addresses masked, cut at 64 KiB, and not within an address. */
export function setAsideText(text: string): string {
  if (text.length <= bodyLetters) return withoutAddresses(text).slice(0, bodyLetters);
  let end = bodyLetters;
  while (end > bodyLetters - addressLetters && /[\w.:%\\-]/.test(text[end - 1])) end--;
  return withoutAddresses(text.slice(0, end)).slice(0, bodyLetters);
}

// --- reading fields -------------------------------------------------------------------------------------------------

class Misread extends Error {}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isAction(value: string): value is Action {
  return value === 'pull' || value === 'push' || value === 'delete' || value === 'mount';
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : value === undefined ? 'missing' : typeof value;
}

/** JSON of something parsed. V8 parses any depth, but writes only some thousand levels. */
/** JSON of something parsed, undefined when it is nested too deep: V8 parses any depth, but writes only some thousand levels. */
export function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    if (cause instanceof RangeError) return undefined;
    throw cause;
  }
}

/** A short value for a reason; only for fields that hold no person. */
function quote(value: string): string {
  const clean = withoutAddresses(value.slice(0, 200));
  return JSON.stringify(clean.length > 40 ? `${clean.slice(0, 40)}…` : clean);
}

function object(from: Fields, name: string): Fields {
  const value = from[name];
  if (!isObject(value)) throw new Misread(`${name} is ${kindOf(value)}, not an object`);
  return value;
}

function optionalObject(from: Fields, name: string): Fields {
  return from[name] === undefined || from[name] === null ? {} : object(from, name);
}

function text(from: Fields, name: string, longest = 4096): string {
  const value = from[name];
  if (typeof value !== 'string') throw new Misread(`${name} is ${kindOf(value)}, not a string`);
  if (value === '') throw new Misread(`${name} is empty`);
  if (value.length > longest) throw new Misread(`${name} has ${value.length} characters, more than ${longest}`);
  return value.toWellFormed();
}

function optionalText(from: Fields, name: string, longest: number): string | undefined {
  const value = from[name];
  return value === undefined || value === null || value === '' ? undefined : text(from, name, longest);
}

/** Milliseconds of the years 1970 to 9999: every day of them has a name of ten letters. */
function isTime(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value < 253_402_300_800_000;
}

const rfc3339 = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})$/i;

/** RFC 3339 to milliseconds, microseconds kept as a fraction. A clock that is wrong still counts pulls. */
function timestamp(value: unknown, name: string): number {
  const parts = typeof value === 'string' ? rfc3339.exec(value) : null;
  const seconds = parts ? Date.parse(parts[1].toUpperCase() + parts[3].toUpperCase()) : Number.NaN;
  if (!parts || !isTime(seconds))
    throw new Misread(
      `${name} ${typeof value === 'string' ? quote(value) : `is ${kindOf(value)}`}, not an RFC 3339 time`,
    );
  return seconds + Number((parts[2] ?? '').padEnd(6, '0').slice(0, 6)) / 1000;
}

function misfit(body: unknown): string {
  if (!isObject(body)) return `body is ${kindOf(body)}, not a JSON object`;
  const names = Object.keys(body)
    .filter((name) => /^[\w-]{1,32}$/.test(name))
    .map(withoutAddresses)
    .slice(0, 8)
    .join(', ');
  return `neither a Distribution, GitLab nor Harbor notification: its fields are ${names || 'none'}`;
}

/** 128 bits of a text, as hex: two independent 64-bit FNV-1a sums over UTF-16 units. Tells contents apart, no secret. */
function contentHash(content: string): string {
  const prime = 0x100000001b3n;
  let [a, b] = [0xcbf29ce484222325n, 0x84222325cbf29ce4n];
  for (let index = 0; index < content.length; index++) {
    const unit = BigInt(content.charCodeAt(index));
    a = BigInt.asUintN(64, (a ^ unit) * prime);
    b = BigInt.asUintN(64, (b + unit) * prime) ^ (b >> 29n);
  }
  return a.toString(16).padStart(16, '0') + b.toString(16).padStart(16, '0');
}
