// Lists as CSV, for spreadsheets.
import { z } from '@hono/zod-openapi';
import { oneOf } from './parameters.ts';

/** The parameter of every list that is available as CSV. */
export const format = oneOf(['json', 'csv']).default('json');

/** The response with such a list. */
export const jsonOrCsv = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { 'application/json': { schema }, 'text/csv': { schema: z.string() } },
});

/** The link to the next page of a list in CSV (RFC 8288). */
export const nextPage = (url: string, cursor: string | undefined): Record<string, string> => {
  if (cursor === undefined) return {};
  const { pathname, searchParams } = new URL(url);
  searchParams.set('cursor', cursor);
  return { Link: `<${pathname}?${searchParams}>; rel="next"` };
};

export const csvType = { 'Content-Type': 'text/csv; charset=utf-8' };

/** RFC 4180, with a line of column names. */
export function csv<T extends object>(columns: readonly (keyof T & string)[], rows: T[]): string {
  const lines = rows.map((row) => columns.map((name) => csvCell((row[name] ?? '') as string | number)).join());
  return [columns.join(), ...lines, ''].join('\r\n');
}

/** Marks a text that a spreadsheet would run as a formula, so that it stays text. */
function csvCell(value: string | number): string {
  const text = typeof value === 'string' && /^'*[=+\-@\t\r\n＝＋－＠]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
