// Gitea (https://docs.gitea.com/usage/webhooks, modules/structs/hook.go, PackagePayload) and Forgejo: packages of every
// type, created and deleted. `version` is a tag or a digest.

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
import { actionOf, contentId, type Dialect, manifestEvent, referenceOf, whole } from './dialect.ts';

export const gitea: Dialect = {
  name: 'gitea',
  fits: (body) => isObject(body.package) && isObject(body.package.owner) && 'type' in body.package,
  items: whole,
  read: (item, { receivedAt }) => {
    const body = item as Fields;
    const found = object(body, 'package');
    if (text(found, 'type', eventLimits.word) !== 'container') return [];
    const type = text(body, 'action');
    const action = actionOf({ created: 'push', deleted: 'delete' }, type, `action ${quote(type)}`)!;
    const created = found.created_at;
    return [
      manifestEvent({
        id: contentId('gitea', body),
        // The `created_at` of a deleted package is when it was made.
        time: action === 'delete' || created === undefined ? receivedAt : timestamp(created, 'package.created_at'),
        action,
        repository: `${text(object(found, 'owner'), 'login', eventLimits.name)}/${text(found, 'name', eventLimits.name)}`,
        ...referenceOf(optionalText(found, 'version', eventLimits.name)),
        user: accountName(optionalObject(body, 'sender'), 'login'),
        source: /^https?:\/\/([^/]+)/.exec(optionalText(found, 'html_url', 2048) ?? '')?.[1] ?? '',
      }),
    ];
  },
};
