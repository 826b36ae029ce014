import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import type { ClusterProperties } from '../../web/api.ts';
import { accessible, see, settled, skip, world } from './look.ts';

test('the most visited domains of 7 and 30 days are the sums of their days', { skip }, () =>
  see('/', {}, async (page) => {
    await settled(page);
    const first = page.getByRole('button', { name: /london-0\.example/ });
    assert.match((await first.textContent()) ?? '', /9K$/);
    await page.getByRole('button', { name: '7 days' }).click();
    await page.getByRole('button', { name: /london-0\.example\s*63K/ }).waitFor();
    await page.getByText("Counted from each day's 200 most visited.").waitFor();
    await page.getByRole('button', { name: '30 days' }).click();
    await page.getByRole('button', { name: /london-0\.example\s*270K/ }).waitFor();
    await accessible(page);
  }),
);

test('the map says when it is stale, and when the connection is lost, and keeps its data', { skip }, () =>
  see('/', { mood: 'stale' }, async (page) => {
    await settled(page);
    await page.getByText('Stale', { exact: true }).waitFor();
    assert.match((await page.locator('.panel').textContent()) ?? '', /updated 12 min ago/);
    world.mood = 'failing';
    await page.getByText('Connection lost').waitFor();
    assert.match((await page.locator('.panel').textContent()) ?? '', /hits\s*in 30 days, 400 domains/);
    await accessible(page);
    world.mood = 'busy';
    await page.getByText('Live', { exact: true }).waitFor();
  }),
);

test('an hour without hits is no warning while all is well', { skip }, () =>
  see('/', { mood: 'quiet' }, async (page) => {
    const asked = page.waitForResponse(`${world.url}/v1/health`);
    await settled(page);
    await asked;
    await page.getByText('last hit 12 min ago').waitFor();
    assert.equal(await page.locator('.status').textContent(), 'Livelast hit 12 min ago');
    assert.doesNotMatch((await page.locator('.panel').textContent()) ?? '', /Stale|No hits for/);
  }),
);

test('the list covers neither the legend nor most of the map, whatever the size of the window', { skip }, () =>
  see('/', {}, async (page) => {
    await settled(page);
    await page.locator('.controls').waitFor();
    for (const [width, height] of [
      [1024, 768],
      [768, 1024],
      [844, 390],
      [390, 700],
    ]) {
      await page.setViewportSize({ width, height });
      const box = (what: string) => page.locator(what).evaluate((element) => element.getBoundingClientRect().toJSON());
      const [panel, legend, stage] = [await box('.panel'), await box('.legend'), await box('.map-stage')];
      const boxes = `${width} by ${height}: ${JSON.stringify({ panel, legend, stage })}`;
      assert.ok(legend.right <= stage.right && legend.left >= stage.left && legend.bottom <= stage.bottom, boxes);
      assert.ok(legend.left >= panel.right || legend.bottom <= panel.top, boxes);
      assert.ok(panel.width * panel.height < 0.4 * stage.width * stage.height, boxes);
      const hidden = await page.locator('.legend .segments').evaluate((found) => found.scrollWidth - found.clientWidth);
      assert.equal(hidden, 0, 'pixels of the choices that do not fit');
      await page.getByRole('button', { name: 'Last hour' }).click();
      await accessible(page);
    }
  }),
);

