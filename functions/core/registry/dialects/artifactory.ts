// JFrog Artifactory, events of the domain `docker`:
// https://jfrog.com/help/r/jfrog-platform-administration-documentation, "Docker webhook payloads". They report no
// pulls, time or id. A repository is REPO_KEY/IMAGE, as in a pull.

import { accountName, type Fields, isObject, object, optionalObject, optionalText, quote, text } from '../fields.ts';
import { eventLimits } from '../limits.ts';
import { actionOf, contentId, type Dialect, manifestEvent, whole } from './dialect.ts';

export const artifactory: Dialect = {
  name: 'artifactory',
  fits: ({ domain, event_type, data }) =>
    typeof domain === 'string' && typeof event_type === 'string' && isObject(data),
  items: whole,
  read: (item, { receivedAt }) => {
    const body = item as Fields;
    // Other webhooks of the platform: artifacts, builds, release bundles.
    if (text(body, 'domain') !== 'docker') return [];
    const type = text(body, 'event_type');
    // A promotion is followed by its own push event, so it is ignored here.
    const types = { pushed: 'push', deleted: 'delete', promoted: 'ignored' } as const;
    const action = actionOf(types, type, `event_type ${quote(type)}`);
    if (!action) return [];
    const data = object(body, 'data');
    const sha256 = optionalText(data, 'sha256', eventLimits.word);
    const context = optionalObject(body, 'userContext');
    return [
      manifestEvent({
        // A tag that is pushed, deleted and pushed again gives the same body, so every delivery counts, even a repeated
        // one.
        id: contentId('artifactory', body, receivedAt),
        time: receivedAt,
        action,
        repository: [optionalText(data, 'repo_key', eventLimits.name), text(data, 'image_name', eventLimits.name)]
          .filter(Boolean)
          .join('/'),
        tag: optionalText(data, 'tag', eventLimits.tag),
        digest: sha256 && `sha256:${sha256}`,
        // `source` is jfrog/NAME.
        user: accountName(context, 'id') || accountName(body, 'source').replace(/^[^/]*\//, ''),
        source: /^https?:\/\/([^/]+)/.exec(optionalText(body, 'jpd_origin', 2048) ?? '')?.[1] ?? '',
      }),
    ];
  },
};
