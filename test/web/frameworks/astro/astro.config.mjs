import { defineConfig } from 'astro/config';

export default defineConfig({
  root: import.meta.dirname,
  base: '/astro',
  outDir: '../../../../build/frameworks/astro',
  cacheDir: '../../../../build/frameworks/astro-cache',
  build: { format: 'file' },
  devToolbar: { enabled: false },
});
