import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, test } from 'node:test';
import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import type { Clusters } from '../../web/api.ts';
import { buildPages } from '../../web/build.ts';
import { openBrowser } from './browser.ts';
import { type Mood, startWorld } from './world.ts';

const browser = await openBrowser();
const skip = typeof browser === 'string' && browser;
const world = await startWorld(await buildPages({ quiet: true }));

after(async () => {
  if (typeof browser !== 'string') await browser.close();
  await world.close();
});

interface Sight {
  width?: number;
  height?: number;
  dark?: boolean;
  mood?: Mood;
}

/** Opens a page and fails the test on anything the browser complains about. */
async function see(
  path: string,
  { width = 1280, height = 800, dark = false, mood = 'busy' }: Sight,
  look: (page: Page) => Promise<void>,
): Promise<void> {
  if (typeof browser === 'string') return;
  world.mood = mood;
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: dark ? 'dark' : 'light',
    reducedMotion: 'reduce',
  });
  // A busy machine is slow to draw, not wrong.
  context.setDefaultTimeout(90_000);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    // A refused request is what the moods are about; the console repeats it by itself.
    if (
      ['error', 'warning'].includes(message.type()) &&
      !/Failed to load resource|GPU stall|GL Driver/.test(message.text())
    )
      complaints.push(message.text());
  });
  await page.goto(`${world.url}${path}`);
  try {
    await look(page);
  } finally {
    await context.close();
    world.mood = 'busy';
  }
  assert.deepEqual(complaints, []);
}

/** Everything has come: no skeleton, no chart still to draw, the map's controls there. */
async function settled(page: Page): Promise<void> {
  await page.waitForFunction(() => !document.querySelector('.bone, [aria-busy=true]') && document.querySelector('h1'));
  await page.evaluate(() => document.fonts.ready);
}

async function accessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  assert.deepEqual(
    violations.map(
      ({ id, nodes }) =>
        `${id}: ${nodes.map(({ target, failureSummary }) => `${target} ${failureSummary}`).join('; ')}`,
    ),
    [],
  );
}

async function fits(page: Page): Promise<void> {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(over, 0, `the page is ${over} pixels wider than the window`);
}

const pages = [
  '/',
  '/people',
  '/people?user=anna',
  '/repositories',
  '/repositories?sort=unused',
  '/repositories?name=elk/elasticsearch',
  '/setup',
  '/health',
];

for (const path of pages)
  test(`${path} has no axe violation in either theme and fits phones`, { skip }, () =>
    see(path, {}, async (page) => {
      await settled(page);
      await accessible(page);
      await page.emulateMedia({ colorScheme: 'dark' });
      await settled(page);
      await accessible(page);
      for (const width of [390, 320]) {
        await page.setViewportSize({ width, height: 700 });
        await settled(page);
        await fits(page);
      }
      await accessible(page);
    }),
  );

for (const mood of ['empty', 'failing'] as const)
  for (const path of pages.filter((path) => path !== '/setup'))
    test(`${path} says what to do when the service is ${mood}`, { skip }, () =>
      see(path, { mood }, async (page) => {
        await page.waitForFunction(() => !document.querySelector('[aria-busy=true]'));
        const text = (await page.locator('main').textContent()) ?? '';
        if (mood === 'failing') {
          assert.match(text, /could not be loaded/);
          assert.match(text, /The stores do not answer/);
          await page.getByRole('button', { name: 'Try again' }).first().waitFor();
        } else if (path !== '/health')
          assert.match(
            text,
            /No hits yet|No pulls yet|Everything that was pushed was pulled|No pulls by this name|No pulls in this time/,
          );
        await accessible(page);
      }),
    );

test('a card that failed loads when asked again, without loading the page', { skip }, () =>
  see('/people', { mood: 'failing' }, async (page) => {
    await page.getByRole('alert').waitFor();
    world.mood = 'busy';
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('link', { name: 'anna' }).waitFor();
  }),
);

