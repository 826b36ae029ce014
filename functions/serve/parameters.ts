// Query parameters and responses that several routes share, as schemas that validate and document them.
import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { quoted } from '#core/quoted.ts';
import { ApiError, badRequest, wrongParameter } from '#http/errors.ts';
import { isDay } from './replies.ts';

/**
 * A router whose validation failures are a 400 of three parts: the parameter, the value, what it must be. A schema's
 * message is the last part: "must be …" or, where the parameter is required, "give …".
 */
export function router(): OpenAPIHono {
  return new OpenAPIHono({
    defaultHook: (result) => {
      if (result.success) return;
      const [{ path, message }] = result.error.issues;
      // An error about the body as a whole has only the schema's message.
      if (path.length === 0) throw badRequest(message);
      const name = path.join('.');
      const value = path.reduce<unknown>((part, key) => (part as Record<PropertyKey, unknown>)[key], dataOf(result));
      if (value === undefined) throw badRequest(`${name} is missing: ${message}`);
      if (result.target === 'query' && Array.isArray(value))
        throw badRequest(
          `${name} is given ${value.length} times, as ${value
            .slice(0, 3)
            .map((one) => quoted(one))
            .join(' and ')}: give it once`,
        );
      throw wrongParameter(name, value, message);
    },
  });
}

/** The validated value: the hook gets it, although its type doesn't say so. */
const dataOf = (result: object): unknown => ('data' in result ? result.data : {});

/**
 * Runs before a route that accepts JSON: another content type is 415, and a body that isn't JSON is 400, with `example`
 * as a hint. The schema checks the rest.
 */
export const jsonBody = (example: string) => async (c: Context, next: () => Promise<void>) => {
  const type = c.req.header('content-type') ?? '';
  if (!/^application\/([\w.-]+\+)?json\s*(;|$)/i.test(type))
    throw new ApiError(415, 'unsupported_media_type', `Content-Type is ${quoted(type)}: must be application/json`);
  try {
    JSON.parse(await c.req.text());
  } catch {
    throw badRequest(`the body is not JSON: send ${example}`);
  }
  await next();
};

const stamp = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2}))?$/;
const bareDay = /^\d{4}-\d{2}-\d{2}$/;

const timeOf = (bareDayMs: number, description: string) =>
  z
    .string()
    .transform((text, context) => {
      const value = stamp.test(text) ? Date.parse(text) + (bareDay.test(text) ? bareDayMs : 0) : Number.NaN;
      if (!Number.isNaN(value)) return value;
      context.addIssue('must be a time, such as 2026-11-21 or 2026-11-21T08:00:00Z');
      return z.NEVER;
    })
    .openapi({ type: 'string', example: '2026-11-21', description });

/** The beginning of a range in milliseconds, from an RFC 3339 time or a UTC day. */
export const from = timeOf(0, 'RFC 3339 time or UTC day, inclusive');
/** The exclusive end of a range in milliseconds; a day is included whole. */
export const to = timeOf(86_400_000, 'RFC 3339 time, exclusive, or UTC day, included whole');

/** Throws if a range ends before it begins; `given` are the same parameters as written. */
export function inOrder(range: { from?: number; to?: number }, given: { from?: string; to?: string }): void {
  const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = range;
  // A day is included whole, so its end is the beginning of the next one.
  if (from > to || (from === to && bareDay.test(given.to ?? ''))) throw afterTo(given.from, given.to);
}
export const afterTo = (from = '', to = '') =>
  badRequest(`from is "${from}", after to "${to}": swap them, or leave one out`);

/** A UTC day, such as 2026-11-21. */
export const day = z
  .string()
  .refine(isDay, { error: 'must be a day, such as 2026-11-21' })
  .openapi({ example: '2026-11-21' });

/** An integer in a range, as text. */
export const integer = (least: number, most: number) =>
  z
    .string()
    .transform((text, context) => {
      const value = /^\d{1,12}$/.test(text) ? Number(text) : Number.NaN;
      if (value >= least && value <= most) return value;
      context.addIssue(`must be an integer from ${least} to ${most}`);
      return z.NEVER;
    })
    .openapi({ type: 'integer', minimum: least, maximum: most });

export const integerOr = (fallback: number, least: number, most: number) =>
  integer(least, most).prefault(String(fallback)).openapi({ default: fallback });

/** The limit of a list's items. */
export const limit = (fallback: number, most: number) => integerOr(fallback, 1, most);

const atMost = (characters: number) => ({
  error: ({ input }: { input?: unknown }) => `must be at most ${characters} characters, not ${String(input).length}`,
});

/** A required name; `hint` says how to give it. */
export const name = (hint: string) => z.string({ error: hint }).min(1, { error: hint }).max(1024, atMost(1024));
/** A name in NFC, as names are stored: a character with an accent has two spellings in Unicode. */
export const userName = name('give user=NAME, the name as the registry reports it').normalize('NFC');

/** Part of a name. */
export const search = z.string().max(256, atMost(256)).optional();

export const oneOf = <const T extends [string, ...string[]]>(values: T) =>
  z.enum(values, { error: `must be one of ${values.join(', ')}` });

export const error = z.object({ error: z.object({ code: z.string(), message: z.string() }) }).openapi('Error');

/** The failure response of every route with parameters. */
export const failures = {
  400: {
    description: 'A parameter is wrong; the message names it.',
    content: { 'application/json': { schema: error } },
  },
  503: {
    description: 'A store is not available now: try again after `Retry-After` seconds.',
    content: { 'application/json': { schema: error } },
  },
};

export const json = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { 'application/json': { schema } },
});

/** A page of a longer list; `cursor` is for the next one. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), cursor: z.string().optional() });

/** RFC 3339 UTC, milliseconds kept. */
export const iso = (milliseconds: number) => new Date(milliseconds).toISOString();
