import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectApp } from '#collect/app.ts';
import type { StreamRecord } from '#core/stores.ts';

const records: StreamRecord[] = [];
const put = async (more: StreamRecord[]) => {
  records.push(...more);
};
const app = collectApp({
  stream: { put },
  hits: { put },
  token: async () => 'token',
  peer: () => '81.2.69.142',
  trustedProxies: [],
  addressHeader: 'X-Forwarded-For',
  networks: {},
  clock: () => Date.UTC(2026, 10, 28),
  newKey: () => 'key',
  report: (cause) => assert.fail(String(cause)),
});

const chrome = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/153.0.0.0 Safari/537.36';
for (const [who, headers, accepted] of [
  ["a person's browser", { Origin: 'https://portal.example', 'User-Agent': chrome }, 2],
  [
    'a crawler that runs the beacon',
    {
      Origin: 'https://portal.example',
      'User-Agent': 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
    },
    0,
  ],
  [
    'a headless browser',
    { Origin: 'https://portal.example', 'User-Agent': chrome.replace('Chrome', 'HeadlessChrome') },
    0,
  ],
  [
    'a phone called Cubot',
    {
      Origin: 'https://portal.example',
      'User-Agent':
        'Mozilla/5.0 (Linux; Android 13; CUBOT X70) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/153.0.0.0 Mobile Safari/537.36',
    },
    2,
  ],
  ['curl from a back end', { 'User-Agent': 'curl/8.5.0' }, 2],
  ['a back end without a user agent', {}, 2],
] as [string, Record<string, string>, number][])
  test(`hits of ${who}: ${accepted || 'none'} counted`, async () => {
    records.length = 0;
    const body = JSON.stringify([{ domain: 'portal.example' }, { domain: 'portal.example', action: 'login' }]);
    const response = await app.request('/v1/hits', { method: 'POST', body, headers });
    assert.equal(response.status, 202);
    const counts = (await response.json()) as { accepted: number; ignored?: number };
    assert.equal(counts.accepted, accepted);
    assert.equal(counts.ignored ?? 0, 2 - accepted);
    assert.equal(records.length > 0, accepted > 0);
  });

test('a hit from a private address is counted, and the response says why nothing appears on the map', async () => {
  const from = (address: string) =>
    collectApp({
      ...{
        stream: { put: async () => {} },
        hits: { put: async () => {} },
        token: async () => 'token',
        peer: () => address,
        trustedProxies: [],
      },
      ...{
        addressHeader: 'X-Forwarded-For',
        networks: { '10.1.0.0/16': { lat: 1, lon: 2, country: '', name: 'VPN' } },
      },
      ...{ clock: () => Date.UTC(2026, 10, 28), newKey: () => 'key', report: () => {} },
    }).request('/v1/hits', { method: 'POST', body: '{"domain": "portal.example"}' });
  const told = { accepted: 1, location: 'private address: no location' };
  assert.deepEqual(await (await from('10.2.3.4')).json(), told);
  assert.deepEqual(await (await from('::1')).json(), told);
  assert.deepEqual(await (await from('10.1.3.4')).json(), { accepted: 1 });
  assert.deepEqual(await (await from('81.2.69.142')).json(), { accepted: 1 });
});
