// Situations that pages are in, and the hits that each must make: tried in real browsers.
import assert from 'node:assert/strict';
import { type Row, service, tag } from './site.ts';

/** What a situation does with a page, in whichever browser. */
export interface Tab {
  goto(url: string): Promise<unknown>;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the page's own code gives and takes, as in the browsers' libraries.
  evaluate(work: string | ((argument: any) => unknown), argument?: unknown): Promise<any>;
  // biome-ignore lint/suspicious/noExplicitAny: the same.
  waitForFunction(test: (argument: any) => unknown, argument?: unknown): Promise<unknown>;
  click(selector: string): Promise<void>;
  reload(): Promise<unknown>;
  goBack(): Promise<unknown>;
  frames(): Pick<Tab, 'waitForFunction'>[];
}

export interface Visit {
  key: string;
  row: Row;
  page: Tab;
  /** Opens a path of the portal. */
  open(path: string): Promise<unknown>;
  /** Clicks, and waits for the new address. */
  go(name: string): Promise<unknown>;
  /** Lets minutes pass in the page, in steps between which responses arrive: with `fakeClock` alone. */
  pass(minutes: number, steps?: number): Promise<void>;
}

export interface Situation {
  /** What the server sends for a path; a beacon and nothing else when left out. */
  html?: (key: string, path: string) => string;
  headers?: Record<string, string>;
  /** Runs in the page before anything else. */
  before?: () => void;
  /** What the browser calls itself. */
  userAgent?: string;
  /** A browser that has seen nothing yet, and keeps what it is told. */
  fresh?: true;
  /** Time passes only when the row says so. */
  fakeClock?: true;
  /** Only Chromium draws pages ahead. */
  prerenders?: true;
  /** The browser says that it is automated. */
  automated?: boolean;
  /** The row's folder, if its pages name it; default: a generated one. */
  key?: string;
  /** The first page to open; default: `a`. */
  first?: string;
  act?: (visit: Visit) => Promise<unknown>;
  check?: (row: Row, key: string) => void;
}

/** A hit is its path below the row's own folder, or its action and that. */
export type Expected = string | [action: string, path: string];

/** A situation, and the hits it must make, in order. */
export type Case = [what: string, situation: Situation, hits: Expected[]];

const long = `p${'x'.repeat(3000)}`;

const push = (...paths: string[]) => paths.map((path) => `history.pushState(null, '', '${path}');`).join('\n');

/** Makes pages hidden until `show()`. */
const hidden = () => {
  Object.defineProperty(document, 'visibilityState', { get: () => 'hidden', configurable: true });
  Object.defineProperty(document, 'hidden', { get: () => true, configurable: true });
  Object.assign(globalThis, {
    show: () => {
      Reflect.deleteProperty(document, 'visibilityState');
      Reflect.deleteProperty(document, 'hidden');
      document.dispatchEvent(new Event('visibilitychange'));
    },
  });
};

/** The oldest supported browsers have no Navigation API. */
const withoutNavigation = () => Object.defineProperty(globalThis, 'navigation', { value: undefined });

