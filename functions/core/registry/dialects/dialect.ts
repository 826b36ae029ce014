import type { Action, RegistryEvent } from '../../event.ts';
import { contentHash } from '../content-hash.ts';
import { type Fields, isTime, jsonOf, kindOf, Misread } from '../fields.ts';

export interface RegistryContext {
  /** Milliseconds since the epoch; the time of a notification that names none. */
  receivedAt: number;
  /** Host names of the registry that sent it; undefined: any. */
  hosts?: string[];
}

/** One form in which registries send notifications. */
export interface Dialect {
  name: string;
  fits(body: Fields): boolean;
  /** The notifications in one body. */
  items(body: Fields): unknown[];
  /** Returns the events of one notification, none when it says nothing about pulls or pushes; throws Misread. */
  read(item: unknown, context: RegistryContext): RegistryEvent[];
  /** Hosts that a notification names as its registry's, where its events' `source` is not all of them. */
  hosts?(item: unknown): string[];
}

/** For the dialects whose body is one notification. */
export const whole = (body: Fields): unknown[] => [body];

const methods = { push: 'PUT', pull: 'GET', delete: 'DELETE', mount: 'POST' };

type Told = Pick<RegistryEvent, 'id' | 'time' | 'action' | 'repository'> & Partial<RegistryEvent>;

/** An event of a registry that reports manifests only; fields that are left out are empty or absent. */
export function manifestEvent({ id, time, action, repository, ...told }: Told): RegistryEvent {
  const event: RegistryEvent = {
    ...{ id, time, action, repository, kind: action === 'delete' ? 'other' : 'manifest', method: methods[action] },
    ...{ user: '', userAgent: '', address: '', source: '' },
  };
  // Absent, not undefined: it is stored as it is.
  return Object.assign(event, Object.fromEntries(Object.entries(told).filter(([, value]) => value !== undefined)));
}

/** What each type of event means: an action, or nothing to count. Throws Misread for one that is not in the table. */
export function actionOf(types: Record<string, Action | 'ignored'>, type: string, quoted: string): Action | undefined {
  const action = Object.hasOwn(types, type) ? types[type] : undefined;
  if (!action) throw new Misread(`${quoted} is unknown`);
  return action === 'ignored' ? undefined : action;
}

/**
 * An id for a notification that has none: its content. Who sends it again sends it verbatim; two like events that the
 * body can't tell apart are one, unless `moment` does.
 */
export function contentId(dialect: string, body: unknown, moment?: number): string {
  const json = jsonOf(body);
  if (json === undefined) throw new Misread('it is nested too deep');
  return `${dialect}-${contentHash(json)}${moment === undefined ? '' : `-${moment}`}`;
}

/** Seconds since 1970, as a number or its text, in milliseconds; throws Misread. */
export function secondsOf(value: unknown, name: string): number {
  const milliseconds = Number(typeof value === 'string' && value.trim() !== '' ? value : (value ?? Number.NaN)) * 1000;
  if (typeof value === 'boolean' || !isTime(milliseconds))
    throw new Misread(`${name} is ${kindOf(value)}: must be seconds since 1970`);
  return milliseconds;
}

/** `tag` or `digest`, whichever a reference is. */
export function referenceOf(reference: string | undefined): { tag?: string; digest?: string } {
  if (!reference) return {};
  return reference.includes(':') ? { digest: reference } : { tag: reference };
}
