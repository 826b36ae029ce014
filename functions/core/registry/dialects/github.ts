// GitHub Packages: https://docs.github.com/webhooks/webhook-events-and-payloads, `registry_package` and the older
// `package`. They report published and updated versions, but no downloads. A `ping` has `zen` and `hook`.

import {
  accountName,
  type Fields,
  isObject,
  object,
  optionalObject,
  optionalText,
  quote,
  text,
  timestamp,
} from '../fields.ts';
import { eventLimits } from '../limits.ts';
import { actionOf, contentId, type Dialect, manifestEvent, whole } from './dialect.ts';

export const github: Dialect = {
  name: 'github',
  fits: (body) =>
    isObject(body.registry_package) ||
    (isObject(body.package) && 'package_type' in body.package) ||
    ('zen' in body && 'hook' in body),
  items: whole,
  read: (item, { receivedAt }) => {
    const body = item as Fields;
    if ('zen' in body) return [];
    const type = text(body, 'action');
    const action = actionOf({ published: 'push', updated: 'push' }, type, `action ${quote(type)}`)!;
    const found = object(body, isObject(body.registry_package) ? 'registry_package' : 'package');
    // npm, Maven and other packages come the same way; `docker` is the registry before ghcr.io.
    if (!/^(container|docker)$/i.test(text(found, 'package_type', eventLimits.word))) return [];
    const version = object(found, 'package_version');
    const container = optionalObject(version, 'container_metadata');
    const [tag, manifest] = [optionalObject(container, 'tag'), optionalObject(container, 'manifest')];
    const owner =
      optionalText(found, 'namespace', eventLimits.name) ??
      optionalText(optionalObject(found, 'owner'), 'login', eventLimits.name);
    const name = text(found, 'name', eventLimits.name);
    const time = version.updated_at ?? version.created_at ?? found.updated_at;
    const named = optionalText(version, 'version', eventLimits.name);
    return [
      manifestEvent({
        // A redelivery has the same body.
        id: contentId('github', body),
        time: time === undefined || time === null ? receivedAt : timestamp(time, 'package_version.updated_at'),
        action,
        repository: owner ? `${owner}/${name}` : name,
        tag: optionalText(tag, 'name', eventLimits.tag),
        digest:
          optionalText(manifest, 'digest', eventLimits.name) ??
          optionalText(tag, 'digest', eventLimits.name) ??
          (named?.includes(':') ? named : undefined),
        mediaType: optionalText(manifest, 'media_type', eventLimits.name),
        user: accountName(optionalObject(body, 'sender'), 'login'),
        source: (optionalText(version, 'package_url', 2048) ?? '').split('/', 1)[0] || 'github',
      }),
    ];
  },
};