export const table: Case[] = [
  ['a visit', {}, ['a']],
  ['the tag twice', { html: (key) => tag(key) + tag(key) }, ['a']],
  ['the tag twice, one of them a module', { html: (key) => tag(key) + tag(key, 'type="module"') }, ['a']],
  ['a tag with async', { html: (key) => tag(key, 'async') }, ['a']],
  ['a module', { html: (key) => tag(key, 'type="module"') }, ['a']],
  ['a tag with crossorigin', { html: (key) => tag(key, 'crossorigin') }, ['a']],
  [
    'a tag that a script inserts',
    {
      html: (key) =>
        `<script>const s = document.createElement('script'); s.src = '${service}/${key}/hit.js'; document.head.append(s)</script>`,
    },
    ['a'],
  ],
  [
    'a tag that a framework moves and runs again',
    {
      html: (key) => `<body>${tag(key)}`,
      act: async ({ page, key }) => {
        await page.evaluate(
          (src) =>
            new Promise((resolve) => {
              const old = document.querySelector('script') as HTMLScriptElement;
              const again = document.createElement('script');
              again.src = src;
              again.onload = resolve;
              old.replaceWith(again);
            }),
          `${service}/${key}/hit.js`,
        );
      },
    },
    ['a'],
  ],
  [
    'a page under Cross-Origin-Embedder-Policy',
    { headers: { 'Cross-Origin-Embedder-Policy': 'require-corp', 'Cross-Origin-Opener-Policy': 'same-origin' } },
    ['a'],
  ],
  [
    'a page whose policy allows scripts by nonce',
    {
      headers: { 'Content-Security-Policy': `script-src 'nonce-n'; connect-src ${service}` },
      html: (key) => tag(key, 'nonce="n"'),
    },
    ['a'],
  ],
  [
    'a page whose content security policy forbids the request',
    { headers: { 'Content-Security-Policy': "connect-src 'none'" } },
    [],
  ],
  [
    'a page in a frame',
    {
      html: (key, path) => (path.endsWith('/a') ? `<iframe src="/${key}/inner"></iframe>` : tag(key)),
      act: ({ page }) => page.frames()[1].waitForFunction(() => 'whalewatch' in globalThis),
    },
    ['inner'],
  ],

  ['two pages, one after the other', { act: ({ open }) => open('b') }, ['a', 'b']],
  ['the same page loaded again', { act: ({ page }) => page.reload() }, ['a', 'a']],
  [
    'back out of the page cache',
    {
      act: async ({ page, open }) => {
        await open('b');
        await page.goBack();
      },
    },
    ['a', 'b', 'a'],
  ],
  [
    'navigation within a single page; changes of query and hash are not hits',
    {
      act: async ({ page }) => {
        await page.evaluate(push('b', 'b?sort=name', 'b#part', 'c'));
        await page.goBack();
        await page.goBack();
      },
    },
    ['a', 'b', 'c', 'b'],
  ],
  [
    'the same, in a browser without the Navigation API',
    {
      before: withoutNavigation,
      act: async ({ page }) => {
        await page.evaluate(push('b', 'b?sort=name', 'b#part', 'c'));
        await page.goBack();
        await page.goBack();
        await page.waitForFunction(() => location.search === '?sort=name' || location.hash === '#part');
      },
    },
    ['a', 'b', 'c', 'b'],
  ],
  [
    'history wrapped before the beacon loads',
    {
      html: (key) =>
        `<script>{const {pushState} = history; history.pushState = (...change) => pushState.apply(history, change)}</script>${tag(key)}`,
      act: ({ page }) => page.evaluate(push('b')),
    },
    ['a', 'b'],
  ],
  [
    'history wrapped after the beacon loads',
    {
      act: ({ page }) =>
        page.evaluate(
          `{const {pushState} = history; history.pushState = (...change) => pushState.apply(history, change)}${push('b')}`,
        ),
    },
    ['a', 'b'],
  ],
  [
    'history wrapped before and after, without the Navigation API',
    {
      before: withoutNavigation,
      html: (key) =>
        `<script>{const {pushState} = history; history.pushState = (...change) => pushState.apply(history, change)}</script>${tag(key)}`,
      act: ({ page }) =>
        page.evaluate(
          `{const {pushState} = history; history.pushState = (...change) => pushState.apply(history, change)}${push('b')}`,
        ),
    },
    ['a', 'b'],
  ],
  [
    'a reference to pushState kept before the beacon loads',
    {
      html: (key) => `<script>globalThis.aside = history.pushState.bind(history)</script>${tag(key)}`,
      act: ({ page }) => page.evaluate("aside(null, '', 'b')"),
    },
    ['a', 'b'],
  ],
  [
    'a redirect by replaceState is the same view',
    { act: ({ page }) => page.evaluate(`history.replaceState(null, '', 'b'); ${push('b', 'a')}`) },
    ['a', 'a'],
  ],
  [
    'replaceState to the same address',
    { act: ({ page }) => page.evaluate("history.replaceState({ scroll: 1 }, '')") },
    ['a'],
  ],
  ['routes in the hash, without data-hash', { act: ({ page }) => page.evaluate("location.hash = '#/b'") }, ['a']],
  [
    'routes in the hash, with data-hash',
    {
      html: (key) => tag(key, 'data-hash'),
      act: async ({ page }) => {
        await page.evaluate("location.hash = '#/b'");
        await page.goBack();
        await page.waitForFunction(() => !location.hash);
      },
    },
    ['a', 'a#/b', 'a'],
  ],
  [
    'routes in the hash, without the Navigation API',
    {
      before: withoutNavigation,
      html: (key) => tag(key, 'data-hash'),
      act: async ({ page }) => {
        await page.evaluate("location.hash = '#/b'");
        await page.waitForFunction(() => location.hash === '#/b');
      },
    },
    ['a', 'a#/b'],
  ],

  ['a background tab that is never shown', { before: hidden }, []],
  ['a background tab that is shown later', { before: hidden, act: ({ page }) => page.evaluate('show()') }, ['a']],
  [
    'a background tab that navigates before it is shown',
    { before: hidden, act: ({ page }) => page.evaluate(`${push('b', 'c')} show()`) },
    ['c'],
  ],
  [
    'an action before the tab is shown',
    { before: hidden, act: ({ page }) => page.evaluate("whalewatch('download'); show()") },
    [
      ['download', 'a'],
      ['view', 'a'],
    ],
  ],

  [
    'a prerendered page that is visited, and its actions before that',
    {
      prerenders: true,
      html: (key, path) =>
        path.endsWith('/a')
          ? `<script type="speculationrules">{"prerender": [{"source": "list", "urls": ["b"]}]}</script><a id="to-b" href="b">b</a>${tag(key)}`
          : `<script>window.whalewatch = function () { (whalewatch.q = whalewatch.q || []).push(arguments) }; whalewatch('early')</script>${tag(key)}`,
      act: ({ go }) => go('b'),
    },
    ['a', 'b', ['early', 'b']],
  ],
  [
    'a prerendered page that is never visited',
    {
      prerenders: true,
      html: (key, path) =>
        path.endsWith('/a')
          ? `<script type="speculationrules">{"prerender": [{"source": "list", "urls": ["b"]}]}</script>${tag(key)}`
          : tag(key),
    },
    ['a'],
  ],

  [
    'an action of the page',
    { act: ({ page }) => page.evaluate("whalewatch('download')") },
    [
      ['view', 'a'],
      ['download', 'a'],
    ],
  ],
  [
    'actions before the script loads',
    {
      html: (key) =>
        `<script>window.whalewatch = window.whalewatch || function () { (whalewatch.q = whalewatch.q || []).push(arguments) }; whalewatch('early'); whalewatch('earlier')</script>${tag(key)}`,
    },
    [
      ['view', 'a'],
      ['early', 'a'],
      ['earlier', 'a'],
    ],
  ],
  [
    'calls with any argument',
    {
      act: ({ page }) =>
        page.evaluate(
          "for (const odd of [undefined, null, '', 7, NaN, {}, [], Symbol('x'), () => {}, new Event('click'), { toString() { throw 1 } }, 10n ** 400n]) whalewatch(odd)",
        ),
    },
    [['view', 'a'], ...Array.from({ length: 12 }, (): [string, string] => ['view', 'a'])],
  ],
  [
    'a very long action',
    { act: ({ page }) => page.evaluate("whalewatch('x'.repeat(9999))") },
    [
      ['view', 'a'],
      ['x'.repeat(64), 'a'],
    ],
  ],
  [
    'data-action and data-domain',
    {
      html: (key) => tag(key, 'data-action="checkout" data-domain="shop.example"'),
      check: (row) => assert.equal(row.hits[0].domain, 'shop.example'),
    },
    [['checkout', 'a']],
  ],
  ['an element called whalewatch', { html: (key) => `<div id="whalewatch"></div>${tag(key)}` }, ['a']],

  ['Do Not Track', { before: () => Object.defineProperty(navigator, 'doNotTrack', { get: () => '1' }) }, []],
  [
    'Global Privacy Control',
    { before: () => Object.defineProperty(navigator, 'globalPrivacyControl', { get: () => true }) },
    [],
  ],
  ['an automated browser', { automated: true }, []],
  [
    'storage that throws',
    {
      before: () =>
        Object.defineProperty(globalThis, 'localStorage', {
          get: () => {
            throw new Error('denied');
          },
        }),
    },
    ['a'],
  ],
  [
    "an owner's visit, until counting is on again",
    {
      fresh: true,
      act: async ({ open }) => {
        await open('b?whalewatch=off');
        await open('c');
        await open('d?whalewatch=on');
      },
    },
    ['a', 'd'],
  ],
  ['a crawler is for the server to judge', { userAgent: 'Mozilla/5.0 (compatible; Examplebot/2.1)' }, ['a']],

  ['a page without fetch', { before: () => Object.defineProperty(globalThis, 'fetch', { value: undefined }) }, []],
  [
    'a page whose fetch throws',
    {
      before: () => {
        globalThis.fetch = () => {
          throw new Error('wrapped badly');
        };
      },
    },
    [],
  ],
  [
    'a page whose arrays have a toJSON of their own, as of Prototype.js',
    {
      before: () =>
        Object.defineProperty(Array.prototype, 'toJSON', {
          value(this: unknown[]) {
            return `[${this.map((one) => JSON.stringify(one)).join(', ')}]`;
          },
        }),
      act: ({ page }) => page.evaluate(push('b')),
    },
    ['a', 'b'],
  ],
  [
    'data-api with a whole address',
    {
      html: (key) => tag(key, `data-api="${service}/${key}/elsewhere/count"`),
      check: (row, key) => assert.equal(row.posts[0].path, `/${key}/elsewhere/count`),
    },
    ['a'],
  ],
  [
    'data-api with a folder',
    {
      html: (key) => tag(key, `data-api="${service}/${key}/proxy/"`),
      check: (row, key) => assert.equal(row.posts[0].path, `/${key}/proxy/v1/hits`),
    },
    ['a'],
  ],
  [
    'a script below a folder posts beside itself',
    { check: (row, key) => assert.equal(row.posts[0].path, `/${key}/v1/hits`) },
    ['a'],
  ],
  [
    'neither referrer nor cookie is sent',
    {
      act: ({ page }) => page.evaluate(push('b')),
      check: (row) => {
        for (const { headers } of row.posts)
          assert.deepEqual([headers.referer, headers.cookie], [undefined, undefined]);
      },
    },
    ['a', 'b'],
  ],
  [
    'more hits in the longest path than one request may carry',
    {
      act: ({ page }) => page.evaluate(`${push(long)} for (let i = 0; i < 20; i++) whalewatch('act')`),
      check: (row) => {
        for (const { bytes } of row.posts) assert.ok(bytes < 60_000, `${bytes} bytes`);
      },
    },
    ['a', long, ...Array.from({ length: 20 }, (): [string, string] => ['act', long])],
  ],

  [
    'an outage of five hours',
    {
      fakeClock: true,
      act: async ({ page, row, pass }) => {
        row.status = 503;
        await pass(5 * 60);
        assert.ok(row.posts.length > 10 && row.posts.length < 60, `${row.posts.length} tries`);
        row.status = 202;
        await page.evaluate("whalewatch('later')");
        await pass(10);
      },
    },
    ['a', ['later', 'a']],
  ],
  [
    'a server that is away for two hours',
    {
      fakeClock: true,
      act: async ({ row, pass }) => {
        row.status = 'none';
        await pass(2 * 60);
        row.status = 202;
        await pass(10);
      },
    },
    ['a'],
  ],
  [
    'an outage of two days: what is older than a day is dropped',
    {
      fakeClock: true,
      act: async ({ page, row, pass }) => {
        row.status = 503;
        await pass(47 * 60, 40);
        await page.evaluate("whalewatch('later')");
        await pass(60, 10);
        row.status = 202;
        await pass(10);
      },
    },
    [['later', 'a']],
  ],
  [
    'a request that stays blocked is given up',
    {
      fakeClock: true,
      act: async ({ row, pass }) => {
        row.status = 'none';
        await pass(12 * 60);
        const tries = row.posts.length;
        assert.ok(tries > 10 && tries < 60, `${tries} tries`);
        await pass(6 * 60);
        assert.equal(row.posts.length, tries);
      },
    },
    [],
  ],
  [
    'too many requests',
    {
      fakeClock: true,
      act: async ({ row, pass }) => {
        row.status = 429;
        await pass(1);
        row.status = 202;
        await pass(2);
      },
    },
    ['a'],
  ],
  [
    'a refusal is not sent again',
    {
      fakeClock: true,
      act: async ({ page, row, pass }) => {
        row.status = 400;
        await pass(60);
        assert.equal(row.posts.length, 1);
        row.status = 202;
        await page.evaluate("whalewatch('later')");
      },
    },
    [['later', 'a']],
  ],
];

