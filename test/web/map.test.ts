import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import type { ClusterProperties } from '../../web/api.ts';
import { accessible, see, settled, skip, world } from './look.ts';

const asked = (page: Page, what: RegExp) => page.waitForRequest((request) => what.test(request.url()));
const today = new Date().toISOString().slice(0, 10);
const dayBefore = (days: number) => new Date(Date.parse(today) - days * 86_400_000).toISOString().slice(0, 10);

test('one choice of time applies to discs, totals, list and bars', { skip }, () =>
  see('/', {}, async (page) => {
    await settled(page);
    await page.locator('.controls').waitFor();
    const bars = page.locator('.time rect.shown');
    const row = (hits: string) =>
      page.getByRole('button', { name: new RegExp(`london-0.example\\s*${hits}`) }).waitFor();
    await page.getByText('in 7 days, from 400 domains').waitFor();
    assert.equal(await bars.count(), 7);
    await row('63K');
    await page.getByText("Counted from each day's 200 domains with the most hits.").waitFor();

    let tile = asked(page, new RegExp(`/s\\d+/\\d+/\\d+/\\d+\\.mvt\\?since=${today}$`));
    await page.getByRole('button', { name: 'Day', exact: true }).click();
    await tile;
    await page.getByText(/^on \w+ \d+, from \d+ domains?$/).waitFor();
    await row('9K');
    assert.equal(await bars.count(), 1);

    tile = asked(page, new RegExp(`/${dayBefore(2)}/\\d+/\\d+/\\d+\\.mvt\\?since=${dayBefore(2)}$`));
    const slider = page.getByRole('slider', { name: 'Day shown' });
    await slider.focus();
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowLeft');
    await tile;
    await page.getByText(/^The end of /).waitFor();
    await row('9K');
    assert.ok((await page.evaluate(() => location.search)).endsWith(`span=day&day=${dayBefore(2)}`));
    await accessible(page);

    // Hours of past days are not kept: choosing the hour leads back to now.
    tile = asked(page, /\.mvt\?hours=1$/);
    await page.getByRole('button', { name: 'Hour', exact: true }).click();
    await tile;
    await page.getByText('hit in the last hour').waitFor();
    assert.match((await page.locator('.big').textContent()) ?? '', /^\d+ domains$/);
    await page.getByRole('button', { name: 'Newest' }).waitFor();
    await page.getByRole('button', { name: /^london-0.example\s*\d+ (s|min)$/ }).waitFor();
    assert.equal(await slider.getAttribute('aria-valuetext'), 'now');
    await page.getByRole('button', { name: 'Show as a table' }).click();
    assert.equal(await page.locator('.time-table tr.shown').count(), 1);
    await accessible(page);

    // The page's address restores the choice.
    const again = asked(page, /\.mvt\?hours=1$/);
    await page.reload();
    await again;
    await page.getByText('hit in the last hour').waitFor();
  }),
);

test('the slider reaches only days that are kept, and now', { skip }, () =>
  see(`/?span=day&day=${dayBefore(40)}`, {}, async (page) => {
    await settled(page);
    await page.getByText('The map of this day is not kept any more.').waitFor();
    await page.getByRole('button', { name: 'Back to now' }).click();
    const slider = page.getByRole('slider', { name: 'Day shown' });
    await slider.focus();
    await page.keyboard.press('Home');
    // The oldest kept day.
    await page.waitForFunction((day) => location.search.includes(day), dayBefore(6));
    await page.keyboard.press('End');
    await page.waitForFunction(() => location.search === '?span=day');
  }),
);

test('the map says when it is stale or the connection is lost, and keeps its data', { skip }, () =>
  see('/', { mood: 'stale' }, async (page) => {
    await settled(page);
    await page.getByText('Stale', { exact: true }).waitFor();
    assert.match((await page.locator('.panel').textContent()) ?? '', /updated 12 min ago/);
    world.mood = 'failing';
    await page.getByText('Connection lost').waitFor();
    assert.match((await page.locator('.panel').textContent()) ?? '', /hits\s*in 7 days, from 400 domains/);
    await accessible(page);
    world.mood = 'busy';
    await page.getByText('Live', { exact: true }).waitFor();
  }),
);