for (const path of ['/people', '/people?user=anna', '/repositories', '/repositories?name=elk/kibana'])
  test(`${path} asks for the reader's token once, says where it is, and keeps it in the tab alone`, { skip }, () =>
    see(path, { mood: 'private' }, async (page) => {
      const field = page.getByLabel("Reader's token");
      const open = page.getByRole('button', { name: 'Sign in' });
      await field.fill('wrong');
      assert.match((await page.locator('main').textContent()) ?? '', /ReadToken.*publicPeople/);
      await accessible(page);
      await open.click();
      await page.getByText('The token was not accepted').waitFor();
      await field.fill('secret');
      await open.click();
      await field.waitFor({ state: 'detached' });
      await page
        .getByRole('link', { name: /anna|elk/ })
        .first()
        .waitFor();
      assert.deepEqual(await page.evaluate(() => [localStorage.length, document.cookie]), [0, '']);
      await page.reload();
      await page.getByRole('button', { name: 'Sign out' }).click();
      await field.waitFor();
    }),
  );

test('without the token, Health shows what is public and one way in', { skip }, () =>
  see('/health', { mood: 'private' }, async (page) => {
    await page.getByText('All is well').waitFor();
    await page.getByText('The model: for readers with the token.').waitFor();
    await accessible(page);
    await page.getByLabel("Reader's token").fill('secret');
    await page.keyboard.press('Enter');
    await page.getByText('the body is no JSON').first().waitFor();
  }),
);

test('a person is forgotten after a question that names them', { skip }, () =>
  see('/people?user=anna', {}, async (page) => {
    await settled(page);
    const ask = page.getByRole('button', { name: 'Forget this person' });
    await ask.click();
    const dialog = page.getByRole('dialog', { name: 'Forget anna?' });
    await dialog.waitFor();
    await accessible(page);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    assert.deepEqual(world.changed, []);

    await ask.click();
    world.mood = 'failing';
    await page.getByRole('button', { name: 'Forget anna' }).click();
    await dialog.getByText('The stores do not answer.').waitFor();
    world.mood = 'busy';
    await page.getByRole('button', { name: 'Forget anna' }).click();
    await page.getByText('anna is forgotten.').waitFor();
    await page.getByText('130 rows were deleted.').waitFor();
    assert.deepEqual(world.changed.splice(0), ['DELETE /v1/users?user=anna']);
  }),
);

test(
  'the models that are kept show their scores, the refused one its reason, and an earlier one is put back',
  { skip },
  () =>
    see('/health', {}, async (page) => {
      await settled(page);
      const card = page.locator('section[aria-labelledby=model]');
      const text = (await card.textContent()) ?? '';
      assert.match(
        text,
        /was not put in service\.its AUC 0\.600 is below popularity's 0\.800 \(model m4, AUC 0\.600\)/,
      );
      assert.deepEqual(await card.locator('tbody tr').first().locator('td').allTextContents(), [
        ...['m3trained 59 min ago', '0.910', '0.520', '190', 'in service'],
      ]);
      await card.getByRole('row', { name: /m2/ }).getByRole('button', { name: 'Put back' }).click();
      await page.getByRole('dialog').getByText('Recommendations come at once from m2').waitFor();
      await accessible(page);
      await page.getByRole('button', { name: 'Put it back' }).click();
      await page.getByText('An earlier model is in service.').waitFor();
      assert.match((await card.getByRole('row', { name: /m2/ }).textContent()) ?? '', /in service/);
      assert.deepEqual(world.changed.splice(0), ['POST /v1/model/rollback?id=m2']);
    }),
);

test('what was set aside is listed with its reason, page by page', { skip }, () =>
  see('/health', {}, async (page) => {
    await settled(page);
    const card = page.locator('section[aria-labelledby=aside]');
    await card.getByText('the body is no JSON').first().click();
    await card.getByText('<html>').first().waitFor();
    await card.getByRole('button', { name: 'Show more' }).click();
    await card.locator('tbody tr').nth(24).waitFor();
    assert.equal(await card.getByRole('button', { name: 'Show more' }).count(), 0);
  }),
);

