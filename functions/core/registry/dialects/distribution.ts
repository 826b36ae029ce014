// https://distribution.github.io/distribution/about/notifications/. GitLab's registry is a fork that adds
// actor.user_type and the action `rename` (gitlab-org/container-registry notifications/event.go).

import type { RegistryEvent } from '../../event.ts';
import { addressOf } from '../address.ts';
import {
  accountName,
  type Fields,
  isAction,
  isObject,
  isShort,
  kindOf,
  Misread,
  object,
  optionalObject,
  optionalText,
  quote,
  text,
  timestamp,
} from '../fields.ts';
import { eventLimits } from '../limits.ts';
import { isManifest, mostReferences } from '../media-types.ts';
import type { Dialect } from './dialect.ts';

export const distribution: Dialect = {
  name: 'distribution',
  fits: (body) => Array.isArray(body.events),
  items: (body) => body.events as unknown[],
  read: readDistribution,
  // The host that the client asked for; `source` is often a container's name.
  hosts: (item) => {
    const { request, source } = item as Fields;
    const named = [isObject(request) && request.host, isObject(source) && source.addr];
    return named.filter((host) => typeof host === 'string');
  },
};

export function readDistribution(item: unknown): RegistryEvent[] {
  if (!isObject(item)) throw new Misread(`event is ${kindOf(item)}, not an object`);
  const action = text(item, 'action');
  if (action === 'rename') return [];
  if (!isAction(action)) throw new Misread(`action is ${quote(action)}: must be pull, push, delete or mount`);
  const target = object(item, 'target');
  const request = optionalObject(item, 'request');
  const actor = optionalObject(item, 'actor');
  const source = optionalObject(item, 'source');
  const mediaType = optionalText(target, 'mediaType', eventLimits.name);
  const kind = action === 'delete' ? 'other' : isManifestTarget(target, mediaType) ? 'manifest' : 'blob';
  const event: RegistryEvent = {
    id: text(item, 'id', eventLimits.id),
    time: timestamp(item.timestamp, 'timestamp'),
    action,
    kind,
    method: optionalText(request, 'method', 16) ?? '',
    repository: text(target, 'repository', eventLimits.name),
    user: accountName(actor, 'name'),
    // Clients may write anything here; a truncated user agent still distinguishes clients.
    userAgent: (optionalText(request, 'useragent', Number.POSITIVE_INFINITY) ?? '').slice(0, 512),
    address: addressOf(request.addr),
    source: (
      optionalText(source, 'addr', eventLimits.name) ??
      optionalText(request, 'host', eventLimits.name) ??
      ''
    ).slice(0, eventLimits.name),
  };
  const tag = optionalText(target, 'tag', eventLimits.tag);
  const digest = optionalText(target, 'digest', eventLimits.name);
  const userType = optionalText(actor, 'user_type', eventLimits.word);
  if (tag) event.tag = tag;
  if (digest) event.digest = digest;
  if (mediaType) event.mediaType = mediaType;
  if (userType) event.userType = userType;
  if (kind === 'manifest') {
    Object.assign(event, referencesOf(target.references));
    const subject = optionalText(optionalObject(target, 'subject'), 'digest', eventLimits.name);
    if (subject) event.subject = subject;
  }
  if (kind === 'blob' || action === 'mount') return [];
  return [event];
}

/** Without a media type, the URL shows what was requested; a blob never has a tag. */
function isManifestTarget(target: Fields, mediaType?: string): boolean {
  if (mediaType) return isManifest(mediaType);
  return /\/manifests\/[^/]*$/.test(optionalText(target, 'url', eventLimits.text) ?? '') || Boolean(target.tag);
}

/**
 * Of a manifest's references only manifests are kept, by digest: the pull rule needs no others, and layers would be
 * most of what is stored. Media types are kept of all, once each. An index usually has a dozen platforms; if it has
 * thousands, only the first are kept, so that an event fits into an item of DynamoDB (400 KB).
 */
export function referencesOf(references: unknown): Pick<RegistryEvent, 'references' | 'referenceTypes' | 'size'> {
  if (references === undefined || references === null) return {};
  if (!Array.isArray(references)) throw new Misread(`target.references is ${kindOf(references)}, not an array`);
  if (references.length === 0) return {};
  const named = references.filter(isObject);
  const types = named.map((reference) => reference.mediaType).filter(isShort);
  const blobs = named.filter((reference) => !isManifest(reference.mediaType));
  const size = blobs.reduce((sum, { size }) => sum + (isSize(size) ? size : 0), 0);
  return {
    ...(size > 0 ? { size } : {}),
    references: named
      .filter((reference) => isManifest(reference.mediaType))
      .map((reference) => reference.digest)
      .filter(isShort)
      .slice(0, mostReferences),
    referenceTypes: [...new Set(types)].sort().slice(0, mostReferenceTypes),
  };
}

const mostReferenceTypes = 100;
const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