test('an hour without hits is not a warning while the server is healthy', { skip }, () =>
  see('/', { mood: 'quiet' }, async (page) => {
    const asked = page.waitForResponse(`${world.url}/v1/health`);
    await settled(page);
    await asked;
    await page.getByText('last hit 12 min ago').waitFor();
    assert.equal(await page.locator('.status').textContent(), 'Livelast hit 12 min ago');
    assert.doesNotMatch((await page.locator('.panel').textContent()) ?? '', /Stale|No hits for/);
  }),
);

test('the list covers neither the legend nor most of the map in any window size', { skip }, () =>
  see('/', {}, async (page) => {
    await settled(page);
    await page.locator('.controls').waitFor();
    for (const [width, height, hasLegend] of [
      [1024, 768, true],
      [768, 1024, true],
      [844, 390, false],
      [390, 700, false],
    ] as const) {
      await page.setViewportSize({ width, height });
      const box = (what: string) => page.locator(what).evaluate((element) => element.getBoundingClientRect().toJSON());
      const [panel, legend, stage] = [await box('.panel'), await box('.legend'), await box('.map-stage')];
      const boxes = `${width} by ${height}: ${JSON.stringify({ panel, legend, stage })}`;
      assert.equal(legend.width > 0, hasLegend, boxes);
      if (hasLegend) {
        assert.ok(legend.right <= stage.right && legend.left >= stage.left && legend.bottom <= stage.bottom, boxes);
        assert.ok(legend.left >= panel.right || legend.bottom <= panel.top, boxes);
      }
      assert.ok(panel.width * panel.height < 0.4 * stage.width * stage.height, boxes);
      const hidden = await page.locator('.time .segments').evaluate((found) => found.scrollWidth - found.clientWidth);
      assert.equal(hidden, 0, 'pixels of the time choices that do not fit');
      await accessible(page);
    }
  }),
);

/** The bounding box of the latest request for the view. */
function boxes(page: Page): () => number[] {
  let newest: number[] = [];
  page.on('request', (request) => {
    const { pathname, searchParams } = new URL(request.url());
    if (pathname === '/v1/clusters') newest = (searchParams.get('bbox') ?? '').split(',').map(Number);
  });
  return () => newest;
}

test('"in view" excludes what the panel or the sheet covers', { skip }, async () => {
  await see('/#5/50/10', {}, async (page) => {
    const box = boxes(page);
    await settled(page);
    await page.locator('.controls').waitFor();
    const request = asked(page, /\/v1\/clusters\?/);
    await page.getByRole('button', { name: 'In view' }).click();
    await request;
    const right = await page.locator('.panel').evaluate((panel) => panel.getBoundingClientRect().right);
    // 512 pixels are the world at zoom 0; the middle of the window is at 10 degrees.
    const pixels = (512 * 2 ** 5) / 360;
    assert.ok(Math.abs(box()[0] - (10 + (right - 640) / pixels)) < 0.1, `${box()}, the panel ends at ${right}`);
    assert.ok(Math.abs(box()[2] - (10 + 640 / pixels)) < 0.1, `${box()}`);
  });
  await see('/#3/0/10', { width: 390, height: 780 }, async (page) => {
    const box = boxes(page);
    await settled(page);
    await page.locator('.controls').waitFor();
    await page.locator('.handle').click();
    const request = asked(page, /\/v1\/clusters\?/);
    await page.getByRole('button', { name: 'In view' }).click();
    await request;
    const stage = await page.locator('.map-stage').evaluate((found) => found.clientHeight);
    const south = -((0.5 - 0.46) * stage) / ((512 * 2 ** 3) / 360);
    assert.ok(Math.abs(box()[1] - south) < 1, `${box()}: the sheet begins at ${south}`);
  });
});

