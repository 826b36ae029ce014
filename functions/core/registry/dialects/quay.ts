// Quay: https://docs.redhat.com/documentation/red_hat_quay, "Repository notifications". A push names the repository and
// its tags: no user, time, digest or id. Builds, scans, mirrors and expiry have the same fields without `updated_tags`.

import { type Fields, isObject, isShort, kindOf, Misread, text } from '../fields.ts';
import { eventLimits } from '../limits.ts';
import { contentId, type Dialect, manifestEvent, whole } from './dialect.ts';

export const quay: Dialect = {
  name: 'quay',
  fits: ({ docker_url, repository, namespace }) => [docker_url, repository, namespace].every(isShort),
  items: whole,
  read: (item, { receivedAt }) => {
    const body = item as Fields;
    const tags = body.updated_tags;
    if (tags === undefined) return [];
    // Older versions: an object, tag -> image id.
    const names = Array.isArray(tags) ? tags : isObject(tags) ? Object.keys(tags) : undefined;
    if (!names?.every(isShort)) throw new Misread(`updated_tags is ${names ? 'not a list of tags' : kindOf(tags)}`);
    if (names.length > mostTags) throw new Misread(`updated_tags has ${names.length} tags, more than ${mostTags}`);
    const repository = text(body, 'repository', eventLimits.name);
    const source = text(body, 'docker_url').split('/', 1)[0];
    // The next push of a tag has the same body, so the time of arrival distinguishes it. A notification that Quay sends
    // again counts again.
    const id = contentId('quay', body, receivedAt);
    return names.map((tag, at) =>
      manifestEvent({ id: `${id}:${at}`, time: receivedAt, action: 'push', repository, tag, source }),
    );
  },
};

const mostTags = 1000;
