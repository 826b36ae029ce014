// The page on Yandex Maps, with the real server. Their API is not available here: a stand-in does the part that the
// page uses, which is to request our endpoint as RemoteObjectManager's documentation says, under the page's own content
// security policy.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dataFolder, startLocal } from '../support/run.ts';
import { browser, see, skip, world } from './look.ts';

const api = `
  class RemoteObjectManager {
    constructor(template) { this.template = template; }
    reloadData() {
      const name = 'id_' + Math.floor(performance.now() * 1000);
      window[name] = (data) => { document.title = JSON.stringify(data.features.map(({ type, geometry }) => [type, geometry.coordinates])); };
      const script = document.createElement('script');
      script.src = this.template.replace('%b', '-85,-180,85,180').replace('%z', '2') + '&callback=' + name;
      document.head.append(script);
    }
  }
  window.ymaps = {
    ready: (act) => act(),
    Map: class { geoObjects = { add: (manager) => manager.reloadData() }; destroy() {} },
    RemoteObjectManager,
  };`;

test('with a key the page loads their API, and shows the domains from our endpoint', { skip }, async (t) => {
  if (typeof browser === 'string') return;
  const running = await startLocal(dataFolder(t), ['--export-every', '0.5', '--yandex-maps-key', 'a-key-1']);
  t.after(() => running.kill());
  const context = await browser.newContext();
  t.after(() => context.close());
  context.setDefaultTimeout(90_000);
  const foreign: string[] = [];
  await context.route(
    (url) => url.origin !== running.origin,
    (route) => {
      foreign.push(route.request().url());
      return route.fulfill({ contentType: 'text/javascript', body: api });
    },
  );
  await running.post('/v1/hits', { domain: 'live.example', action: 'view' }, { 'X-Forwarded-For': '8.8.8.8' });
  const page = await context.newPage();
  const refused: string[] = [];
  // Until the first export there is no map, which is not the policy's fault.
  page.on('console', (message) => /Content Security Policy/.test(message.text()) && refused.push(message.text()));
  const reply = await page.goto(`${running.origin}/yandex`);
  assert.match(reply?.headers()['content-security-policy'] ?? '', /script-src 'self' https:\/\/api-maps\.yandex\.ru/);
  await page.waitForFunction(() => document.title.includes('Feature'));
  assert.match(await page.title(), /^\[\["Feature",\[-?\d+\.\d+,-?\d+\.\d+\]\]\]$/);
  assert.deepEqual(foreign, ['https://api-maps.yandex.ru/2.1/?lang=en_US&apikey=a-key-1']);
  assert.deepEqual(refused, []);
  for (const path of ['/', '/embed', '/people']) {
    const other = await page.request.get(`${running.origin}${path}`);
    assert.doesNotMatch(other.headers()['content-security-policy'], /yandex|unsafe-eval/, path);
  }
});

test('without a key nothing is loaded from another site, and the page says which setting is missing', { skip }, () =>
  see('/yandex', {}, async (page) => {
    const foreign: string[] = [];
    page.on('request', (request) => request.url().startsWith(world.url) || foreign.push(request.url()));
    await page.reload();
    await page.getByText('No key of Yandex Maps is set.').waitFor();
    await page.getByText('yandexMapsKey').waitFor();
    assert.deepEqual(foreign, []);
  }),
);
