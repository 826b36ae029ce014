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

/** Text as HTML and SVG hold it, in attributes too. */
export const escaped = (text: string) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
