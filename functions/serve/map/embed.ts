// Parts of the map for other people's pages: a badge and a map of pictures. Neither runs a script.
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { shortCount, type Theme } from '#core/map/png.ts';
import { failures, router } from '../parameters.ts';
import { cacheControl, escaped } from '../replies.ts';
import type { LatestPoints, SourceOf } from './tiles.ts';

export const themeQuery = z
  .enum(['light', 'dark'], { error: () => 'must be light or dark' })
  .optional()
  .default('light');

const badgeRoute = createRoute({
  method: 'get',
  path: '/v1/embed/badge.svg',
  summary: 'How many domains are active, as a badge',
  request: {
    query: z.object({
      label: z
        .string()
        .max(40, 'must be at most 40 characters')
        .transform(shownText)
        .refine((text) => text !== '', 'must have a visible character')
        .optional()
        .default('active domains')
        .openapi({ type: 'string', example: 'active domains' }),
    }),
  },
  responses: { 200: { description: 'A badge.', content: { 'image/svg+xml': { schema: z.string() } } }, ...failures },
});

const mapRoute = createRoute({
  method: 'get',
  path: '/v1/embed/map',
  summary: "The map as pictures, for an <iframe> that can't run WebGL or scripts",
  request: { query: z.object({ theme: themeQuery }) },
  responses: { 200: { description: 'A page.', content: { 'text/html': { schema: z.string() } } }, ...failures },
});

// An SVG opened directly is a document: it must not run anything.
const badgeHeaders = {
  'Content-Type': 'image/svg+xml',
  'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'",
};
const mapHeaders = {
  'Content-Security-Policy': "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors *",
};

/** The routes of the badge and the map of pictures. */
export function embedRoutes(sourceOf: SourceOf): OpenAPIHono {
  const app = router();

  app.openapi(badgeRoute, async (c) => {
    const { label } = c.req.valid('query');
    const latest = await sourceOf(c).latest();
    c.header('Cache-Control', cacheControl.minute);
    return c.body(badge(label, latest ? shortCount(domainsOf(latest)) : 'none yet'), 200, badgeHeaders);
  });

  app.openapi(mapRoute, async (c) => {
    const { theme } = c.req.valid('query');
    const latest = await sourceOf(c).latest();
    c.header('Cache-Control', cacheControl.minute);
    const domains = latest ? domainsOf(latest) : 0;
    const text = latest ? `${whole.format(domains)} active ${domains === 1 ? 'domain' : 'domains'}` : 'No hits yet';
    return c.html(mapPage(latest?.snapshot, text, theme), 200, mapHeaders);
  });

  return app;
}

/**
 * The responses, by path, if the map is not public: they say so, so that other people's pages don't show a broken
 * picture.
 */
export const closedEmbeds: Record<string, (c: Context, status: ContentfulStatusCode) => Response> = {
  [badgeRoute.path]: (c, status) => c.body(badge('map', 'not public'), status, badgeHeaders),
  [mapRoute.path]: (c, status) => {
    const theme = c.req.query('theme') === 'dark' ? 'dark' : 'light';
    return c.html(mapPage(undefined, 'This map is not public', theme), status, mapHeaders);
  },
};

/** If points are by location, a domain has several. */
const domainsOf = ({ points, domains }: LatestPoints) => domains ?? points;

/**
 * Removes characters that XML does not allow, invisible ones, and those that change the direction of the following
 * text.
 */
function shownText(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\p{Cc}\p{Noncharacter_Code_Point}\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff]/gu, ' ')
    .replace(/\s+/gu, ' ')
    .trim();
}

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
/** The width in pixels of a character in 11 px Verdana or a fallback font, by class; the first matching class. */
const widths: [RegExp, number][] = [
  [/^\p{Extended_Pictographic}|^\p{Regional_Indicator}/u, 14],
  [/^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u3000-\u30ff\uff01-\uff60]/u, 11.5],
  [/^[mwMW@%\u0416\u0428\u0429\u042e\u0436\u0448\u0449\u044e]/u, 10.5],
  [/^[ijl.,:;|!'()[\]I\s]/u, 4.2],
  [/^[frt]/u, 4.8],
  [/^\p{Lu}/u, 7.8],
];
const widthOf = (text: string) =>
  Math.ceil(
    Array.from(
      graphemes.segment(text),
      ({ segment }) => widths.find(([what]) => what.test(segment))?.[1] ?? 6.9,
    ).reduce((sum, width) => sum + width, 0),
  );

/** textLength makes any font fit; anchored in the middle, so that right-to-left text stays in its part too. */
function badge(label: string, value: string): string {
  const [left, right] = [label, value].map((text) => widthOf(text) + 12);
  const part = (text: string, x: number, width: number) =>
    `<text x="${x + width / 2}" y="14" text-anchor="middle" textLength="${width - 12}" lengthAdjust="spacingAndGlyphs">${escaped(text)}</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${left + right}" height="20" role="img" aria-label="${escaped(`${label}: ${value}`)}">
<title>${escaped(`${label}: ${value}`)}</title>
<clipPath id="r"><rect width="${left + right}" height="20" rx="3"/></clipPath>
<g clip-path="url(#r)"><rect width="${left}" height="20" fill="#33495a"/><rect x="${left}" width="${right}" height="20" fill="#0b7570"/></g>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">${part(label, 0, left)}${part(value, left, right)}</g>
</svg>`;
}

const whole = new Intl.NumberFormat('en');

/**
 * The world at zoom 1 from 79 degrees north to 62 south, as large as fits into the frame, and repeated on both sides if
 * the frame is wider. The tiles of a snapshot never change.
 */
function mapPage(snapshot: string | undefined, text: string, theme: Theme): string {
  const colours = theme === 'dark' ? { sea: '#0b161d', ink: '#e7eff3' } : { sea: '#d9e6ec', ink: '#10222c' };
  const tiles = [0, 1].flatMap((y) =>
    [0, 1, 0, 1, 0, 1].map((x) => `<img src="../tiles/${snapshot}/1/${x}/${y}.png?theme=${theme}" alt="">`),
  );
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="60"><title>${text}</title>
<style>:root{--side:min(100vw,100vh/.6)}
body{margin:0;height:100vh;overflow:hidden;background:${colours.sea};color:${colours.ink};font:13px/1.3 system-ui,sans-serif}
main{position:absolute;top:50%;left:50%;width:calc(3*var(--side));height:calc(.6*var(--side));transform:translate(-50%,-50%);overflow:hidden}
main div{display:grid;grid-template-columns:repeat(6,1fr);margin-top:calc(-.12*var(--side))}img{width:100%;aspect-ratio:1;display:block}
p,footer{position:fixed;left:8px;right:8px;margin:0}p{top:6px;font-weight:600}
footer{bottom:4px;font-size:11px;text-align:right}a{color:inherit}
@media(min-aspect-ratio:1/1){p{top:auto;bottom:4px;width:40%}footer{left:45%}}
@media(max-aspect-ratio:4/5) and (min-height:300px){p{top:24px;font-size:24px;text-align:center}footer{bottom:16px;text-align:center}}</style>
<main role="img" aria-label="World map: ${text}"><div>${snapshot ? tiles.join('') : ''}</div></main><p>${text}</p>
<footer>Map: Natural Earth. Locations: <a href="https://db-ip.com" target="_blank" rel="noopener">IP Geolocation by DB-IP</a></footer></html>`;
}