test('the most visited places of 7 and 30 days are the sums of their days', { skip }, () =>
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
    assert.match((await page.locator('.panel').textContent()) ?? '', /hits\s*in 30 days, 400 places/);
    await accessible(page);
    world.mood = 'busy';
    await page.getByText('Live', { exact: true }).waitFor();
  }),
);

test('a new place shows without a reload: the number, the tiles of the new snapshot', { skip }, () =>
  see('/', {}, async (page) => {
    await settled(page);
    await page.locator('.controls').waitFor();
    const before = await page.locator('.panel-top').textContent();
    const tile = page.waitForRequest((request) => /\/v1\/tiles\/s\d+\//.test(request.url()));
    world.add('fresh.example', 15, -40);
    await tile;
    await page.waitForFunction((text) => document.querySelector('.panel-top')?.textContent !== text, before);
    await page.getByText(/401 places/).waitFor();
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

test('without a mouse: past the map to the list, from a place on it to the map, and back with Escape', { skip }, () =>
  see('/', {}, async (page) => {
    await settled(page);
    await page.locator('.controls').waitFor();
    await page.keyboard.press('Tab');
    assert.equal(
      await page.evaluate(() => document.activeElement?.textContent?.trim()),
      'Skip the map, to the list of places',
    );
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'places');
    const place = page.getByRole('button', { name: /london-0\.example/ });
    await place.focus();
    await page.keyboard.press('Enter');
    const heading = page.getByRole('heading', { name: 'london-0.example' });
    await heading.waitFor();
    assert.ok(await heading.evaluate((element) => element === document.activeElement));
    await page.waitForFunction(() => location.hash.startsWith('#9/'));
    await page.keyboard.press('Escape');
    await page.getByRole('heading', { name: 'Places', exact: true }).waitFor({ state: 'attached' });
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
    const { features } = (await answer.json()) as Clusters;
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
      .getByRole('button', { name: /^1[1-9]\d places around/ })
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
    const row = page.getByRole('button', { name: /\d+ places around [A-Z]/ }).first();
    await row.waitFor();
    await accessible(page);
    const before = await page.evaluate(() => location.hash);
    await row.click();
    await page.waitForFunction((last) => location.hash !== last, before);
    await page.getByRole('heading', { name: /^\d+ places around / }).waitFor();
    await page
      .getByRole('button', { name: /\.example/ })
      .first()
      .waitFor();
  }),
);

test('the map shows the places of the last day or hour when asked', { skip }, () =>
  see('/', {}, async (page) => {
    await settled(page);
    await page.locator('.controls').waitFor();
    await page.getByRole('button', { name: 'In view' }).click();
    const first = page.getByRole('button', { name: /places around/ }).first();
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
    const heading = page.getByRole('heading', { name: /^\d+ places around / });
    // The tiles come when they come: a click on the sea opens nothing.
    while ((await heading.count()) === 0) await page.mouse.click(640, 428);
  }),
);

test('without WebGL 2 the map is a picture and the list is whole', { skip }, () =>
  see('/setup', {}, async (page) => {
    await page.addInitScript(() => {
      HTMLCanvasElement.prototype.getContext = () => null as never;
    });
    await page.goto(`${world.url}/`);
    await page.waitForFunction(() => document.querySelectorAll('.still circle').length > 5);
    await page.getByRole('button', { name: /london-0\.example/ }).waitFor();
    assert.ok((await page.locator('.still path').getAttribute('d'))?.length);
    await accessible(page);
  }),
);

test('embedded, the map shows its number and nothing else', { skip }, () =>
  see('/embed', { width: 500, height: 320 }, async (page) => {
    await page.getByText(/in 30 days, \d+ places/).waitFor();
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

test('older pulls follow the newest, page by page, each once', { skip }, () =>
  see('/people?user=anna', {}, async (page) => {
    await settled(page);
    const rows = page.locator('section[aria-labelledby=history] tbody tr');
    assert.equal(await rows.count(), 8);
    const older = page.getByRole('button', { name: 'Show older pulls' });
    while ((await older.count()) > 0) {
      const before = await rows.count();
      await older.click();
      await page.waitForFunction(
        (last) => document.querySelectorAll('section[aria-labelledby=history] tbody tr').length > last,
        before,
      );
    }
    assert.equal(await rows.count(), 130);
    const tags = await rows.locator('.tag').allTextContents();
    assert.equal(new Set(tags).size, 130);
  }),
);

test('recommendations say how many others pulled each and why, as a chart and as a table', { skip }, () =>
  see('/people?user=anna', {}, async (page) => {
    await settled(page);
    const card = page.locator('section[aria-labelledby=recommended]');
    await card.locator('canvas').waitFor();
    assert.match((await card.getByRole('img').getAttribute('aria-label')) ?? '', /elk\/kibana, pulled by 40 others/);
    await card.getByRole('button', { name: 'Show as a table' }).click();
    const text = (await card.textContent()) ?? '';
    assert.match(text, /because of elk\/elasticsearch \(60 %\)/);
    assert.match(text, /pulled by most people here/);
    await accessible(page);
  }),
);

test('a name is searched for as it is typed, and the back button undoes it', { skip }, () =>
  see('/people', {}, async (page) => {
    await page.getByRole('link', { name: 'bruno' }).waitFor();
    await page.getByRole('searchbox').fill('ann');
    await page.waitForFunction(() => location.search === '?search=ann');
    await page.getByRole('link', { name: 'bruno' }).waitFor({ state: 'detached' });
    await page.goBack();
    await page.getByRole('link', { name: 'bruno' }).waitFor();
    // Else the field would soon ask for its text again.
    assert.equal(await page.getByRole('searchbox').inputValue(), '');
  }),
);

test('a repository shows its honest pulls beside the raw events, split as asked', { skip }, () =>
  see('/repositories?name=elk/elasticsearch', {}, async (page) => {
    await settled(page);
    const numbers = await page.locator('.strip').textContent();
    assert.match(numbers ?? '', /1,432/);
    assert.match(numbers ?? '', /4,890/);
    await page.getByRole('button', { name: 'Country' }).click();
    await page.getByText('Germany').waitFor();
  }),
);

test('what nobody pulls is listed with the calls that would delete it', { skip }, () =>
  see('/repositories', {}, async (page) => {
    await page.getByRole('button', { name: 'Unused' }).click();
    await page.getByRole('link', { name: 'elk/kibana' }).waitFor();
    await page.getByText('Registry calls that would delete them').click();
    await page.getByText('DELETE /v2/elk/kibana/manifests/7.0').waitFor();
    await accessible(page);
  }),
);

test('a chosen theme stays over pages and loads', { skip }, () =>
  see('/people', {}, async (page) => {
    await page.getByRole('button', { name: 'Use dark colours' }).click();
    await page.goto(`${world.url}/setup`);
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    assert.equal(await background(), 'rgb(11, 22, 29)');
    await page.getByRole('button', { name: 'Use light colours' }).click();
    assert.equal(await background(), 'rgb(238, 243, 245)');
  }),
);

test('the set-up page names this very service', { skip }, () =>
  see('/setup', {}, async (page) => {
    const text = (await page.locator('main').textContent()) ?? '';
    assert.ok(text.includes(`url: ${world.url}/v1/registry-events`));
    assert.ok(text.includes(`<script defer src="${world.url}/hit.js"></script>`));
  }),
);

test('the health page says what stands', { skip }, () =>
  see('/health', { mood: 'unwell' }, async (page) => {
    await settled(page);
    assert.match(
      (await page.locator('main').textContent()) ?? '',
      /Something needs a look\s*process is 93 s behind in shard-1/,
    );
    assert.match((await page.locator('section[aria-labelledby=news]').textContent()) ?? '', /anna pulls for the first/);
    await accessible(page);
  }),
);
