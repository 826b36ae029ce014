// The pages' HTML: they differ only in title and script.

interface Page {
  title: string;
  /** The module that draws it. */
  script: string;
}

/** Pages by their path: `people` is /people. */
export const pages: Record<string, Page> = {
  index: { title: 'The live map', script: 'map' },
  embed: { title: 'Live map', script: 'map' },
  people: { title: 'People', script: 'people' },
  repositories: { title: 'Repositories', script: 'repositories' },
  stack: { title: 'Complete my stack', script: 'stack' },
  alerts: { title: 'Alerts', script: 'alerts' },
  models: { title: 'Models', script: 'models' },
  yandex: { title: 'Map by Yandex', script: 'yandex' },
  setup: { title: 'Set up', script: 'setup' },
  health: { title: 'Health', script: 'health' },
  missing: { title: 'Nothing is here', script: 'missing' },
};

/** Preloaded with the page: text drawn in another font first would shift the layout. */
const font = '../node_modules/@fontsource-variable/inter/files/inter-latin-wght-normal.woff2';

export const html = ({ title, script }: Page) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>${title} - Whalewatch</title>
    <meta name="color-scheme" content="light dark" />
    <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
    <link rel="preload" href="${font}" as="font" type="font/woff2" crossorigin />
    <script src="/theme.js"></script>
    <link rel="stylesheet" href="./style.css" />
    <script type="module" src="./pages/${script}.tsx"></script>
  </head>
  <body>
    <div id="app"><noscript>This page draws its data with JavaScript: please turn it on.</noscript></div>
  </body>
</html>
`;
