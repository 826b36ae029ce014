// Builds the pages of each router into build/frameworks: node test/web/frameworks/build.js
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build as astro } from 'astro';
import { build } from 'esbuild';

const here = import.meta.dirname;
const out = join(here, '../../../build/frameworks');
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
await build({
  entryPoints: ['turbo', 'react', 'vue', 'navigation'].map((name) => ({ in: join(here, name, 'main.js'), out: name })),
  outdir: out,
  bundle: true,
  minify: true,
  format: 'iife',
  define: {
    'process.env.NODE_ENV': '"production"',
    __VUE_OPTIONS_API__: 'true',
    __VUE_PROD_DEVTOOLS__: 'false',
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false',
  },
  logLevel: 'error',
});
process.env.ASTRO_TELEMETRY_DISABLED = '1';
await astro({ root: join(here, 'astro'), logLevel: 'error' });
