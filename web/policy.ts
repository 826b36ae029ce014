// How the local server, CloudFront and the tests serve the pages.

/** Files of this origin only. Styles set from scripts need 'unsafe-inline' (G2's tooltip brings a style element). */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
];

/** What the JavaScript API 2.1 of Yandex Maps loads, from their documentation of such policies. It needs eval. */
const yandex: Record<string, string> = {
  'script-src':
    "https://api-maps.yandex.ru https://*.maps.yandex.net https://yandex.ru https://yastatic.net 'unsafe-eval'",
  'style-src': 'https://api-maps.yandex.ru https://yastatic.net blob:',
  'img-src': 'https://api-maps.yandex.ru https://*.maps.yandex.net https://yandex.ru https://yastatic.net',
  'font-src': 'https://yastatic.net',
  'connect-src': 'https://api-maps.yandex.ru https://*.maps.yandex.net https://yandex.ru',
};

interface Policy {
  /** Any site may frame `/embed`, which is the map alone; the pages about people may not be framed. */
  framed?: boolean;
  /** `/yandex`, if the setting yandexMapsKey is set. */
  withYandex?: boolean;
}

export function contentSecurityPolicy({ framed = false, withYandex = false }: Policy = {}): string {
  const directives = policy.map((line) => {
    const more = withYandex && yandex[line.split(' ')[0]];
    return more ? `${line} ${more}` : line;
  });
  return [...directives, `frame-ancestors ${framed ? '*' : "'none'"}`].join('; ');
}

/** Where the page `/yandex` reads its key; the file in the build has none. */
export const yandexFile = '/yandex.json';

/** The file that a page's address stands for: `/people` is `/people.html`. */
export function pageFile(path: string): string {
  if (path === '/') return '/index.html';
  return /\/[^/.]+$/.test(path) ? `${path}.html` : path;
}

/** Names with a content hash never change; all others are asked for again. */
export function cacheControl(path: string): string {
  return path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'public, max-age=0, must-revalidate';
}

/** What any site may load, also under Cross-Origin-Embedder-Policy. */
export const openHeaders = (path: string): Record<string, string> =>
  path === '/hit.js' ? { 'Access-Control-Allow-Origin': '*', 'Cross-Origin-Resource-Policy': 'cross-origin' } : {};
