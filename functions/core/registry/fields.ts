// Readers of fields of parsed JSON. A field that can't be read throws Misread, whose message never contains a user or
// an address.
import { withoutAddresses } from '../addresses.ts';
import type { Action } from '../event.ts';
import { contentHash } from './content-hash.ts';
import { eventLimits } from './limits.ts';

export type Fields = Record<string, unknown>;

export class Misread extends Error {}

export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isAction(value: string): value is Action {
  return value === 'pull' || value === 'push' || value === 'delete' || value === 'mount';
}

export function kindOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : value === undefined ? 'missing' : typeof value;
}

/**
 * Returns a parsed value as JSON; undefined if it is nested too deep: V8 parses any depth, but writes only some
 * thousand levels.
 */
export function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    if (cause instanceof RangeError) return undefined;
    throw cause;
  }
}

/** Returns parsed JSON; undefined if the text is not JSON. */
export function jsonParsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A short quote of a value for a reason; only for fields that never contain a user. */
export function quote(value: string): string {
  const clean = withoutAddresses(value.slice(0, 200));
  return JSON.stringify(clean.length > 40 ? `${clean.slice(0, 40)}…` : clean);
}

export function object(from: Fields, name: string): Fields {
  const value = from[name];
  if (!isObject(value)) throw new Misread(`${name} is ${kindOf(value)}, not an object`);
  return value;
}

export function optionalObject(from: Fields, name: string): Fields {
  return from[name] === undefined || from[name] === null ? {} : object(from, name);
}

export function text(from: Fields, name: string, longest = eventLimits.text): string {
  const value = from[name];
  if (typeof value !== 'string') throw new Misread(`${name} is ${kindOf(value)}, not a string`);
  if (value === '') throw new Misread(`${name} is empty`);
  if (value.length > longest) throw new Misread(`${name} has ${value.length} characters, more than ${longest}`);
  return value.toWellFormed();
}

export function optionalText(from: Fields, name: string, longest: number): string | undefined {
  const value = from[name];
  return value === undefined || value === null || value === '' ? undefined : text(from, name, longest);
}

/** Milliseconds of the years 1970 to 9999, whose days are all written with ten characters. */
export function isTime(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value < 253_402_300_800_000;
}

const rfc3339 = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})$/i;

/** RFC 3339 to milliseconds, microseconds kept as a fraction. A clock that is wrong still counts pulls. */
export function timestamp(value: unknown, name: string): number {
  const parts = typeof value === 'string' ? rfc3339.exec(value) : null;
  const seconds = parts ? Date.parse(parts[1].toUpperCase() + parts[3].toUpperCase()) : Number.NaN;
  if (!parts || !isTime(seconds))
    throw new Misread(
      `${name} ${typeof value === 'string' ? quote(value) : `is ${kindOf(value)}`}, not an RFC 3339 time`,
    );
  return seconds + Number((parts[2] ?? '').padEnd(6, '0').slice(0, 6)) / 1000;
}

/** The greatest length of target.mediaType and target.digest. */
export const isShort = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= eventLimits.name;

const longestName = eventLimits.name;

/**
 * The name of an account, '' if there is none. A long name is cut and ends with a hash of the whole, so that names that
 * begin alike stay distinct: cloud roles and certificate subjects have hundreds of characters.
 */
export function accountName(from: Fields, name: string): string {
  const whole = optionalText(from, name, Number.POSITIVE_INFINITY) ?? '';
  if (whole.length <= longestName) return whole;
  return `${whole.slice(0, longestName - 33)}~${contentHash(whole)}`.toWellFormed();
}
