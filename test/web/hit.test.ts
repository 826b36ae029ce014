import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import type { Page } from 'playwright-core';
import { buildPages } from '../../web/build.ts';
import { openBrowser } from './browser.ts';
import { startWorld } from './world.ts';

interface Hit {
  domain: string;
  action: string;
  path: string;
  id: string;
}

const browser = await openBrowser();
const skip = typeof browser === 'string' && browser;
const world = await startWorld(await buildPages({ quiet: true }));

// The portal is another origin than the service, as it is out there.
const portal = createServer((request, response) => {
  const { searchParams } = new URL(request.url ?? '/', 'http://portal');
  response
    .writeHead(200, { 'Content-Type': 'text/html' })
    .end(
      `<!doctype html><title>Portal</title><script defer src="${world.url}/hit.js" ${searchParams.get('attributes') ?? ''}></script>`,
    );
});
await new Promise<void>((resolve) => portal.listen(0, '127.0.0.1', resolve));
const portalUrl = `http://localhost:${(portal.address() as AddressInfo).port}`;

after(async () => {
  if (typeof browser !== 'string') await browser.close();
  portal.closeAllConnections();
  portal.close();
  await world.close();
});

/** A person's browser: one that doesn't call itself automated, as the test's own does. */
async function visit(
  url: string,
  before: () => void = () => {},
  userAgent = 'Mozilla/5.0 Chrome/153.0',
): Promise<Page> {
  if (typeof browser === 'string') throw new Error(browser);
  world.posted.length = 0;
  const context = await browser.newContext({ userAgent });
  context.setDefaultTimeout(90_000);
  await context.addInitScript(() => Object.defineProperty(navigator, 'webdriver', { get: () => false }));
  await context.addInitScript(before);
  const page = await context.newPage();
  await page.goto(url);
  return page;
}

/** Leaves the page, which makes the beacon send all it has, and answers the hits that came. */
async function leave(page: Page, wanted: number): Promise<Hit[]> {
  await page.goto('about:blank');
  const hits = () => world.posted.flat() as Hit[];
  // What is wanted to come is waited for; what must not come had the same chance once one more page was seen through.
  for (let turn = 0; turn < 200 && hits().length < wanted; turn++)
    await page.evaluate(() => new Promise(requestAnimationFrame));
  await page.goto(`${world.url}/setup`);
  await page.context().close();
  return hits();
}

test('a visit sends one hit with the host name, the path and an id', { skip }, async () => {
  const hits = await leave(await visit(`${portalUrl}/prices?attributes=`), 1);
  assert.equal(hits.length, 1);
  assert.equal(hits[0].domain, 'localhost');
  assert.equal(hits[0].action, 'view');
  assert.equal(hits[0].path, '/prices');
  assert.match(hits[0].id, /^[a-z0-9]{8,}$/);
});

test('data-domain and data-action say what to count as', { skip }, async () => {
  const attributes = encodeURIComponent('data-domain="shop.example" data-action="checkout"');
  const [hit] = await leave(await visit(`${portalUrl}/?attributes=${attributes}`), 1);
  assert.equal(hit.domain, 'shop.example');
  assert.equal(hit.action, 'checkout');
});

test('the first hit of a visit does not wait for its end', { skip }, async () => {
  const page = await visit(`${portalUrl}/`);
  const request = world.posted.length > 0 ? undefined : await page.waitForRequest(`${world.url}/v1/hits`);
  if (request) assert.equal(request.headers()['content-type'], 'text/plain;charset=UTF-8');
  await leave(page, 1);
});

test('steps within a single page are hits, sent together; its query and hash are not', { skip }, async () => {
  const page = await visit(`${portalUrl}/a`);
  await page.evaluate(() => {
    history.pushState(null, '', '/b');
    history.pushState(null, '', '/b?sort=name');
    history.pushState(null, '', '/b#part');
    history.pushState(null, '', '/c');
  });
  await page.goBack();
  await page.goBack();
  await page.waitForFunction(() => location.hash === '' && location.search !== '');
  const hits = await leave(page, 4);
  assert.deepEqual(
    hits.map(({ path }) => path),
    ['/a', '/b', '/c', '/b'],
  );
  assert.equal(new Set(hits.map(({ id }) => id)).size, 4);
  assert.ok(world.posted.length <= 2, `${world.posted.length} requests`);
});

test('a page can count an act of its own', { skip }, async () => {
  const page = await visit(`${portalUrl}/`);
  await page.evaluate(() => (window as unknown as { whalewatch(action: string): void }).whalewatch('download'));
  const hits = await leave(page, 2);
  assert.deepEqual(
    hits.map(({ action }) => action),
    ['view', 'download'],
  );
});

test('a refused post is sent again with the same ids', { skip }, async () => {
  world.answer = 503;
  const page = await visit(`${portalUrl}/`, () => {
    // The pause before the second try is not waited for.
    const { setTimeout } = window;
    window.setTimeout = ((act: () => void, milliseconds?: number) =>
      setTimeout(act, (milliseconds ?? 0) / 100)) as typeof setTimeout;
  });
  while (world.posted.length === 0) await page.evaluate(() => new Promise(requestAnimationFrame));
  world.answer = 202;
  const tries = world.posted.length;
  while (world.posted.length === tries) await page.evaluate(() => new Promise(requestAnimationFrame));
  const [first, ...again] = world.posted as Hit[][];
  await leave(page, 1);
  assert.equal(again[again.length - 1][0].id, first[0].id);
});

for (const [what, before, userAgent] of [
  ['Do Not Track', () => Object.defineProperty(navigator, 'doNotTrack', { get: () => '1' })],
  ['Global Privacy Control', () => Object.defineProperty(navigator, 'globalPrivacyControl', { get: () => true })],
  ['a crawler', () => {}, 'Mozilla/5.0 (compatible; Examplebot/2.1)'],
] as [string, () => void, string?][])
  test(`${what} is left out`, { skip }, async () => {
    assert.deepEqual(await leave(await visit(`${portalUrl}/`, before, userAgent), 0), []);
  });

test('an automated browser is left out', { skip }, async () => {
  if (typeof browser === 'string') return;
  world.posted.length = 0;
  const page = await browser.newPage({ userAgent: 'Mozilla/5.0 Chrome/153.0' });
  await page.goto(`${portalUrl}/`);
  assert.deepEqual(await leave(page, 0), []);
});

test("the owner's own visits are left out once the page was opened with ?whalewatch=off, until =on", {
  skip,
}, async () => {
  const page = await visit(`${portalUrl}/?whalewatch=off`);
  await page.goto(`${portalUrl}/later`);
  assert.deepEqual(world.posted, []);
  await page.goto(`${portalUrl}/back?whalewatch=on`);
  const hits = await leave(page, 1);
  assert.deepEqual(
    hits.map(({ path }) => path),
    ['/back'],
  );
});