test('on a phone a selected cluster stays visible above the sheet', { skip }, () =>
  see('/#3.2/-20/179', { width: 390, height: 780 }, async (page) => {
    await settled(page);
    await page.locator('.controls').waitFor();
    await page.locator('.handle').click();
    await page.getByRole('button', { name: 'In view' }).click();
    await page.locator('.handle').click();
    const row = page.getByRole('button', { name: /domains centred/ }).first();
    await row.click();
    await page.getByRole('heading', { name: /domains? centred/ }).waitFor();
    const sheet = await page.locator('.panel').evaluate((panel) => panel.getBoundingClientRect().top);
    const [, , lat] = (await page.evaluate(() => location.hash)).split(/[#/]/);
    assert.ok(sheet > 380, `the sheet is at its half height: ${sheet}`);
    // The middle of the map is below the cluster by half of what the sheet covers.
    assert.ok(Number(lat) < -17.5, `${lat}: Suva is above the middle`);
  }),
);

test('cities are labelled from zoom 4 on, and the deepest zoom says where a point is', { skip }, () =>
  see('/#3/35.7/139.7', {}, async (page) => {
    const hasCities = () =>
      page.evaluate(() => performance.getEntriesByType('resource').some(({ name }) => /places-.*json/.test(name)));
    await settled(page);
    await page.locator('.controls').waitFor();
    assert.equal(await hasCities(), false, 'names that are not shown are not loaded');
    const file = asked(page, /\/places-.*\.json$/);
    await page.getByRole('button', { name: 'Zoom in' }).click();
    await file;
    for (let press = 0; press < 8; press++) await page.getByRole('button', { name: 'Zoom in' }).click();
    await page.waitForFunction(() => location.hash.startsWith('#9/'));
    await page.getByText('Tokyo, Japan').waitFor();
    assert.equal(await page.locator('.scale').textContent(), '10 km');
    // An address from an older version, whose map had deeper zooms.
    await page.goto(`${world.url}/?span=all#13/35.7/139.7`);
    await page.waitForFunction(() => location.hash.startsWith('#9/35.7'));
    await page.getByText('Tokyo, Japan').waitFor();
    await accessible(page);
  }),
);

test('a new domain shows without a reload: in the number and in the tiles of the new snapshot', { skip }, () =>
  see('/', {}, async (page) => {
    await settled(page);
    await page.locator('.controls').waitFor();
    const before = await page.locator('.panel-top').textContent();
    const tile = page.waitForRequest((request) => /\/v1\/tiles\/s\d+\//.test(request.url()));
    world.add('fresh.example', 15, -40);
    await tile;
    await page.waitForFunction((text) => document.querySelector('.panel-top')?.textContent !== text, before);
  }),
);

test('the old clusters stay until the new ones are there: nothing flickers', { skip }, () =>
  see('/#4/51.5/0', {}, async (page) => {
    await settled(page);
    await page.locator('.controls').waitFor();
    // A part of the map with London's cluster, where nothing moves.
    const clip = { x: 560, y: 360, width: 160, height: 140 };
    const look = () => picture(page, clip);
    // The first tiles are drawn once two screenshots agree and show more than bare land.
    let before = await look();
    for (let next = await look(); next.digest !== before.digest || !before.cluster; next = await look()) before = next;
    let release = () => {};
    world.tilesWait = new Promise((resolve) => {
      release = resolve;
    });
    const asked = page.waitForRequest((request) => /\/v1\/tiles\//.test(request.url()));
    world.add('another.example', 51.5, 0);
    await asked;
    assert.equal((await look()).digest, before.digest, 'while the new tiles are loading');
    release();
    let after = await look();
    for (let turn = 0; turn < 100 && after.digest === before.digest; turn++) after = await look();
    assert.notEqual(after.digest, before.digest, 'once the new tiles are loaded');
  }),
);

/** A digest of a part of the page, and whether it shows a cluster. */
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
    // Nothing else on the light map is much greener than red.
    let found = 0;
    for (let at = 0; at < data.length; at += 4) if (data[at + 1] - data[at] > 60) found++;
    return found > 100;
  }, bytes.toString('base64'));
  return { digest: createHash('sha256').update(bytes).digest('hex'), cluster };
}

test("the address contains the map's position, and restores it", { skip }, () =>
  see('/#5/35.7/139.7', {}, async (page) => {
    await page.getByRole('button', { name: 'Zoom in' }).click();
    await page.waitForFunction(() => location.hash.startsWith('#6/'));
    assert.match(await page.evaluate(() => location.hash), /^#6\/35\.\d+\/139\.\d+/);
  }),
);

test('by keyboard: skip the map to the list, from a listed domain to the map, and back with Escape', { skip }, () =>
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
    await page.waitForFunction(() => location.hash.startsWith('#8/'));
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
    // Before the tile is drawn there is nothing to click.
    while (!(await page.evaluate(() => location.hash)).startsWith(`#${zoom}/`)) await page.mouse.click(640, 428);
  }),
);

