import type { Action, RegistryEvent } from '../../event.ts';
import { contentHash } from '../content-hash.ts';
import {
  type Fields,
  isObject,
  isTime,
  jsonOf,
  kindOf,
  Misread,
  object,
  optionalText,
  quote,
  text,
  timestamp,
} from '../fields.ts';
import type { Dialect } from './dialect.ts';

export const harborCloudEvents: Dialect = {
  name: 'harbor cloudevents',
  fits: ({ specversion, type }) =>
    typeof specversion === 'string' && typeof type === 'string' && type.startsWith('harbor.'),
  items: (body) => [body],
  read: (item, context) => {
    const body = item as Fields;
    const action = cloudEventsTypes[text(body, 'type')];
    if (!action) return [];
    return readHarbor(action, body, object(body, 'data'), {
      id: text(body, 'id', 256),
      time: body.time === undefined ? context.receivedAt : timestamp(body.time, 'time'),
    });
  },
};

export const harborDefault: Dialect = {
  name: 'harbor',
  fits: (body) => typeof body.type === 'string' && 'event_data' in body,
  items: (body) => [body],
  read: (item, context) => {
    const body = item as Fields;
    const type = text(body, 'type');
    const action = defaultTypes[type];
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
};

// https://goharbor.io/docs/main/working-with-projects/project-configuration/configure-webhooks/
const defaultTypes: Partial<Record<string, Action>> = {
  PUSH_ARTIFACT: 'push',
  PULL_ARTIFACT: 'pull',
  DELETE_ARTIFACT: 'delete',
};
const harborOther = /^(SCANNING_\w+|QUOTA_\w+|REPLICATION|TAG_RETENTION)$/;
const cloudEventsTypes: Partial<Record<string, Action>> = {
  'harbor.artifact.pushed': 'push',
  'harbor.artifact.pulled': 'pull',
  'harbor.artifact.deleted': 'delete',
};
const harborMethods = { push: 'PUT', pull: 'GET', delete: 'DELETE', mount: 'POST' };

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
