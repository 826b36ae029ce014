// The beacon's situations in Firefox, except those with a fake clock or prerendered pages, which it does not have.
import { existsSync } from 'node:fs';
import { after } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import puppeteer, { type Browser, type Frame, type Page } from 'puppeteer-core';
import { closeSite } from './site.ts';
import type { Situation, Tab } from './situations.ts';
import { type OpenedTab, trySituations } from './visit.ts';

const executablePath = [process.env.FIREFOX_PATH, '/usr/bin/firefox-esr', '/usr/bin/firefox'].find(
  (path) => path && existsSync(path),
);
/** A transition between pages waits for its window to be drawn, and one behind another is not. */
const extraPrefsFirefox = { 'dom.viewTransitions.enabled': false };
const browser = executablePath
  ? await puppeteer.launch({ browser: 'firefox', executablePath, extraPrefsFirefox })
  : undefined;

after(async () => {
  await browser?.close();
  closeSite();
});

async function openTab(
  { userAgent, fresh, automated, before }: Situation,
  thrown: (error: unknown) => void,
): Promise<OpenedTab> {
  const context = fresh ? await (browser as Browser).createBrowserContext() : undefined;
  // A tab behind another would be hidden.
  const page = await (context ?? (browser as Browser)).newPage({ type: 'window' });
  if (userAgent) await page.setUserAgent({ userAgent });
  if (!automated)
    await page.evaluateOnNewDocument(() => Object.defineProperty(navigator, 'webdriver', { get: () => false }));
  if (before) await page.evaluateOnNewDocument(before);
  // Turbo's own requests fail when a page is left.
  page.on('pageerror', (error) => String((error as Error).stack).includes('hit.js') && thrown(error));
  return { page: asTab(page), close: async () => void (await (context ?? page).close()) };
}

/** Navigates by the page's own means: Puppeteer loses count where a page comes back out of the cache. */
function asTab(page: Page): Tab {
  const waiting = (frame: Page | Frame) => ({
    waitForFunction: (test: (argument: unknown) => unknown, argument?: unknown) =>
      frame.waitForFunction(test, {}, argument),
  });
  // A page that goes into the cache may never respond.
  const at = () => {
    const address = () => document.readyState === 'complete' && location.href;
    return Promise.race([page.evaluate(address).catch(() => false), setTimeout(500, false)]);
  };
  const until = async (there: (address: string) => boolean) => {
    for (let address = await at(); typeof address !== 'string' || !there(address); address = await at())
      await setTimeout(20);
  };
  return {
    ...waiting(page),
    goto: async (url) => {
      await page.evaluate((url) => void globalThis.setTimeout(() => location.assign(url)), url);
      await until((address) => address === url);
    },
    evaluate: (work, argument) => page.evaluate(work, argument),
    click: (selector) => page.click(selector),
    reload: () => page.reload(),
    goBack: async () => {
      const from = await page.evaluate(() => location.href);
      await page.evaluate(() => void globalThis.setTimeout(() => history.back()));
      await until((address) => address !== from);
    },
    frames: () => page.frames().map(waiting),
  };
}

trySituations('Firefox', openTab, {
  skip: !browser && 'no Firefox: set FIREFOX_PATH to one',
  has: ({ fakeClock, prerenders }) => !fakeClock && !prerenders,
  // A transition between pages waits for a window that is drawn, and only the one in front always is.
});