test('a new domain shows without a reload: the number, the tiles of the new snapshot', { skip }, () =>
  see('/', {}, async (page) => {
    await settled(page);
    await page.locator('.controls').waitFor();
    const before = await page.locator('.panel-top').textContent();
    const tile = page.waitForRequest((request) => /\/v1\/tiles\/s\d+\//.test(request.url()));
    world.add('fresh.example', 15, -40);
    await tile;
    await page.waitForFunction((text) => document.querySelector('.panel-top')?.textContent !== text, before);
    await page.getByText(/401 domains/).waitFor();
  }),
);

test('the old clusters stay until the new ones are there: nothing flickers', { skip }, () =>
  see('/#4/51.5/0', {}, async (page) => {
    await settled(page);
    await page.locator('.controls').waitFor();
    // Where London's cluster is, and nothing that moves.
    const clip = { x: 560, y: 360, width: 160, height: 140 };
    const look = () => picture(page, clip);
    // The first tiles are there once two looks agree, and on something else than bare land.
    let before = await look();
    for (let next = await look(); next.digest !== before.digest || !before.cluster; next = await look()) before = next;
    let release = () => {};
    world.tilesWait = new Promise((resolve) => {
      release = resolve;
    });
    const asked = page.waitForRequest((request) => /\/v1\/tiles\//.test(request.url()));
    world.add('another.example', 51.5, 0);
    await asked;
    assert.equal((await look()).digest, before.digest, 'while the new tiles are on their way');
    release();
    let after = await look();
    for (let turn = 0; turn < 100 && after.digest === before.digest; turn++) after = await look();
    assert.notEqual(after.digest, before.digest, 'once they are there');
  }),
);

/** A part of the page as a digest, and whether a cluster is in it. */
async function picture(page: Page, clip: { x: number; y: number; width: number; height: number }) {
  const bytes = await page.screenshot({ clip });
  const cluster = await page.evaluate(async (base64) => {
    const image = new Image();
    image.src = `data:image/png;base64,${base64}`;
    await image.decode();
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [image.width, image.height];
    const context = canvas.getContext('2d') as CanvasRenderingContext2D;
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, image.width, image.height);
    // Green well above red is in no other part of the light map.
    let found = 0;
    for (let at = 0; at < data.length; at += 4) if (data[at + 1] - data[at] > 60) found++;
    return found > 100;
  }, bytes.toString('base64'));
  return { digest: createHash('sha256').update(bytes).digest('hex'), cluster };
}

test('the address says where the map is, and leads there again', { skip }, () =>
  see('/#5/35.7/139.7', {}, async (page) => {
    await page.getByRole('button', { name: 'Zoom in' }).click();
    await page.waitForFunction(() => location.hash.startsWith('#6/'));
    assert.match(await page.evaluate(() => location.hash), /^#6\/35\.\d+\/139\.\d+/);
  }),
);

test('without a mouse: past the map to the list, from a domain on it to the map, and back with Escape', { skip }, () =>
  see('/', {}, async (page) => {
    await settled(page);
    await page.locator('.controls').waitFor();
    await page.keyboard.press('Tab');
    assert.equal(
      await page.evaluate(() => document.activeElement?.textContent?.trim()),
      'Skip the map, to the list of domains',
    );
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'domains');
    const domain = page.getByRole('button', { name: /london-0\.example/ });
    await domain.focus();
    await page.keyboard.press('Enter');
    const heading = page.getByRole('heading', { name: 'london-0.example' });
    await heading.waitFor();
    assert.ok(await heading.evaluate((element) => element === document.activeElement));
    await page.waitForFunction(() => location.hash.startsWith('#9/'));
    await page.keyboard.press('Escape');
    await page.getByRole('heading', { name: 'Domains', exact: true }).waitFor({ state: 'attached' });
  }),
);

test('the arrows move the map and + and - zoom it', { skip }, () =>
  see('/#3/30/10', {}, async (page) => {
    await page.locator('.controls').waitFor();
    await page.locator('.map-canvas canvas').focus();
    const hash = () => page.evaluate(() => location.hash);
    const before = await hash();
    await page.keyboard.press('ArrowRight');
    await page.waitForFunction((last) => location.hash !== last, before);
    await page.keyboard.press('+');
    await page.waitForFunction(() => location.hash.startsWith('#4/'));
  }),
);

test('a click on a cluster goes to the zoom at which it falls apart', { skip }, () =>
  see('/#4/51.5/0', {}, async (page) => {
    await page.locator('.controls').waitFor();
    const answer = await page.request.get(`${world.url}/v1/clusters?bbox=-5,47,5,55&zoom=4`);
    const { features } = (await answer.json()) as { features: { properties: ClusterProperties }[] };
    const [london] = features.toSorted((a, b) => (b.properties.point_count ?? 1) - (a.properties.point_count ?? 1));
    const zoom = (london.properties.expansion_zoom ?? 0) + 0.2;
    // Until the tile is drawn there is nothing to hit.
    while (!(await page.evaluate(() => location.hash)).startsWith(`#${zoom}/`)) await page.mouse.click(640, 428);
  }),
);

test('a burst of zooms leaves no tile under way that is not seen', { skip }, () =>
  see('/#2/51.5/0', {}, async (page) => {
    await page.locator('.controls').waitFor();
    const underWay = new Set<string>();
    const isTile = (url: string) => url.includes('/v1/tiles/');
    let asked = 0;
    page.on('request', (request) => {
      if (isTile(request.url()) && ++asked) underWay.add(request.url());
    });
    for (const event of ['requestfinished', 'requestfailed'] as const)
      page.on(event as 'requestfailed', (request) => underWay.delete(request.url()));
    let release = () => {};
    world.tilesWait = new Promise((resolve) => {
      release = resolve;
    });
    for (let press = 0; press < 8; press++) await page.getByRole('button', { name: 'Zoom in' }).click();
    await page.waitForFunction(() => location.hash.startsWith('#10/'));
    await page.waitForRequest((request) => request.url().includes('/10/'), { timeout: 1000 }).catch(() => {});
    const zooms = new Set(Array.from(underWay, (url) => Number(/tiles\/[^/]+\/(\d+)/.exec(url)?.[1])));
    release();
    assert.ok(asked > 12, `${asked} tiles were asked for`);
    // A window of 1280 by 744 pixels holds at most 4 by 3 tiles of 512.
    assert.ok(underWay.size <= 12, `${underWay.size} tiles under way, of zooms ${[...zooms].join()}`);
  }),
);

test('a long list of a cluster comes page by page', { skip }, () =>
  see('/', {}, async (page) => {
    await settled(page);
    await page.locator('.controls').waitFor();
    await page.getByRole('button', { name: 'In view' }).click();
    await page
      .getByRole('button', { name: /^1[1-9]\d domains around/ })
      .first()
      .click();
    const rows = page.locator('section[aria-labelledby=opened] li');
    const said = Number(/^\d+/.exec((await page.locator('#opened').textContent()) ?? '')?.[0]);
    await page.getByRole('button', { name: 'Show more' }).click();
    await rows.nth(said - 1).waitFor();
    assert.equal(await page.getByRole('button', { name: 'Show more' }).count(), 0);
    assert.equal(new Set(await rows.allTextContents()).size, said);
  }),
);

test('on a phone held upright the whole world is seen', { skip }, () =>
  see('/', { width: 390, height: 780 }, async (page) => {
    await page.locator('.controls').waitFor();
    await page.getByRole('button', { name: 'Zoom out' }).click();
    await page.waitForFunction(() => location.hash.startsWith('#-0.39/'));
  }),
);

test('what is in view is listed as text, and a cluster opens into its parts', { skip }, () =>
  see('/', {}, async (page) => {
    await settled(page);
    await page.locator('.controls').waitFor();
    await page.getByRole('button', { name: 'In view' }).click();
    const row = page.getByRole('button', { name: /\d+ domains around [A-Z]/ }).first();
    await row.waitFor();
    await accessible(page);
    const before = await page.evaluate(() => location.hash);
    await row.click();
    await page.waitForFunction((last) => location.hash !== last, before);
    await page.getByRole('heading', { name: /^\d+ domains around / }).waitFor();
    await page
      .getByRole('button', { name: /\.example/ })
      .first()
      .waitFor();
  }),
);

test('the map shows the domains of the last day or hour when asked', { skip }, () =>
  see('/', {}, async (page) => {
    await settled(page);
    await page.locator('.controls').waitFor();
    await page.getByRole('button', { name: 'In view' }).click();
    const first = page.getByRole('button', { name: /domains around/ }).first();
    const all = await first.textContent();
    const tile = page.waitForRequest((request) => request.url().endsWith('.mvt?hours=24'));
    await page.locator('.map-stage > .legend').getByRole('button', { name: 'Last day' }).click();
    await tile;
    await page.waitForFunction((last) => document.querySelector('.rows .label')?.textContent !== last, all);
  }),
);

test('a click on a cluster of the map does the same', { skip }, () =>
  see('/#3/51.5/0', {}, async (page) => {
    await settled(page);
    await page.locator('.controls').waitFor();
    const heading = page.getByRole('heading', { name: /^\d+ domains around / });
    // The tiles come when they come: a click on the sea opens nothing.
    while ((await heading.count()) === 0) await page.mouse.click(640, 428);
  }),
);

const withoutWebGL = () => {
  HTMLCanvasElement.prototype.getContext = () => null as never;
};

test('without WebGL 2 the map is a picture and the list is whole', { skip }, () =>
  see('/', { before: withoutWebGL }, async (page) => {
    await page.waitForFunction(() => document.querySelectorAll('.still circle').length > 5);
    await page.getByRole('button', { name: /london-0\.example/ }).waitFor();
    assert.ok((await page.locator('.still path').getAttribute('d'))?.length);
    await accessible(page);
  }),
);

test('embedded, the map shows its number and nothing else', { skip }, () =>
  see('/embed', { width: 500, height: 320 }, async (page) => {
    await page.getByText(/in 30 days, \d+ domains/).waitFor();
    await page.locator('.controls').waitFor();
    assert.equal(await page.locator('.bar, .legend, .rows').count(), 0);
    await accessible(page);
  }),
);

test('on a phone the list is a sheet of three heights', { skip }, () =>
  see('/', { width: 390, height: 700 }, async (page) => {
    await settled(page);
    const height = () => page.locator('.panel').evaluate((element) => element.getBoundingClientRect().height);
    const heights = [await height()];
    for (let press = 0; press < 2; press++) {
      await page.locator('.handle').click();
      heights.push(await height());
    }
    assert.ok(heights[0] < 160 && heights[1] > 250 && heights[2] > 600, heights.join());
  }),
);
