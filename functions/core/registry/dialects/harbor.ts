// Harbor's webhooks, Default and CloudEvents:
// https://goharbor.io/docs/main/working-with-projects/project-configuration/configure-webhooks/, and those of 1.x:
// goharbor/harbor v1.10 src/pkg/notification/model/const.go. A pull is a GET of a manifest; HEADs are not reported.

import type { Action, RegistryEvent } from '../../event.ts';
import {
  accountName,
  type Fields,
  isObject,
  kindOf,
  Misread,
  object,
  optionalText,
  quote,
  text,
  timestamp,
} from '../fields.ts';
import { eventLimits } from '../limits.ts';
import { actionOf, contentId, type Dialect, manifestEvent, referenceOf, secondsOf, whole } from './dialect.ts';

export const harborCloudEvents: Dialect = {
  name: 'harbor cloudevents',
  fits: ({ specversion, type }) =>
    typeof specversion === 'string' && typeof type === 'string' && type.startsWith('harbor.'),
  items: whole,
  read: (item, { receivedAt }) => {
    const body = item as Fields;
    const type = text(body, 'type');
    if (/^harbor\.(chart|scan|quota|replication|tag_retention)\./.test(type)) return [];
    const action = actionOf(cloudEventsTypes, type, `type ${quote(type)}`)!;
    return readHarbor(action, body, object(body, 'data'), {
      id: text(body, 'id', eventLimits.id),
      time: body.time === undefined ? receivedAt : timestamp(body.time, 'time'),
    });
  },
};

export const harborDefault: Dialect = {
  name: 'harbor',
  fits: (body) => typeof body.type === 'string' && 'event_data' in body,
  items: whole,
  read: (item, { receivedAt }) => {
    const body = item as Fields;
    const type = text(body, 'type');
    if (otherTypes.test(type)) return [];
    const action = actionOf(defaultTypes, type, `type ${quote(type)}`)!;
    // This form has no id. The job service repeats a failed post verbatim; two equal pulls by one user within a second
    // can't be distinguished.
    return readHarbor(action, body, object(body, 'event_data'), {
      id: contentId('harbor', body),
      time: body.occur_at === undefined ? receivedAt : secondsOf(body.occur_at, 'occur_at'),
    });
  },
};

const defaultTypes: Record<string, Action> = {
  PUSH_ARTIFACT: 'push',
  PULL_ARTIFACT: 'pull',
  DELETE_ARTIFACT: 'delete',
  pushImage: 'push',
  pullImage: 'pull',
  deleteImage: 'delete',
};
/** ChartMuseum's charts, scans, quotas, replication: not about images in the registry. */
const otherTypes =
  /^(SCANNING_\w+|QUOTA_\w+|REPLICATION|TAG_RETENTION|QUARANTINE|(UPLOAD|DOWNLOAD|DELETE)_CHART|(upload|download|delete)Chart|scanning\w+|projectQuota\w*)$/;
const cloudEventsTypes: Record<string, Action> = {
  'harbor.artifact.pushed': 'push',
  'harbor.artifact.pulled': 'pull',
  'harbor.artifact.deleted': 'delete',
};

/** Harbor reports one or a few at a time. */
const mostResources = 1000;

function readHarbor(action: Action, body: Fields, data: Fields, { id, time }: { id: string; time: number }) {
  const { resources } = data;
  if (!Array.isArray(resources) || resources.length === 0) throw new Misread('resources is not a list of artifacts');
  if (resources.length > mostResources)
    throw new Misread(`resources has ${resources.length} artifacts, more than ${mostResources}`);
  const repository = text(object(data, 'repository'), 'repo_full_name', eventLimits.name);
  return resources.map((resource: unknown, index): RegistryEvent => {
    if (!isObject(resource)) throw new Misread(`resources[${index}] is ${kindOf(resource)}, not an object`);
    return manifestEvent({
      ...{ id: index === 0 ? id : `${id}:${index}`, time, action, repository, user: accountName(body, 'operator') },
      source: (optionalText(resource, 'resource_url', 2048) ?? '').split('/', 1)[0],
      // Docker requests a digest after a HEAD that Harbor does not report: such a pull has its digest as its tag.
      ...referenceOf(optionalText(resource, 'tag', eventLimits.name)),
      digest: optionalText(resource, 'digest', eventLimits.name),
    });
  });
}