test('after a burst of zooms no tile out of view is still loading', { skip }, () =>
  see('/#1/51.5/0', {}, async (page) => {
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
    await page.waitForFunction(() => location.hash.startsWith('#9/'));
    await page.waitForRequest((request) => request.url().includes('/9/'), { timeout: 1000 }).catch(() => {});
    const zooms = new Set(Array.from(underWay, (url) => Number(/tiles\/[^/]+\/(\d+)/.exec(url)?.[1])));
    release();
    assert.ok(asked > 12, `${asked} tiles were asked for`);
    // A window of 1280 by 744 pixels shows at most 4 by 3 tiles of 512.
    assert.ok(underWay.size <= 12, `${underWay.size} tiles under way, of zooms ${[...zooms].join()}`);
  }),
);

test("a cluster's long list is loaded page by page", { skip }, () =>
  see('/', {}, async (page) => {
    await settled(page);
    await page.locator('.controls').waitFor();
    await page.getByRole('button', { name: 'In view' }).click();
    await page
      .getByRole('button', { name: /^1[1-9]\d domains centred/ })
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

test('on an upright phone the whole world is visible', { skip }, () =>
  see('/', { width: 390, height: 780 }, async (page) => {
    await page.locator('.controls').waitFor();
    await page.getByRole('button', { name: 'Zoom out' }).click();
    await page.waitForFunction(() => location.hash.startsWith('#-0.39/'));
  }),
);

test('items in view are listed as text, and a cluster opens into its parts', { skip }, () =>
  see('/', {}, async (page) => {
    await settled(page);
    await page.locator('.controls').waitFor();
    await page.getByRole('button', { name: 'In view' }).click();
    const row = page.getByRole('button', { name: /\d+ domains centred (in|near) [A-Z]/ }).first();
    await row.waitFor();
    await accessible(page);
    const before = await page.evaluate(() => location.hash);
    await row.click();
    await page.waitForFunction((last) => location.hash !== last, before);
    await page.getByRole('heading', { name: /^\d+ domains centred / }).waitFor();
    await page
      .getByRole('button', { name: /\.example/ })
      .first()
      .waitFor();
  }),
);

test('the card of a domain has its hits, 30-day line and city, and says what is not counted by domain', { skip }, () =>
  see('/', {}, async (page) => {
    await settled(page);
    await page.locator('.controls').waitFor();
    await page.getByRole('button', { name: /berlin-1\.example/ }).click();
    await page.getByRole('heading', { name: 'berlin-1.example' }).waitFor();
    await page.getByText(/^(In|Near) [A-Z].*, by its newest visitor's address\. Last hit/).waitFor();
    assert.equal(await page.locator('.figure').textContent(), '62.3K hits in 7 days');
    await page.getByRole('img', { name: /^267,000 hits in 30 days/ }).waitFor();
    await page.getByText('Actions are counted for all domains together: view 84 %, login 16 %.').waitFor();
    await accessible(page);
  }),
);

test('a click on a cluster of the map does the same', { skip }, () =>
  see('/#3/51.5/0', {}, async (page) => {
    await settled(page);
    await page.locator('.controls').waitFor();
    const heading = page.getByRole('heading', { name: /^\d+ domains centred / });
    // Tiles load at any time: until then a click opens nothing.
    while ((await heading.count()) === 0) await page.mouse.click(640, 428);
  }),
);

const withoutWebGL = () => {
  HTMLCanvasElement.prototype.getContext = () => null as never;
};

test('without WebGL 2 the map is a picture and the list is complete', { skip }, () =>
  see('/', { before: withoutWebGL }, async (page) => {
    await page.waitForFunction(() => document.querySelectorAll('.still circle').length > 5);
    await page.getByRole('button', { name: /london-0\.example/ }).waitFor();
    assert.ok((await page.locator('.still path').getAttribute('d'))?.length);
    await accessible(page);
  }),
);

test('the embedded map shows only its number and attribution, in a frame of any size', { skip }, () =>
  see('/embed', { width: 500, height: 320 }, async (page) => {
    await page.getByText(/in 7 days, from \d+ domains/).waitFor();
    await page.locator('.controls').waitFor();
    assert.equal(await page.locator('.bar, .legend, .rows, .time').count(), 0);
    for (const [width, height] of [
      [500, 320],
      [200, 200],
      [160, 600],
      [1200, 160],
    ]) {
      await page.setViewportSize({ width, height });
      const box = (what: string) => page.locator(what).evaluate((element) => element.getBoundingClientRect().toJSON());
      const [panel, credit] = [await box('.panel'), await box('.credit')];
      const boxes = `${width} by ${height}: ${JSON.stringify({ panel, credit })}`;
      for (const { left, top, right, bottom } of [panel, credit])
        assert.ok(left >= 0 && top >= 0 && right <= width && bottom <= height, boxes);
      assert.ok(panel.bottom <= credit.top || panel.right <= credit.left, boxes);
      assert.ok(panel.width * panel.height + credit.width * credit.height < 0.4 * width * height, boxes);
      assert.match((await page.locator('.credit').textContent()) ?? '', /Natural Earth.*DB-IP/);
      assert.match((await page.locator('.big').textContent()) ?? '', /^\d+K hits$/);
      const over = await page.evaluate(() => document.documentElement.scrollHeight - innerHeight);
      assert.equal(over, 0, boxes);
      await accessible(page);
    }
    world.mood = 'failing';
    await page.getByText('Connection lost').waitFor();
    const again = page.getByRole('button', { name: 'Try again' });
    await again.waitFor();
    assert.equal(await page.locator('.panel a').count(), 0, 'no link to a page that may not be framed');
    world.mood = 'empty';
    await again.click();
    await page.getByText('Waiting for the first hit').waitFor();
  }),
);

test('on a phone the list is a sheet with three heights', { skip }, () =>
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

test('focus and order of a list stay when newer data arrives', { skip }, () =>
  see('/', {}, async (page) => {
    await settled(page);
    await page.locator('.controls').waitFor();
    await page.getByRole('button', { name: 'In view' }).click();
    const rows = page.locator('.rows .row');
    await rows.nth(3).waitFor();
    await rows.nth(3).focus();
    // Numbers follow the data; the rows and their order stay.
    const labels = async () =>
      (await page.locator('.rows .label').allTextContents()).map((text) => text.replace(/^\d+/, ''));
    const before = await labels();
    // Makes the last cluster the largest.
    for (let add = 0; add < 150; add++) world.add(`new-${add}.example`, -18 + (add % 10) / 10, 178 + add / 300);
    await page.waitForFunction(() =>
      [...document.querySelectorAll('.rows .value')].some(({ textContent }) => Number(textContent) > 150),
    );
    assert.deepEqual(await labels(), before);
    assert.ok(await rows.nth(3).evaluate((row) => row === document.activeElement));
  }),
);
