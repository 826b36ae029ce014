// Pieces of the map for other people's pages: a badge and a picture-only map. Neither runs a script.
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { shortCount, type Theme } from '#core/map/png.ts';
import { failures, router } from '../parameters.ts';
import { cacheControl, escaped } from '../replies.ts';
import type { SourceOf } from './tiles.ts';

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
        .min(1, 'must not be empty')
        .max(40, 'must be at most 40 characters')
        .optional()
        .default('active domains'),
    }),
  },
  responses: { 200: { description: 'A badge.', content: { 'image/svg+xml': { schema: z.string() } } }, ...failures },
});

const mapRoute = createRoute({
  method: 'get',
  path: '/v1/embed/map',
  summary: 'The map as pictures, for an <iframe> that cannot run WebGL or scripts',
  request: { query: z.object({ theme: themeQuery }) },
  responses: { 200: { description: 'A page.', content: { 'text/html': { schema: z.string() } } }, ...failures },
});

/** Badge and picture map. */
export function embedRoutes(sourceOf: SourceOf): OpenAPIHono {
  const app = router();

  app.openapi(badgeRoute, async (c) => {
    const { label } = c.req.valid('query');
    const latest = await sourceOf(c).latest();
    c.header('Content-Type', 'image/svg+xml');
    c.header('Cache-Control', cacheControl.minute);
    // An SVG opened by itself is a document: it may run nothing.
    c.header('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'");
    return c.body(badge(label, latest ? shortCount(latest.points) : 'none yet'), 200);
  });

  app.openapi(mapRoute, async (c) => {
    const { theme } = c.req.valid('query');
    const latest = await sourceOf(c).latest();
    c.header('Cache-Control', cacheControl.minute);
    c.header(
      'Content-Security-Policy',
      "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors *",
    );
    return c.html(mapPage(latest?.snapshot, latest?.points ?? 0, theme), 200);
  });

  return app;
}

/** Widths are of 11 px Verdana, about 6.6 px a character; textLength makes any font fit. */
function badge(label: string, value: string): string {
  const [left, right] = [label, value].map((text) => Math.round([...text].length * 6.6) + 12);
  const part = (text: string, x: number, width: number) =>
    `<text x="${x + 6}" y="14" textLength="${width - 12}" lengthAdjust="spacingAndGlyphs">${escaped(text)}</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${left + right}" height="20" role="img" aria-label="${escaped(`${label}: ${value}`)}">
<clipPath id="r"><rect width="${left + right}" height="20" rx="3"/></clipPath>
<g clip-path="url(#r)"><rect width="${left}" height="20" fill="#33495a"/><rect x="${left}" width="${right}" height="20" fill="#0b7570"/></g>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">${part(label, 0, left)}${part(value, left, right)}</g>
</svg>`;
}

/** The world at zoom 1: four pictures in a square that fills the frame's width. The tiles of a snapshot never change. */
function mapPage(snapshot: string | undefined, points: number, theme: Theme): string {
  const colours = theme === 'dark' ? { sea: '#0b161d', ink: '#e7eff3' } : { sea: '#d9e6ec', ink: '#10222c' };
  const tiles = [0, 1].flatMap((y) =>
    [0, 1].map((x) => `<img src="../tiles/${snapshot}/1/${x}/${y}.png?theme=${theme}" alt="">`),
  );
  const text = snapshot ? `${points} active domains` : 'No hits yet';
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="60"><title>${text}</title>
<style>body{margin:0;background:${colours.sea};color:${colours.ink};font:13px system-ui,sans-serif}
div{display:grid;grid-template-columns:1fr 1fr;margin:-12% 0 -24%}img{width:100%;aspect-ratio:1;display:block}
p{position:fixed;left:12px;bottom:8px;margin:0}</style>
<div role="img" aria-label="World map: ${text}">${snapshot ? tiles.join('') : ''}</div><p>${text}</p></html>`;
}
