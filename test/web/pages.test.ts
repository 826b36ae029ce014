import assert from 'node:assert/strict';
import { test } from 'node:test';
import { everyPage } from './every-page.ts';
import { accessible, fits, see, settled, skip, unmoved, world } from './look.ts';

const pages = Object.values(everyPage);

test('a picture without a text and a faint text are violations', { skip }, () =>
  see('/setup', {}, async (page) => {
    await settled(page);
    await page.evaluate(() => document.querySelector('h1')?.append(new Image()));
    await assert.rejects(accessible(page), /image-alt/);
    await page.evaluate(() => document.querySelector('h1')?.setAttribute('style', 'color: #eee'));
    await assert.rejects(accessible(page, ['color-contrast']), /color-contrast/);
  }),
);

for (const path of pages)
  test(`${path} has no axe violation in either theme, fits phones, and does not shift while it loads`, { skip }, () =>
    see(path, {}, async (page) => {
      await settled(page);
      await unmoved(page);
      await accessible(page);
      await page.emulateMedia({ colorScheme: 'dark' });
      await settled(page);
      // Only the colours differ between the themes.
      await accessible(page, ['color-contrast', 'link-in-text-block']);
      await page.setViewportSize({ width: 390, height: 700 });
      await page.reload();
      await settled(page);
      await unmoved(page);
      await fits(page);
      await page.setViewportSize({ width: 320, height: 700 });
      await settled(page);
      await fits(page);
      await accessible(page);
    }),
  );

// Not /embed, which is too small for it (test/web/map.test.ts), nor the Yandex page, which loads nothing without a key.
for (const mood of ['empty', 'failing'] as const)
  for (const path of pages.filter((path) => !['/setup', '/stack', '/embed', '/yandex'].includes(path)))
    test(`${path} says what to do when the service is ${mood}`, { skip }, () =>
      see(path, { mood }, async (page) => {
        if (mood === 'failing') {
          await page.getByText('could not be loaded').first().waitFor();
          await page.getByText('The stores do not answer').first().waitFor();
          await page.getByRole('button', { name: 'Try again' }).first().waitFor();
        } else
          await page
            .getByRole('main')
            .getByText(
              /No hits yet|No pulls yet|Nothing to add|No unused image|Nothing is known of this name|No pulls in this time|No named user pulled it|No alert yet|Not trained yet|Ready, and waiting for the first event/,
            )
            .first()
            .waitFor();
        await settled(page);
        await accessible(page);
      }),
    );

test('a card that failed can be loaded again without reloading the page', { skip }, () =>
  see('/people', { mood: 'failing' }, async (page) => {
    await page.getByRole('alert').waitFor();
    world.mood = 'busy';
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('link', { name: 'anna' }).waitFor();
  }),
);

