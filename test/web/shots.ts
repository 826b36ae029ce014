// npm run shots [-- FOLDER [NAME…]]: makes a picture of every page in every state, to look at; all pages unless some are named.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { buildPages } from '../../web/build.ts';
import { openBrowser } from './browser.ts';
import { everyPage } from './every-page.ts';
import { type Mood, startWorld } from './world.ts';

const moods: Record<Mood, string> = {
  ...{ busy: 'with data', empty: 'before anything arrived', failing: 'the stores do not answer' },
  ...{
    stale: 'nothing new for minutes',
    quiet: 'no hits for minutes',
    private: 'not signed in',
    closed: 'not signed in, the map not public',
    unwell: 'something is down',
  },
};

const [folder = 'build/shots', ...names] = process.argv.slice(2);
const unknown = names.filter((name) => !Object.hasOwn(everyPage, name));
if (unknown.length > 0) {
  console.error(`unknown page "${unknown[0]}": must be one of ${Object.keys(everyPage).join(', ')}`);
  process.exit(1);
}
const browser = await openBrowser();
if (typeof browser === 'string') {
  console.error(`no pictures: ${browser}`);
  process.exit(1);
}
const world = await startWorld(await buildPages());
mkdirSync(folder, { recursive: true });
let made = 0;
for (const width of [1440, 390])
  for (const theme of ['light', 'dark'] as const)
    for (const mood of Object.keys(moods) as Mood[])
      for (const name of names.length > 0 ? names : Object.keys(everyPage))
        await shoot(browser, name, { width, theme, mood });
console.log(`${made} pictures in ${folder}`);
await browser.close();
await world.close();

async function shoot(
  browser: Browser,
  name: string,
  { width, theme, mood }: { width: number; theme: 'light' | 'dark'; mood: Mood },
): Promise<void> {
  world.mood = mood;
  const page = await browser.newPage({
    ...{ viewport: { width, height: width > 600 ? 900 : 844 }, colorScheme: theme, reducedMotion: 'reduce' },
  });
  await page.goto(`${world.url}${everyPage[name]}`);
  await page.waitForFunction(() => !document.querySelector('.bone, [aria-busy=true]') && document.querySelector('h1'));
  await page.evaluate(() => document.fonts.ready);
  // Charts are drawn once their script has come, discs once the land below them is there.
  await page.waitForFunction(() =>
    [...document.querySelectorAll('.chart:not([hidden])')].every((chart) => chart.querySelector('canvas')),
  );
  // Where there are none to draw, whoever looks at the picture sees whether that is right.
  const discs = () => performance.getEntriesByName('clusters').length > 0;
  if (await page.$('.maplibregl-canvas')) await page.waitForFunction(discs, null, { timeout: 15_000 }).catch(() => {});
  const path = join(folder, `${name}-${mood}-${theme}-${width}.png`);
  await page.screenshot({ path, fullPage: name !== 'map', animations: 'disabled' });
  await page.close();
  made++;
}
