// Docker Hub: https://docs.docker.com/docker-hub/repos/manage/webhooks/. Pushes only, without a digest.

import { accountName, type Fields, isObject, object, optionalText, text } from '../fields.ts';
import { eventLimits } from '../limits.ts';
import { contentId, type Dialect, manifestEvent, secondsOf, whole } from './dialect.ts';

export const dockerHub: Dialect = {
  name: 'docker hub',
  fits: ({ push_data, repository }) => isObject(push_data) && isObject(repository) && 'repo_name' in repository,
  items: whole,
  read: (item, { receivedAt }) => {
    const body = item as Fields;
    const [push, repository] = [object(body, 'push_data'), object(body, 'repository')];
    const name = text(repository, 'repo_name', eventLimits.name);
    const tag = optionalText(push, 'tag', eventLimits.tag);
    const user = accountName(push, 'pusher');
    const time = push.pushed_at === undefined ? receivedAt : secondsOf(push.pushed_at, 'pushed_at');
    // The rest of the body, such as stars and descriptions, may differ when it is sent again.
    const id = contentId('docker-hub', [name, tag, user, time]);
    return [manifestEvent({ id, time, action: 'push', repository: name, tag, user, source: 'docker hub' })];
  },
};