for (const path of ['/people', '/people?user=anna', '/repositories', '/repositories?name=elk/kibana'])
  test(`${path} asks for a token once, says where to find it, and keeps it only in this tab`, { skip }, () =>
    see(path, { mood: 'private' }, async (page) => {
      const field = page.getByLabel('API token');
      const open = page.getByRole('button', { name: 'Use token' });
      await field.fill('wrong');
      assert.match((await page.locator('main').textContent()) ?? '', /OwnerToken/);
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

/** The pages that everyone may see if only people are private. */
const maps = ['/', '/embed', '/yandex'];
for (const mood of ['private', 'closed'] as const)
  for (const path of [...pages, '/embed'].filter((path) => mood === 'closed' || !maps.includes(path)))
    test(
      `on a map that is ${mood}, a visitor to ${path} reads why it is private and how to sign in, and no request is refused`,
      {
        skip,
      },
      () =>
        see(path, { mood }, async (page, refused) => {
          await page.getByText(/^This (page is private|map is not public)/).waitFor();
          const ways = page.getByRole('main').getByRole('link', { name: 'Sign in' });
          assert.equal(await ways.count(), 1);
          const [to] = await ways.evaluateAll((links) => links.map((link) => link.getAttribute('href')));
          assert.match(to ?? '', path === '/embed' ? /^\.\/$/ : /v1\/session\/login\?to=/);
          assert.equal(await page.locator('.bone, [aria-busy=true]').count(), 0);
          await settled(page);
          await unmoved(page);
          await accessible(page);
          await page.setViewportSize({ width: 390, height: 700 });
          await fits(page);
          assert.deepEqual(refused, []);
        }),
    );

test('on the closed map a token opens the page in place', { skip }, () =>
  see('/', { mood: 'closed' }, async (page) => {
    await page.getByLabel('API token').fill('secret');
    await page.keyboard.press('Enter');
    await page.getByRole('group', { name: 'Map controls' }).waitFor();
    await page.getByText('Live', { exact: true }).waitFor();
  }),
);

test('with the token, Health opens in place', { skip }, () =>
  see('/health', { mood: 'private' }, async (page) => {
    await page.getByLabel('API token').fill('secret');
    await page.keyboard.press('Enter');
    await page.getByText('the body is not JSON').first().waitFor();
  }),
);

test('a user is forgotten after a question that contains their name', { skip }, () =>
  see('/people?user=anna', {}, async (page) => {
    await settled(page);
    const ask = page.getByRole('button', { name: 'Forget this person' });
    assert.equal(await ask.isVisible(), false);
    await page.getByLabel('More').click();
    await ask.click();
    const dialog = page.getByRole('dialog', { name: 'Forget anna?' });
    await dialog.waitFor();
    await accessible(page);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    assert.deepEqual(world.changed, []);

    await ask.click();
    const sure = page.getByRole('button', { name: 'Forget anna' });
    const field = dialog.getByLabel('Type anna to confirm');
    for (const text of ['', 'ann', 'Anna', 'anna ']) {
      await field.fill(text);
      assert.equal(await sure.isDisabled(), true, `"${text}" is not the name`);
    }
    await field.fill('anna');
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

test('kept models show their scores, a refused one its reason, and an earlier one can be put back', { skip }, () =>
  see('/models', {}, async (page) => {
    await settled(page);
    const card = page.locator('section[aria-labelledby=model]');
    const text = (await card.textContent()) ?? '';
    assert.match(text, /was not put in service\.Its AUC 0\.600 is below popularity's 0\.800 \(model m4, AUC 0\.600\)/);
    assert.match(
      text,
      /Why it serves: ease is best: NDCG@10 0\.541 on 190 held-out pulls, 0\.021 ± 0\.006 ahead of als\./,
    );
    const row = (name: RegExp) => card.getByRole('row', { name }).locator('td').allTextContents();
    assert.deepEqual(await row(/^ease/), ['ease serves', '0.541', '0.379', '0.649', '0.921', '85 %', '12']);
    assert.deepEqual(await row(/^blend/), ['blend Its lists take too long here', ...Array(5).fill('–'), '12']);
    assert.deepEqual(await row(/^m3/), ['m3ease, trained 59 min ago', '0.921', '0.541', '190', 'in service']);
    assert.deepEqual((await row(/^m2/))[0], 'm2trained 1 h ago, rank 10, 15 iterations, λ 0.01, α 40');
    await card.getByRole('row', { name: /m2/ }).getByRole('button', { name: 'Put back' }).click();
    await page.getByRole('dialog').getByText('Recommendations come at once from m2').waitFor();
    await accessible(page);
    await page.getByRole('button', { name: 'Put it back' }).click();
    await page.getByText('An earlier model is in service.').waitFor();
    assert.match((await card.getByRole('row', { name: /m2/ }).textContent()) ?? '', /in service/);
    assert.deepEqual(world.changed.splice(0), ['POST /v1/model/rollback?id=m2']);
  }),
);

test('quarantined entries are listed with their reasons, page by page', { skip }, () =>
  see('/health', {}, async (page) => {
    await settled(page);
    const card = page.locator('section[aria-labelledby=aside]');
    await card.getByText('the body is not JSON').first().click();
    await card.getByText('<html>').first().waitFor();
    await card.getByRole('button', { name: 'Show more' }).click();
    await card.locator('tbody tr').nth(24).waitFor();
    assert.equal(await card.getByRole('button', { name: 'Show more' }).count(), 0);
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

test('each recommendation says how many others pulled it and why, as a chart and as a table', { skip }, () =>
  see('/people?user=anna', {}, async (page) => {
    await settled(page);
    const card = page.locator('section[aria-labelledby=recommended]');
    await card.locator('canvas').waitFor();
    assert.match((await card.getByRole('img').getAttribute('aria-label')) ?? '', /elk\/kibana, pulled by 40 others/);
    const link = card.getByRole('link', { name: 'elk/kibana' });
    await link.focus();
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'elk/logstash');
    // The whole row is a link: name, count, bar and reason.
    const row = (await card.locator('.recommended li').first().boundingBox()) as {
      x: number;
      y: number;
      width: number;
    };
    for (const [x, y] of [
      [4, 14],
      [row.width - 8, 14],
      [row.width / 2, 32],
      [20, 52],
    ])
      assert.ok(
        await link.evaluate((found, at) => document.elementFromPoint(at.x, at.y)?.closest('a') === found, {
          x: row.x + x,
          y: row.y + y,
        }),
        `${x}, ${y}`,
      );
    await card.getByRole('button', { name: 'Show as a table' }).click();
    const text = (await card.textContent()) ?? '';
    assert.match(text, /because of elk\/elasticsearch \(60 %\)/);
    assert.match(text, /popular here/);
    await accessible(page);
  }),
);

/** Records each label of a chart as it is drawn, because a canvas can't be asked for its texts. */
const noteLabels = () => {
  const labels: Record<string, number> = {};
  Object.assign(globalThis, { labels });
  const { fillText } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...rest) {
    const at = this.getTransform().transformPoint({ x, y });
    if (/^\d+$/.test(text)) labels[text] = at.y;
    return fillText.call(this, text, x, y, ...rest);
  };
};

test('the bars of pulls over time are as high as the axis labels say', { skip }, () =>
  see('/people?user=anna', { before: noteLabels }, async (page) => {
    await settled(page);
    const { labels, tops, bottom } = await page
      .locator('section[aria-labelledby=over-time] canvas')
      .evaluate((found) => {
        const canvas = found as HTMLCanvasElement;
        const { data } = (canvas.getContext('2d') as CanvasRenderingContext2D).getImageData(
          ...([0, 0, canvas.width, canvas.height] as const),
        );
        const { labels } = globalThis as unknown as { labels: Record<string, number> };
        // The accent colour of the light theme: only bars of pulls have it.
        const isBar = (x: number, y: number) => {
          const at = 4 * (y * canvas.width + x);
          return data[at] === 0x0b && data[at + 1] === 0x75 && data[at + 2] === 0x70;
        };
        const tops: number[] = [];
        let [bottom, before] = [0, false];
        for (let x = 0; x < canvas.width; x++) {
          const rows = Array.from({ length: canvas.height }, (_, y) => y).filter((y) => isBar(x, y));
          if (rows.length > 0) {
            bottom = rows[rows.length - 1] + 1;
            // A bar has round corners: its highest column of pixels counts.
            if (before) tops.push(Math.min(tops.pop() ?? rows[0], rows[0]));
            else tops.push(rows[0]);
          }
          before = rows.length > 0;
        }
        return { labels, tops, bottom };
      });
    assert.deepEqual(Object.keys(labels), ['0', '50', '100', '150']);
    assert.equal(tops.length, 30);
    const pixels = (labels[0] - labels[150]) / 150;
    for (const [back, top] of tops.entries()) {
      const pulls = (bottom - top) / pixels;
      assert.ok(Math.abs(pulls - (20 + back)) < 1.5, `a bar of ${20 + back} pulls is drawn as ${pulls}`);
    }
  }),
);

test('for an unknown name the page says so once, and shows what is recommended to newcomers', { skip }, () =>
  see('/people?user=nobody', { mood: 'empty' }, async (page) => {
    await page.getByText('Nothing is known of this name.').waitFor();
    await settled(page);
    assert.equal(await page.getByRole('button', { name: 'Forget this person' }).count(), 0);
    assert.deepEqual(await page.locator('h2').allTextContents(), ['Recommended to newcomers']);
  }),
);

test('a search runs as the name is typed, and the back button undoes it', { skip }, () =>
  see('/people', {}, async (page) => {
    await page.getByRole('link', { name: 'bruno' }).waitFor();
    await page.getByRole('searchbox').fill('ann');
    await page.waitForFunction(() => location.search === '?search=ann');
    await page.getByRole('link', { name: 'bruno' }).waitFor({ state: 'detached' });
    await page.goBack();
    await page.getByRole('link', { name: 'bruno' }).waitFor();
    // Otherwise the field would soon search for its text again.
    assert.equal(await page.getByRole('searchbox').inputValue(), '');
  }),
);

test('a repository shows its pulls beside the raw events, split as chosen', { skip }, () =>
  see('/repositories?name=elk/elasticsearch', {}, async (page) => {
    await settled(page);
    const numbers = await page.locator('.strip').textContent();
    assert.match(numbers ?? '', /1,432/);
    assert.match(numbers ?? '', /4,890/);
    await page.getByRole('button', { name: 'Country' }).click();
    await page.getByText('Germany').waitFor();
  }),
);

test('unused images are listed with the calls that would delete them', { skip }, () =>
  see('/repositories', {}, async (page) => {
    await page.getByRole('button', { name: 'Unused' }).click();
    await page.getByRole('link', { name: 'elk/kibana' }).waitFor();
    await page.getByText('Registry calls that delete the safe ones').click();
    await page.getByText('DELETE /v2/elk/kibana/manifests/sha256:1').waitFor();
    await accessible(page);
  }),
);

test('a chosen theme is kept across pages and reloads', { skip }, () =>
  see('/people', {}, async (page) => {
    await page.getByRole('button', { name: 'Use dark colours' }).click();
    await page.goto(`${world.url}/setup`);
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    assert.equal(await background(), 'rgb(11, 22, 29)');
    await page.getByRole('button', { name: 'Use light colours' }).click();
    assert.equal(await background(), 'rgb(238, 243, 245)');
  }),
);

test("the set-up page has this server's own addresses", { skip }, () =>
  see('/setup', {}, async (page) => {
    await settled(page);
    const text = (await page.locator('main').textContent()) ?? '';
    assert.ok(text.includes(`url: ${world.url}/v1/registry-events`));
    assert.ok(text.includes(`<script defer src="${world.url}/hit.js"></script>`));
  }),
);

test("the health page answers the owner's questions, and lists the clients that no rule knows", { skip }, () =>
  see('/health', { mood: 'unwell' }, async (page) => {
    await settled(page);
    const text = (await page.locator('main').textContent()) ?? '';
    assert.match(text, /Something needs a look/);
    assert.match(text, /Is data flowing\?No: process is 93 s behind in shard-1\./);
    assert.match(text, /Was anything refused\?1 entry could not be understood/);
    assert.match(text, /3 posts with a wrong token/);
    const unknown = (await page.locator('section[aria-labelledby=unknown]').textContent()) ?? '';
    assert.ok(
      unknown.includes("{ name: 'acme.deployer', class: 'ci', userAgent: '^acme\\\\.deployer\\\\b' }"),
      unknown,
    );
    assert.equal(await page.getByText('shard-0').isVisible(), false);
    await page.getByText('For engineers').click();
    await page.getByText('shard-0').waitFor();
    await accessible(page);
  }),
);

test('before anything arrives the health page says that nothing has come in, not that all is well', { skip }, () =>
  see('/health', { mood: 'empty' }, async (page) => {
    await settled(page);
    const text = (await page.locator('main').textContent()) ?? '';
    assert.match(text, /Nothing has come in yet/);
    assert.doesNotMatch(text, /All is well|was understood\./);
  }),
);

test('people can be filtered by kind and sorted, and the address keeps both', { skip }, () =>
  see('/people', {}, async (page) => {
    await page.getByRole('link', { name: 'bruno' }).waitFor();
    const machine = page.getByRole('link', { name: /^a-very-long-name/ });
    assert.equal(await machine.count(), 0);
    await page.getByRole('button', { name: 'All', exact: true }).click();
    await machine.waitFor();
    await page.getByText('CI job', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Most pulls' }).click();
    assert.equal(await page.evaluate(() => location.search), '?kind=all&sort=pulls');
    await page.reload();
    await machine.waitFor();
    assert.match((await page.getByRole('link', { name: 'CSV' }).getAttribute('href')) ?? '', /sort=pulls.*limit=1000/);
  }),
);

test('searching for a digest shows who pulled it, when, and with which client', { skip }, () =>
  see('/repositories', {}, async (page) => {
    const digest = `sha256:${'0f'.repeat(32)}`;
    await page.getByRole('searchbox').fill(`registry.example/elk/kibana@${digest}`);
    await page.getByRole('heading', { name: 'Who pulled this digest' }).waitFor();
    await settled(page);
    const row = page.getByRole('row', { name: /bruno/ });
    assert.match((await row.textContent()) ?? '', /CI job.*elk\/kibana:8\.1.*docker, Germany/);
    await page.getByLabel('From', { exact: true }).fill('2026-11-01');
    await page.waitForFunction(() => new URLSearchParams(location.search).get('from') === '2026-11-01');
    const href = (await page.getByRole('link', { name: 'CSV' }).getAttribute('href')) ?? '';
    assert.deepEqual(Object.fromEntries(new URL(href).searchParams), {
      ...{ format: 'csv', digest, from: '2026-11-01', limit: '10000' },
    });
  }),
);

test('the set-up page waits for the first event and says when it has arrived', { skip }, () =>
  see('/setup', { mood: 'empty' }, async (page) => {
    await page.getByText('Waiting for the first registry event').waitFor();
    await page.getByText('Waiting for the first hit').waitFor();
    await page.getByRole('button', { name: 'Harbor' }).click();
    await page.getByText('Payload format  CloudEvents').waitFor();
    world.mood = 'unwell';
    await page.getByText(/^Refused .* ago: 3 posts with a wrong token/).waitFor();
    world.mood = 'busy';
    await page.getByText(/^Received, (just now|\d+ s ago)\. 4,890 registry events so far\./).waitFor();
    await page.getByText(/^Received, (just now|\d+ s ago)\. 912,345 hits so far\./).waitFor();
    await accessible(page);
  }),
);

test('alerts have their own page, with links to what they are about', { skip }, () =>
  see('/people', {}, async (page) => {
    await page.getByRole('link', { name: 'Alerts' }).click();
    await page.getByText('anna pulls for the first time').waitFor();
    await page.getByRole('link', { name: 'elk/kibana' }).waitFor();
    await page.getByRole('link', { name: 'CSV' }).waitFor();
  }),
);

test(
  'for a pasted stack the page says which images are known and what others pull with them, and only names are sent',
  { skip },
  () =>
    see('/repositories', {}, async (page) => {
      await page.getByRole('link', { name: 'Complete my stack' }).click();
      const bodies: string[] = [];
      page.on('request', (request) => {
        if (request.method() === 'POST') bodies.push(request.postData() ?? '');
      });
      const field = page.getByRole('textbox');
      await field.fill('a: [1');
      await page.getByRole('button', { name: 'Complete it' }).click();
      await page.getByRole('alert').getByText('The text is not YAML').waitFor();
      await field.fill(
        'services:\n  a: { image: "r.example/elk/elasticsearch:8", environment: { SECRET: s3cret } }\n  b: { image: team/nobody }',
      );
      await page.getByRole('button', { name: 'Complete it' }).click();
      await page.getByText('2 images, 1 of which is unknown here.').waitFor();
      await settled(page);
      assert.match(
        (await page.locator('section[aria-labelledby=recommended]').textContent()) ?? '',
        /pulled by 40 others/,
      );
      assert.deepEqual(
        bodies.map((body) => JSON.parse(body)),
        [{ repositories: ['elk/elasticsearch', 'team/nobody'], limit: 8 }],
      );
      assert.equal(await page.evaluate(() => location.search), '');
      await accessible(page);
    }),
);

test('a list can be saved as a file that a spreadsheet reads as UTF-8', { skip }, () =>
  see('/people', {}, async (page) => {
    const saved = page.waitForEvent('download');
    await page.getByRole('link', { name: 'CSV' }).click();
    const file = await saved;
    assert.equal(file.suggestedFilename(), 'users.csv');
    const bytes = Buffer.concat(await (await file.createReadStream()).toArray());
    assert.deepEqual([...bytes.subarray(0, 3)], [0xef, 0xbb, 0xbf]);
    assert.match(bytes.toString(), /anna/);
  }),
);
