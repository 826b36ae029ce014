// What all routes share, without a schema library: how long caches keep responses, and escaping text for HTML.

/** Values of Cache-Control. Failures are `no-store` (functions/http/errors.ts). */
export const cacheControl = {
  /** A snapshot never changes under its name. */
  immutable: 'public, max-age=31536000, immutable',
  /** The pointer, and responses that change with it. */
  newest: 'public, max-age=2, stale-while-revalidate=10',
  minute: 'public, max-age=60',
  /** Data about users. */
  people: 'private, no-store',
} as const;

/** Whether this is a day of the calendar, such as 2026-11-21. */
export const isDay = (text: string) =>
  /^\d{4}-\d{2}-\d{2}$/.test(text) && new Date(`${text}T00:00:00Z`).toJSON()?.startsWith(text) === true;

/** Escapes text for HTML and SVG, also in attributes. */
export const escaped = (text: string) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
