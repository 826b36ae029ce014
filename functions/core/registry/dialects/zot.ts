// zot's events extension, CloudEvents: project-zot/zot pkg/extensions/events. It reports no pulls. An update has the
// whole manifest.

import type { RegistryEvent } from '../../event.ts';
import { addressOf } from '../address.ts';
import {
  accountName,
  type Fields,
  isObject,
  isShort,
  jsonParsed,
  object,
  optionalObject,
  optionalText,
  quote,
  text,
  timestamp,
} from '../fields.ts';
import { eventLimits } from '../limits.ts';
import { actionOf, type Dialect, manifestEvent, referenceOf, whole } from './dialect.ts';
import { referencesOf } from './distribution.ts';

export const zot: Dialect = {
  name: 'zot',
  fits: ({ specversion, type }) =>
    typeof specversion === 'string' && typeof type === 'string' && type.startsWith('zotregistry.'),
  items: whole,
  read: (item, { receivedAt }) => {
    const body = item as Fields;
    const type = text(body, 'type');
    const action = actionOf(types, type, `type ${quote(type)}`);
    if (!action) return [];
    const data = object(body, 'data');
    const request = optionalObject(data, 'request');
    return [
      manifestEvent({
        id: text(body, 'id', eventLimits.id),
        time: body.time === undefined ? receivedAt : timestamp(body.time, 'time'),
        action,
        method: optionalText(request, 'method', 16),
        repository: text(data, 'name', eventLimits.name),
        ...referenceOf(optionalText(data, 'reference', eventLimits.name)),
        digest: optionalText(data, 'digest', eventLimits.name),
        mediaType: optionalText(data, 'mediaType', eventLimits.name),
        ...references(data.manifest),
        user: accountName(optionalObject(data, 'actor'), 'name'),
        userAgent: optionalText(request, 'useragent', Number.POSITIVE_INFINITY)?.slice(0, 512),
        address: addressOf(request.addr),
        source: optionalText(body, 'source', eventLimits.name),
      }),
    ];
  },
};

const types = {
  'zotregistry.image.updated': 'push',
  'zotregistry.image.deleted': 'delete',
  'zotregistry.repository.created': 'ignored',
  'zotregistry.image.lint_failed': 'ignored',
  'zotregistry.image.scanned': 'ignored',
} as const;

/** What the manifest references: an index's manifests, an image's configuration and layers, its subject. */
function references(text: unknown): Partial<RegistryEvent> {
  const manifest = typeof text === 'string' ? jsonParsed(text) : text;
  if (!isObject(manifest)) return {};
  const { manifests, config, layers, subject } = manifest;
  const named = [manifests, [config], layers].flatMap((list) => (Array.isArray(list) ? list : []));
  const described = isObject(subject) && isShort(subject.digest) ? { subject: subject.digest } : {};
  return { ...referencesOf(named.filter(isObject)), ...described };
}
