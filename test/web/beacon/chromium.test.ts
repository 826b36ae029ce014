// The beacon's situations in Chromium.
import { after } from 'node:test';
import type { BrowserContext, Page } from 'playwright-core';
import { openBrowser } from '../browser.ts';
import { closeSite } from './site.ts';
import type { Situation } from './situations.ts';
import { type OpenedTab, trySituations } from './visit.ts';

const browser = await openBrowser();
/** A browser that does not call itself automated, as the test's own does. */
const person = { userAgent: 'Mozilla/5.0 Chrome/153.0' };
/** Situations that need no context of their own share one: each costs a second. */
const shared = typeof browser === 'string' ? Promise.reject(browser) : browser.newContext(person);
shared.catch(() => {});
/** Tabs of the shared context that a situation has left. They keep the processes of both sites alive. */
const left: Page[] = [];

after(async () => {
  if (typeof browser !== 'string') await browser.close();
  closeSite();
});

const notAutomated = () => Object.defineProperty(navigator, 'webdriver', { get: () => false });

async function openTab(situation: Situation, thrown: (error: unknown) => void): Promise<OpenedTab> {
  if (typeof browser === 'string') throw new Error(browser);
  const { userAgent, fresh, fakeClock, automated, before } = situation;
  if (fresh || fakeClock || userAgent || automated || before) {
    const own = fresh || fakeClock || userAgent;
    const context = own ? await browser.newContext({ ...person, ...(userAgent && { userAgent }) }) : await shared;
    const page = await context.newPage();
    if (!automated) await page.addInitScript(notAutomated);
    if (before) await page.addInitScript(before);
    page.on('pageerror', thrown);
    if (fakeClock) await page.clock.install();
    return { page, passes: (ms) => page.clock.runFor(ms), close: () => (own ? context : page).close() };
  }
  const page = left.pop() ?? (await newTab(await shared));
  page.on('pageerror', thrown);
  return {
    page,
    close: async () => {
      page.off('pageerror', thrown);
      left.push(page);
    },
  };
}

async function newTab(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  await page.addInitScript(notAutomated);
  return page;
}

trySituations('Chromium', openTab, { skip: typeof browser === 'string' && browser });
