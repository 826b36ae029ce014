// The beacon's situations in Chromium.
import { after } from 'node:test';
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

after(async () => {
  if (typeof browser !== 'string') await browser.close();
  closeSite();
});

async function openTab(
  { userAgent, fresh, fakeClock, automated, before }: Situation,
  thrown: (error: unknown) => void,
): Promise<OpenedTab> {
  if (typeof browser === 'string') throw new Error(browser);
  const own = fresh || fakeClock || userAgent;
  const context = own ? await browser.newContext({ ...person, ...(userAgent && { userAgent }) }) : await shared;
  const page = await context.newPage();
  if (!automated) await page.addInitScript(() => Object.defineProperty(navigator, 'webdriver', { get: () => false }));
  if (before) await page.addInitScript(before);
  page.on('pageerror', thrown);
  if (fakeClock) await page.clock.install();
  return { page, passes: (ms) => page.clock.runFor(ms), close: () => (own ? context : page).close() };
}

trySituations('Chromium', openTab, { skip: typeof browser === 'string' && browser });
