import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig, minify, type Plugin } from 'vite';
import { html, pages } from './html.ts';
import { basemap, countries, places } from './map/basemap.ts';
import { pageFile } from './policy.ts';

const web = import.meta.dirname;
const root = join(web, '..');

/** `virtual:basemap`: the addresses of the base maps, files beside the scripts that are named by their content. */
function cutBasemap(): Plugin {
  const id = '\0virtual:basemap';
  const files = { 'land-110m': () => basemap('110m'), 'land-50m': () => basemap('50m'), countries, places };
  let developing = false;
  return {
    name: 'basemap',
    configResolved({ command }) {
      developing = command === 'serve';
    },
    resolveId: (source) => (source === 'virtual:basemap' ? id : undefined),
    load(source) {
      if (source !== id) return;
      const address = (name: keyof typeof files) =>
        developing
          ? `'/basemap/${name}.json'`
          : `import.meta.ROLLUP_FILE_URL_${this.emitFile({ type: 'asset', name: `${name}.json`, source: files[name]() })}`;
      return `export const coarse = ${address('land-110m')};
export const fine = ${address('land-50m')};
export const named = ${address('countries')};
export const places = ${address('places')};`;
    },
    configureServer({ middlewares }) {
      for (const [name, text] of Object.entries(files))
        middlewares.use(`/basemap/${name}.json`, (_request, response) => response.end(text()));
    },
  };
}

/** `/hit.js` keeps its name, because other sites' pages refer to it. */
function beacon(): Plugin {
  return {
    name: 'beacon',
    async generateBundle() {
      const { code } = await minify('hit.js', readFileSync(join(web, 'hit.js'), 'utf8'), { module: false });
      this.emitFile({ type: 'asset', fileName: 'hit.js', source: code });
    },
  };
}

/** `people.html` and the others are files only in the build: `html.ts` writes them. */
function pageFrames(): Plugin {
  const files = new Map(Object.entries(pages).map(([name, page]) => [join(web, `${name}.html`), page]));
  return {
    name: 'page-frames',
    enforce: 'pre',
    resolveId: (source) => (files.has(source) ? source : undefined),
    load(id) {
      const page = files.get(id);
      return page && html(page);
    },
    configureServer({ middlewares, transformIndexHtml }) {
      middlewares.use(async (request, response, next) => {
        const path = new URL(request.url ?? '/', 'http://localhost').pathname;
        const page = files.get(join(web, pageFile(path)));
        if (!page) return next();
        const text = html(page).replace('"../node_modules/', `"/@fs${root}/node_modules/`);
        response.setHeader('Content-Type', 'text/html');
        response.end(await transformIndexHtml(path, text));
      });
    },
  };
}

export default defineConfig({
  root: web,
  // Relative, so that the pages find their files under any base path.
  base: './',
  publicDir: join(web, 'public'),
  logLevel: 'warn',
  server: { fs: { allow: [root] } },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  plugins: [pageFrames(), cutBasemap(), beacon()],
  resolve: {
    // G2's renderer brings a page-to-picture library for HTML shapes, which no chart here has: 40 kB less.
    alias: { html2canvas: join(web, 'charts/no-html2canvas.ts') },
  },
  worker: { format: 'es' },
  build: {
    outDir: join(root, 'build/web'),
    emptyOutDir: true,
    // The first versions with light-dark(), which the themes need.
    target: ['chrome123', 'firefox120', 'safari17.5'],
    modulePreload: { polyfill: false },
    // Nothing may become a data: or blob: address: the content security policy allows only files of this origin.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1500,
    rolldownOptions: {
      checks: { pluginTimings: false },
      input: Object.keys(pages).map((page) => join(web, `${page}.html`)),
    },
  },
});
