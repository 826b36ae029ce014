// What the page tests share: a browser with a small world of data, and `look`, which opens a page in it.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { AxeBuilder } from '@axe-core/playwright';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { buildPages } from '../../web/build.ts';
import { openBrowser } from './browser.ts';
import { type Mood, startWorld } from './world.ts';

const browser = await openBrowser();
/** Why there is no browser to look with. */
export const skip = typeof browser === 'string' && browser;
export const world = await startWorld(await buildPages());

after(async () => {
  if (typeof browser !== 'string') await browser.close();
  await world.close();
});

/** All pages of a file share one process, which has axe and the scripts compiled already: half the processor time. */
const context = typeof browser === 'string' ? undefined : await sharedBy(browser);

async function sharedBy(browser: Browser): Promise<BrowserContext> {
  const context = await browser.newContext();
  // A busy machine is slow to draw, not wrong.
  context.setDefaultTimeout(90_000);
  // A page that stays open keeps the process alive.
  await (await context.newPage()).goto(`${world.url}/favicon.svg`);
  return context;
}

interface Sight {
  width?: number;
  height?: number;
  dark?: boolean;
  mood?: Mood;
  /** Runs in the page before anything else, at each load. */
  before?: () => void;
}

/** Opens a page and fails the test on anything the browser complains about. */
export async function see(
  path: string,
  { width = 1280, height = 800, dark = false, mood = 'busy', before }: Sight,
  look: (page: Page) => Promise<void>,
): Promise<void> {
  if (!context) return;
  world.mood = mood;
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
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
  await page.goto(`${world.url}${path}`);
  try {
    await look(page);
  } finally {
    // The next page must not find anything of this one.
    await session.send('Storage.clearDataForOrigin', { origin: world.url, storageTypes: 'all' });
    await session.send('Network.clearBrowserCache');
    await page.close();
    world.mood = 'busy';
  }
  assert.deepEqual(complaints, []);
}

/** Waits until everything has loaded: no skeleton, no chart still to draw, the map's controls present. */
export async function settled(page: Page): Promise<void> {
  await page.waitForFunction(() => !document.querySelector('.bone, [aria-busy=true]') && document.querySelector('h1'));
  await page.evaluate(() => document.fonts.ready);
}

/** Fails on violations that axe finds; `rules`: only these, default all. */
export async function accessible(page: Page, rules?: string[]): Promise<void> {
  // Legacy mode: the default opens another page each time for frames of other origins, which no page here has, and
  // takes twice as long.
  const axe = new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ['violations'] });
  if (rules) axe.withRules(rules);
  const { violations } = await axe.analyze();
  assert.deepEqual(
    violations.map(
      ({ id, nodes }) =>
        `${id}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`).join('; ')}`,
    ),
    [],
  );
}

export async function fits(page: Page): Promise<void> {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(over, 0, `the page is ${over} pixels wider than the window`);
}
