// What the page tests share: a browser with a small world of data, and `look`, which opens a page in it.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import axe from 'axe-core';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { buildPages } from '../../web/build.ts';
import { openBrowser } from './browser.ts';
import { type Mood, startWorld } from './world.ts';

/** A browser, or why none can be started. */
export const browser = await openBrowser();
/** Why page tests are skipped. */
export const skip = typeof browser === 'string' && browser;
export const world = await startWorld(await buildPages());

after(async () => {
  if (typeof browser !== 'string') await browser.close();
  await world.close();
});

/**
 * All pages of a file share one process, which has axe and the scripts compiled already, and most share a tab: a new one
 * takes as much processor time as what it shows.
 */
const context = typeof browser === 'string' ? undefined : await sharedBy(browser);
/** The tab that the last test left. */
let left: Page | undefined;

async function sharedBy(browser: Browser): Promise<BrowserContext> {
  const context = await browser.newContext();
  // Maps and charts draw at half their resolution: WebGL is software here, and pays by the pixel.
  await context.addInitScript(() => Object.defineProperty(globalThis, 'devicePixelRatio', { value: 0.5 }));
  await context.addInitScript(noteMoves);
  // A busy machine is slow to draw, not wrong.
  context.setDefaultTimeout(90_000);
  // A page that stays open keeps the process alive.
  await (await context.newPage()).goto(`${world.url}/favicon.svg`);
  return context;
}

/** Sums the layout shifts of a page while it loads. */
function noteMoves() {
  const moved = globalThis as unknown as { moved: number };
  moved.moved = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) moved.moved += (entry as unknown as { value: number }).value;
  }).observe({ type: 'layout-shift', buffered: true });
}

/** Fails if the layout shifted. Web Vitals rates up to 0.1 as good. */
export async function unmoved(page: Page): Promise<void> {
  const moved = await page.evaluate(() => (globalThis as unknown as { moved: number }).moved);
  assert.ok(moved < 0.05, `the page moved by ${moved}`);
}

interface Sight {
  width?: number;
  height?: number;
  dark?: boolean;
  mood?: Mood;
  /** Runs in the page before anything else, at each load. */
  before?: () => void;
}

/**
 * Opens a page, and fails the test on anything the browser complains about. `look` also gets the URLs of responses that
 * are errors.
 */
export async function see(
  path: string,
  { width = 1280, height = 800, dark = false, mood = 'busy', before }: Sight,
  look: (page: Page, refused: string[]) => Promise<void>,
): Promise<void> {
  if (!context) return;
  world.mood = mood;
  const page = (!before && left) || (await context.newPage());
  if (page === left) left = undefined;
  await page.setViewportSize({ width, height });
  await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light', reducedMotion: 'reduce' });
  if (before) await page.addInitScript(before);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    // The moods cause refused requests, which the console reports by itself.
    if (
      ['error', 'warning'].includes(message.type()) &&
      !/Failed to load resource|GPU stall|GL Driver/.test(message.text())
    )
      complaints.push(message.text());
  });
  const refused: string[] = [];
  page.on('response', (response) => response.status() >= 400 && refused.push(response.url()));
  await page.goto(`${world.url}${path}`);
  try {
    await look(page, refused);
  } finally {
    await clear(page);
    if (before) await page.close();
    else left = page;
    world.mood = 'busy';
  }
  assert.deepEqual(complaints, []);
}

/** The next test must not find anything of this one. */
async function clear(page: Page): Promise<void> {
  for (const event of ['pageerror', 'console', 'response', 'request', 'requestfinished', 'requestfailed'])
    page.removeAllListeners(event);
  await page.mouse.move(-1, -1);
  await page.evaluate(() => sessionStorage.clear());
  await page.goto('about:blank');
  const session = await page.context().newCDPSession(page);
  await session.send('Storage.clearDataForOrigin', { origin: world.url, storageTypes: 'all' });
  await session.send('Network.clearBrowserCache');
  await session.detach();
}

/** Waits until everything has loaded: no skeleton, no chart still to draw, the map's controls present. */
export async function settled(page: Page): Promise<void> {
  await page.waitForFunction(() => !document.querySelector('.bone, [aria-busy=true]') && document.querySelector('h1'));
  await page.evaluate(() => document.fonts.ready);
}

/** Fails on violations that axe finds; `rules`: only these, default all. */
export async function accessible(page: Page, rules?: string[]): Promise<void> {
  // Once per document: compiling axe takes as long as running it.
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axe.source);
  const violations = await page.evaluate(async (rules) => {
    const { violations } = await (globalThis as unknown as { axe: typeof axe }).axe.run({
      resultTypes: ['violations'],
      ...(rules && { runOnly: { type: 'rule', values: rules } }),
    });
    return violations.map(
      ({ id, nodes }) =>
        `${id}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`).join('; ')}`,
    );
  }, rules);
  assert.deepEqual(violations, []);
}

export async function fits(page: Page): Promise<void> {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(over, 0, `the page is ${over} pixels wider than the window`);
}
