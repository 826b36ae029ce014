// Amazon ECR through EventBridge: https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html (pushes
// and deletes, without a user) and CloudTrail's BatchGetImage (pulls with user, address and client, but without the
// result).

import type { RegistryEvent } from '../../event.ts';
import { addressOf } from '../address.ts';
import {
  accountName,
  type Fields,
  isObject,
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
import { actionOf, type Dialect, manifestEvent, whole } from './dialect.ts';

export const ecr: Dialect = {
  name: 'ecr',
  fits: (body) => body.source === 'aws.ecr' && 'detail-type' in body,
  items: whole,
  read: (item) => {
    const body = item as Fields;
    const type = text(body, 'detail-type');
    if (type === 'AWS API Call via CloudTrail') return readCall(body, object(body, 'detail'));
    if (type === 'ECR Image Action') return readAction(body, object(body, 'detail'));
    // Other types: scans, replication, pull-through caching, settings.
    if (
      /^ECR (Image Scan|Scan Resource Change|Replication Action|Pull Through Cache Action|Referrer Action)$/.test(type)
    )
      return [];
    throw new Misread(`detail-type ${quote(type)} is unknown`);
  },
};

const sourceOf = (body: Fields) =>
  [optionalText(body, 'account', eventLimits.word), optionalText(body, 'region', eventLimits.word)]
    .filter(Boolean)
    .join('.') || 'ecr';

function readAction(body: Fields, detail: Fields): RegistryEvent[] {
  if (text(detail, 'result', eventLimits.word) !== 'SUCCESS') return [];
  const type = text(detail, 'action-type', eventLimits.word);
  const action = actionOf({ PUSH: 'push', DELETE: 'delete' }, type, `action-type ${quote(type)}`)!;
  return [
    manifestEvent({
      id: text(body, 'id', eventLimits.id),
      time: timestamp(body.time, 'time'),
      action,
      repository: text(detail, 'repository-name', eventLimits.name),
      tag: optionalText(detail, 'image-tag', eventLimits.tag),
      digest: optionalText(detail, 'image-digest', eventLimits.name),
      mediaType: optionalText(detail, 'manifest-media-type', eventLimits.name),
      source: sourceOf(body),
    }),
  ];
}

/** The most images in one call: 100, according to the API reference. */
const mostImages = 100;

function readCall(body: Fields, detail: Fields): RegistryEvent[] {
  // PutImage and BatchDeleteImage are also reported as image actions, so they are ignored here. A refused call pulls
  // nothing.
  if (text(detail, 'eventName', eventLimits.tag) !== 'BatchGetImage' || detail.errorCode !== undefined) return [];
  const request = object(detail, 'requestParameters');
  const images = request.imageIds;
  if (!Array.isArray(images) || images.length > mostImages)
    throw new Misread(`requestParameters.imageIds is ${Array.isArray(images) ? 'too long' : kindOf(images)}`);
  const identity = optionalObject(detail, 'userIdentity');
  const id = optionalText(detail, 'eventID', eventLimits.id) ?? text(body, 'id', eventLimits.id);
  return images.map((image, index) => {
    if (!isObject(image)) throw new Misread(`imageIds[${index}] is ${kindOf(image)}, not an object`);
    return manifestEvent({
      id: index === 0 ? id : `${id}:${index}`,
      time: timestamp(detail.eventTime ?? body.time, 'eventTime'),
      action: 'pull',
      repository: text(request, 'repositoryName', eventLimits.name),
      tag: optionalText(image, 'imageTag', eventLimits.tag),
      digest: optionalText(image, 'imageDigest', eventLimits.name),
      user: accountName(identity, 'arn') || accountName(identity, 'invokedBy'),
      userAgent: optionalText(detail, 'userAgent', Number.POSITIVE_INFINITY)?.slice(0, 512),
      // Has the service's name if a service made the call.
      address: addressOf(detail.sourceIPAddress),
      source: sourceOf(body),
    });
  });
}
