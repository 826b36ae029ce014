import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { pullOf } from '../support/registry-event.ts';
import { dataFolder, startLocal } from '../support/run.ts';
import { openBrowser } from './browser.ts';

// The pages with the real server: a hit that the beacon sends shows on the map, a notification in its user's history.
const browser = await openBrowser();
const skip = typeof browser === 'string' && browser;

const server = startLocal(dataFolder({ after }), ['--export-every', '0.5']);

after(async () => {
  if (typeof browser !== 'string') await browser.close();
  await (await server).kill();
});

test('without a reload, hits show on the open map, and pulls on the open page of a user', { skip }, async (t) => {
  if (typeof browser === 'string') return;
  const running = await server;
  const context = await browser.newContext({ userAgent: 'Mozilla/5.0 Chrome/153.0' });
  t.after(() => context.close());
  context.setDefaultTimeout(90_000);

  const map = await context.newPage();
  await map.goto(running.origin);
  await map.getByText('No hits yet.').waitFor();
  const send = (domain: string, address: string) =>
    running.post('/v1/hits', { domain, action: 'view' }, { 'X-Forwarded-For': address });
  assert.equal((await send('live.example', '8.8.8.8')).status, 202);
  await map.getByText('in 7 days, from 1 domain').waitFor();
  await map.getByRole('button', { name: 'live.example' }).click();
  await map.getByRole('heading', { name: 'live.example' }).waitFor();
  assert.equal((await send('second.example', '1.1.1.1')).status, 202);
  await map.getByText('in 7 days, from 2 domains').waitFor();

  const person = await context.newPage();
  await person.goto(`${running.origin}/people?user=anna`);
  await person.getByText('Nothing is known of this name.').waitFor();
  assert.equal((await running.post('/v1/registry-events', { events: [pullOf('anna', 'team/app')] })).status, 202);
  await person.getByRole('link', { name: 'team/app' }).waitFor();
});

test('a page of another origin is counted by its beacon', { skip }, async (t) => {
  if (typeof browser === 'string') return;
  const running = await server;
  const context = await browser.newContext({ userAgent: 'Mozilla/5.0 Chrome/153.0' });
  t.after(() => context.close());
  context.setDefaultTimeout(90_000);
  await context.addInitScript(() => Object.defineProperty(navigator, 'webdriver', { get: () => false }));
  // Another port is another origin. A public host name would not work: browsers block such pages from this machine's
  // addresses.
  const portalServer = createServer((_, response) =>
    response
      .writeHead(200, { 'Content-Type': 'text/html' })
      .end(`<!doctype html><script defer src="${running.origin}/hit.js"></script>`),
  );
  await new Promise<void>((resolve) => portalServer.listen(0, '127.0.0.1', resolve));
  t.after(() => portalServer.close());
  const portal = await context.newPage();
  const answered = portal.waitForResponse(`${running.origin}/v1/hits`);
  await portal.goto(`http://127.0.0.1:${(portalServer.address() as AddressInfo).port}/`);
  assert.equal((await answered).status(), 202);
});
