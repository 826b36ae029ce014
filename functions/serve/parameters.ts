// Query parameters and answers that several routes share, as the schemas they are validated and documented with.
import { OpenAPIHono, z } from '@hono/zod-openapi';
import { badRequest } from '#core/http.ts';

/** A router whose validation failures are a 400 that names the parameter and the value. */
export function router(): OpenAPIHono {
  return new OpenAPIHono({
    defaultHook: (result) => {
      if (result.success) return;
      const [issue] = result.error.issues;
      const name = issue.path.join('.');
      throw badRequest(name ? `${name}: ${issue.message}` : issue.message);
    },
  });
}

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

export const name = (what: string) =>
  z
    .string({ error: `give ${what}` })
    .min(1, { error: `give ${what}` })
    .max(1024, { error: `${what} has at most 1024 letters` });

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