/** Four pages by links and one step back. */
const walk: Situation['act'] = async ({ go, page }) => {
  for (const name of ['b', 'c', 'a']) await go(name);
  await page.goBack();
  await page.waitForFunction(() => /\/c(\.html)?$/.test(location.href));
};
const walked = ['a', 'b', 'c', 'a', 'c'];
const links = (key: string) => ['a', 'b', 'c'].map((to) => `<a id="to-${to}" href="/${key}/${to}">${to}</a>`).join(' ');
/** A page that the router renders into. */
const routed =
  (name: string, attributes = '', before = '') =>
  (key: string) =>
    `<body data-base="/${key}" ${attributes}><div id="app"></div>${before}${tag(key, attributes)}<script src="/${name}.js"></script>`;
export const routers: Case[] = [
  [
    'Turbo',
    { html: (key) => `<head><script src="/turbo.js"></script>${tag(key)}</head>${links(key)}`, act: walk },
    walked,
  ],
  [
    'Turbo with the tag in the body',
    { html: (key) => `<head><script src="/turbo.js"></script></head><body>${links(key)}${tag(key)}`, act: walk },
    walked,
  ],
  ['React Router', { html: routed('react'), act: walk }, walked],
  ['React Router without the Navigation API', { html: routed('react'), before: withoutNavigation, act: walk }, walked],
  [
    'React Router with a redirect',
    {
      html: routed('react'),
      act: async ({ page }) => {
        await page.click('#to-old');
        await page.waitForFunction(() => location.pathname.endsWith('/c'));
      },
    },
    ['a', 'old'],
  ],
  ['Vue Router', { html: routed('vue'), act: walk }, walked],
  ['Vue Router without the Navigation API', { html: routed('vue'), before: withoutNavigation, act: walk }, walked],
  [
    'Vue Router in the hash',
    { html: routed('vue', 'data-hash'), first: 'app#/a', act: walk },
    walked.map((name) => `app#/${name}`),
  ],
  ['a router of the Navigation API', { html: (key) => routed('navigation', '', links(key))(key), act: walk }, walked],
  ['Astro view transitions', { key: 'astro', first: 'a.html', act: walk }, walked.map((name) => `${name}.html`)],
];
