// Query parameters and answers that several routes share, as the schemas they are validated and documented with.
import { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { ApiError, badRequest } from '#http/errors.ts';

/** A router whose validation failures are a 400 that names the parameter and the value. */
export function router(): OpenAPIHono {
  return new OpenAPIHono({
    defaultHook: (result, c) => {
      if (result.success) return;
      const [issue] = result.error.issues;
      const name = issue.path.join('.');
      const twice = repeated(c, name);
      if (twice) throw badRequest(twice);
      throw badRequest(name ? `${name}: ${issue.message}` : issue.message);
    },
  });
}

/** What is said of a parameter that is given more than once; undefined when it is not. */
export function repeated(c: Context, name: string): string | undefined {
  const values = (name && c.req.queries(name)) || [];
  if (values.length < 2) return undefined;
  return `${name}: ${values.slice(0, 3).map(quoted).join(' and ')} are given: give one`;
}

/** A value as a message repeats it. */
export function quoted(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/**
 * Before a route that takes JSON: another type is 415 and what is no JSON 400, with `example` for the mend. The schema
 * judges the rest.
 */
export const jsonBody = (example: string) => async (c: Context, next: () => Promise<void>) => {
  const type = c.req.header('content-type') ?? '';
  if (!/^application\/([\w.-]+\+)?json\s*(;|$)/i.test(type))
    throw new ApiError(
      415,
      'unsupported_media_type',
      `Content-Type ${quoted(type)} is none that is read here: send application/json`,
    );
  try {
    JSON.parse(await c.req.text());
  } catch {
    throw badRequest(`the body is no JSON: send ${example}`);
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
      context.addIssue(`"${text}" is no time: write 2026-11-21 or 2026-11-21T08:00:00Z`);
      return z.NEVER;
    })
    .openapi({ type: 'string', example: '2026-11-21', description });

/** Where a range begins, as milliseconds: an RFC 3339 time or a UTC day. */
export const from = timeOf(0, 'RFC 3339 time or UTC day, inclusive');
/** Where a range ends, as milliseconds, exclusive; a bare day is included whole. */
export const to = timeOf(86_400_000, 'RFC 3339 time, exclusive, or UTC day, included whole');

/** Throws when a range ends before it begins; `given` are the same parameters as they were written. */
export function inOrder(range: { from?: number; to?: number }, given: { from?: string; to?: string }): void {
  const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = range;
  // A day is included whole, so that its end is the next one's beginning.
  if (from > to || (from === to && bareDay.test(given.to ?? ''))) throw afterTo(given.from, given.to);
}
export const afterTo = (from = '', to = '') =>
  badRequest(`from: "${from}" is after to "${to}": swap them, or leave one out`);

/** A UTC day, such as 2026-11-21. */
export const day = z
  .string()
  .refine((text) => /^\d{4}-\d{2}-\d{2}$/.test(text) && new Date(`${text}T00:00:00Z`).toJSON()?.startsWith(text), {
    error: ({ input }) => `"${input}" is no day: write 2026-11-21`,
  })
  .openapi({ example: '2026-11-21' });

export const limit = (fallback: number, most: number) =>
  z
    .string()
    .default(String(fallback))
    .transform((text, context) => {
      const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
      if (value >= 1 && value <= most) return value;
      context.addIssue(`"${text}" is no whole number from 1 to ${most}`);
      return z.NEVER;
    })
    .openapi({ type: 'integer', minimum: 1, maximum: most, default: fallback });

const atMost = (letters: number) => ({
  error: ({ input }: { input?: unknown }) =>
    `${quoted(input)} has ${String(input).length} letters, more than ${letters}`,
});

/** A name that must be given; `mend` is how. */
export const name = (mend: string) =>
  z
    .string({ error: `is missing: ${mend}` })
    .min(1, { error: `is empty: ${mend}` })
    .max(1024, atMost(1024));
/** Of the two spellings of a name with accents the one that is stored. */
export const userName = name('give user=NAME, the name as the registry reports it').normalize('NFC');

/** Part of a name. */
export const search = z.string().max(256, atMost(256)).optional();

export const oneOf = <const T extends [string, ...string[]]>(values: T) =>
  z.enum(values, { error: ({ input }) => `"${input}" is none of ${values.join(', ')}` });

export const error = z.object({ error: z.object({ code: z.string(), message: z.string() }) }).openapi('Error');

/** The answers every route may give besides its own. */
export const failures = {
  400: {
    description: 'A parameter is wrong; the message names it.',
    content: { 'application/json': { schema: error } },
  },
};

export const json = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { 'application/json': { schema } },
});

/** A page of a longer list; `cursor` asks for the next. */
export const pageOf = <T extends z.ZodType>(item: T) =>
  z.object({ items: z.array(item), cursor: z.string().optional() });

/** RFC 3339 UTC, milliseconds kept. */
export const iso = (milliseconds: number) => new Date(milliseconds).toISOString();
