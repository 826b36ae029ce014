// How long replies are kept by caches, and text inside HTML: what the routes of every subject share, without a schema library.

/** Values of Cache-Control. Failures are `no-store` (functions/http/errors.ts). */
export const cacheControl = {
  /** A snapshot never changes under its name. */
  immutable: 'public, max-age=31536000, immutable',
  /** The pointer, and whatever follows it. */
  newest: 'public, max-age=2, stale-while-revalidate=10',
  minute: 'public, max-age=60',
  /** What is read of people. */
  people: 'private, no-store',
} as const;

/** Is this a day of the calendar, such as 2026-11-21? */
export const isDay = (text: string) =>
  /^\d{4}-\d{2}-\d{2}$/.test(text) && new Date(`${text}T00:00:00Z`).toJSON()?.startsWith(text) === true;

/** Text as HTML and SVG hold it, in attributes too. */
export const escaped = (text: string) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
