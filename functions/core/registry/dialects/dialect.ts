import type { Action, RegistryEvent } from '../../event.ts';
import { contentHash } from '../content-hash.ts';
import { type Fields, isTime, jsonOf, kindOf, Misread } from '../fields.ts';

export interface RegistryContext {
  /** Milliseconds since the epoch; the time of a notification without one. */
  receivedAt: number;
  /** Host names that the sending registry may report; undefined: any. */
  hosts?: string[];
}

/** One form in which registries send notifications. */
export interface Dialect {
  name: string;
  fits(body: Fields): boolean;
  /** The notifications in one body. */
  items(body: Fields): unknown[];
  /** Returns the events of one notification, none if it is not about pulls or pushes; throws Misread. */
  read(item: unknown, context: RegistryContext): RegistryEvent[];
  /** The registry's hosts that a notification names, if these are more than its events' `source`. */
  hosts?(item: unknown): string[];
}

/** For dialects whose body is a single notification. */
export const whole = (body: Fields): unknown[] => [body];

const methods = { push: 'PUT', pull: 'GET', delete: 'DELETE', mount: 'POST' };

type Reported = Pick<RegistryEvent, 'id' | 'time' | 'action' | 'repository'> & Partial<RegistryEvent>;

/** Makes an event of a registry that reports only manifests; omitted fields are empty or absent. */
export function manifestEvent({ id, time, action, repository, ...reported }: Reported): RegistryEvent {
  const event: RegistryEvent = {
    ...{ id, time, action, repository, kind: action === 'delete' ? 'other' : 'manifest', method: methods[action] },
    ...{ user: '', userAgent: '', address: '', source: '' },
  };
  // Absent, not undefined: the event is stored as it is.
  return Object.assign(event, Object.fromEntries(Object.entries(reported).filter(([, value]) => value !== undefined)));
}

/** What a type of event means: an action, or nothing to count. Throws Misread for a type that is not in the table. */
export function actionOf(types: Record<string, Action | 'ignored'>, type: string, quoted: string): Action | undefined {
  const action = Object.hasOwn(types, type) ? types[type] : undefined;
  if (!action) throw new Misread(`${quoted} is unknown`);
  return action === 'ignored' ? undefined : action;
}

/**
 * Makes an id, from its content, for a notification without one. Registries repeat a notification verbatim, so two
 * events with equal bodies count as one unless `moment` differs.
 */
export function contentId(dialect: string, body: unknown, moment?: number): string {
  const json = jsonOf(body);
  if (json === undefined) throw new Misread('it is nested too deep');
  return `${dialect}-${contentHash(json)}${moment === undefined ? '' : `-${moment}`}`;
}

/** Converts seconds since 1970, a number or its text, to milliseconds; throws Misread. */
export function secondsOf(value: unknown, name: string): number {
  const milliseconds = Number(typeof value === 'string' && value.trim() !== '' ? value : (value ?? Number.NaN)) * 1000;
  if (typeof value === 'boolean' || !isTime(milliseconds))
    throw new Misread(`${name} is ${kindOf(value)}: must be seconds since 1970`);
  return milliseconds;
}

/** Returns a reference as `tag` or `digest`, whichever it is. */
export function referenceOf(reference: string | undefined): { tag?: string; digest?: string } {
  if (!reference) return {};
  return reference.includes(':') ? { digest: reference } : { tag: reference };
}
