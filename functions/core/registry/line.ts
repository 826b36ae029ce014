import { isAction, isObject, isTime, kindOf } from './fields.ts';

/**
 * Returns why a stream line's event is invalid, or undefined. Process checks this, because others may write to the
 * stream.
 */
export function whyInvalidEvent(event: unknown): string | undefined {
  if (!isObject(event)) return `registry: event is ${kindOf(event)}, not an object`;
  const { time, action, kind, references, referenceTypes, size } = event;
  for (const name of ['id', 'method', 'repository', 'user', 'userAgent', 'address', 'source'])
    if (typeof event[name] !== 'string') return `registry: ${name} is ${kindOf(event[name])}, not a string`;
  for (const name of ['tag', 'digest', 'mediaType', 'userType', 'subject'])
    if (event[name] !== undefined && typeof event[name] !== 'string') return `registry: ${name} is not a string`;
  for (const list of [references, referenceTypes])
    if (list !== undefined && !(Array.isArray(list) && list.every((item) => typeof item === 'string')))
      return 'registry: references are not a list of strings';
  if (size !== undefined && typeof size !== 'number') return 'registry: size is not a number';
  if (event.id === '' || event.repository === '') return 'registry: id or repository is empty';
  if (!isTime(time)) return 'registry: time must be milliseconds since 1970';
  if (typeof action !== 'string' || !isAction(action)) return 'registry: action is unknown';
  return kind === 'manifest' || kind === 'blob' || kind === 'other' ? undefined : 'registry: kind is unknown';
}
