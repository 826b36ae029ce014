// Lists as CSV and of a range of days: what a spreadsheet gets, page by page.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OpenAPIHono } from '@hono/zod-openapi';
import { parse } from 'csv-parse/sync';
import { DaySums } from '#core/hits/day-sums.ts';
import { emptyManifest, manifestKey } from '#core/hits/manifest.ts';
import { answerErrors } from '#http/errors.ts';
import { openEvents } from '#local/stores/events.ts';
import { openSearch } from '#local/stores/search/search.ts';
import { csv } from '#serve/csv.ts';
import { healthRoutes } from '#serve/health.ts';
import { hitRoutes } from '#serve/map/hits.ts';
import { registriesOf } from '#serve/registries.ts';
import { peopleRoutes } from '#serve/registry/people.ts';
import { pull, start } from '../contracts/samples.ts';
import { deltaOf } from '../support/fold.ts';
import { memoryObjects, open } from '../support/memory-stores.ts';

const day = 86_400_000;
const dayName = (at: number) => new Date(start + at * day).toISOString().slice(0, 10);

/** Every page of a list as CSV, its rows as objects. */
async function all(app: OpenAPIHono, first: string): Promise<Record<string, string>[][]> {
  const found: Record<string, string>[][] = [];
  for (let path: string | undefined = first; path; ) {
    const answer: Response = await app.request(path);
    assert.equal(answer.status, 200, path);
    assert.equal(answer.headers.get('content-type'), 'text/csv; charset=utf-8');
    found.push(parse(await answer.text(), { columns: true }));
    path = /^<(.+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1];
    assert.ok(found.length < 20, 'pages end');
  }
  return found;
}

test('no text becomes a formula in a spreadsheet, and every text can be restored', () => {
  const formulas = [
    '=1+1',
    '+1',
    '-1',
    '@SUM(A1)',
    '\t=1',
    '\r=1',
    '\n=1',
    '＝1',
    '＋1',
    '－1',
    '＠SUM(A1)',
    "'=1",
    '=HYPERLINK("http://evil.example","a")',
  ];
  const names = ['Zoë', 'Ольга', '李雷', 'مريم', '🐳', 'a,b', 'a"b', 'two\nlines', ' =1', 'a=1'];
  const text = csv(
    ['name', 'pulls'],
    [...formulas, ...names].map((name) => ({ name, pulls: -1 })),
  );
  const rows: { name: string; pulls: string }[] = parse(text, { columns: true });
  assert.deepEqual(
    rows.map(({ name }) => name),
    [...formulas.map((formula) => `'${formula}`), ...names],
  );
  // A number is not a formula, whatever its sign.
  assert.ok(rows.every(({ pulls }) => pulls === '-1'));
});

test("a user's pulls of a range of days, as JSON and as CSV, page by page", async () => {
  const [events, search] = [openEvents(':memory:', () => start), openSearch(':memory:')];
  const put = Array.from({ length: 9 }, (_, at) => pull(`p${at}`, start + at * day, { user: 'Ольга', tag: `${at}` }));
  await events.replacePulls([{ user: 'Ольга', repository: 'library/redis', version: 0, remove: [], put }]);
  const app = peopleRoutes({ events, search, clock: () => start, report: (cause) => assert.fail(String(cause)) });
  answerErrors(app, (cause) => assert.fail(String(cause)));
  const path = `/v1/history?user=${encodeURIComponent('Ольга')}`;
  const tags = async (query: string) => {
    const { items, cursor } = (await (await app.request(`${path}&${query}`)).json()) as {
      items: { tag: string }[];
      cursor?: string;
    };
    return [items.map(({ tag }) => tag).join(''), cursor !== undefined];
  };
  assert.deepEqual(await tags(`from=${dayName(2)}&to=${dayName(5)}`), ['5432', false]);
  assert.deepEqual(await tags(`to=${dayName(1)}`), ['10', false]);
  assert.deepEqual(await tags(`from=${dayName(7)}`), ['87', false]);
  assert.deepEqual(await tags(`from=${dayName(2)}&to=${dayName(5)}&limit=2`), ['54', true]);
  const pages = await all(app, `${path}&from=${dayName(2)}&to=${dayName(6)}&limit=2&format=csv`);
  assert.deepEqual(
    pages.map((rows) => rows.map(({ tag }) => tag).join('')),
    ['65', '43', '2'],
  );
  const wrong = await app.request(`${path}&from=${dayName(5)}&to=${dayName(2)}`);
  assert.deepEqual([wrong.status, /from is .* after to/.test(await wrong.text())], [400, true]);
});

test("a person's pulls of a registry with few: none is left out, however many of others are between", async () => {
  const [events, search] = [openEvents(':memory:', () => start), openSearch(':memory:')];
  const others = Array.from({ length: 2500 }, (_, at) => pull(`p${at}`, start + at, { repository: 'a' }));
  await events.replacePulls([{ user: 'Ann', repository: 'a', version: 0, remove: [], put: others }]);
  // The newest of all, one in the middle, and the oldest.
  const put = [2500, 1000.5, -1].map((at, n) => pull(`e${n}`, start + at, { repository: 'east//a' }));
  await events.replacePulls([{ user: 'Ann', repository: 'east//a', version: 0, remove: [], put }]);
  const registries = registriesOf([{ name: 'east' }]);
  const app = peopleRoutes({
    events,
    search,
    registries,
    clock: () => start,
    report: (cause) => assert.fail(String(cause)),
  });
  for (const limit of [1, 2, 3, 4]) {
    const found: string[][] = [];
    for (let cursor: string | undefined = ''; cursor !== undefined; ) {
      const more: string = cursor ? `&cursor=${encodeURIComponent(cursor)}` : '';
      const answer = await app.request(`/v1/history?user=Ann&registry=east&limit=${limit}${more}`);
      const page = (await answer.json()) as { items: { id: string }[]; cursor?: string };
      found.push(page.items.map(({ id }) => id));
      cursor = page.cursor;
      assert.ok(found.length < 9 && page.items.length <= limit);
    }
    assert.deepEqual(found.flat(), ['e0', 'e1', 'e2'], `${limit}`);
  }
});

test('the quarantine of a range of days as CSV, with reasons and shortened bodies', async () => {
  const events = openEvents(':memory:', () => start);
  await events.quarantine(
    Array.from({ length: 5 }, (_, at) => ({
      ...{ id: `q${at}`, time: start + at * day, reason: `=reason ${at}`, position: 'collect' },
      body: 'x'.repeat(5000),
    })),
  );
  const app = healthRoutes({ events } as never);
  answerErrors(app, (cause) => assert.fail(String(cause)));
  const pages = await all(app, `/v1/quarantine?format=csv&from=${dayName(1)}&limit=2`);
  assert.deepEqual(
    pages.flat().map(({ reason }) => reason),
    ["'=reason 4", "'=reason 3", "'=reason 2", "'=reason 1"],
  );
  assert.ok(pages.flat().every(({ body }) => body.length === 1000));
  const { items } = (await (await app.request(`/v1/quarantine?to=${dayName(0)}`)).json()) as {
    items: { id: string; body: string }[];
  };
  assert.deepEqual(
    items.map(({ id, body }) => [id, body.length]),
    [['q0', 5000]],
  );
});

test('hits of each day by domain, country or action as CSV, page by page', async () => {
  const objects = memoryObjects(() => start).through(open);
  const hits: Record<string, string> = {};
  for (const at of [0, 1]) {
    const sums = DaySums.empty(dayName(at));
    const of = (domain: string, action: string) =>
      ({ type: 'hit', time: start + at * day, address: '0', domain, action }) as const;
    sums.merge(
      deltaOf([of('a.example', 'view'), of('a.example', '=view'), of('bücher.example', 'view')], start + at * day),
    );
    hits[dayName(at)] = `hits/${at}`;
    await objects.put(`hits/${at}`, sums.encode());
  }
  await objects.put(manifestKey, JSON.stringify({ ...emptyManifest, hits }));
  const app = hitRoutes({ objects, keepDays: 7, least: 5, seenBy: () => 'names' });
  answerErrors(app, (cause) => assert.fail(String(cause)));
  const [first, second] = [dayName(0), dayName(1)];
  const pages = await all(app, '/v1/hits?by=domain&limit=3&format=csv');
  assert.deepEqual(
    pages.map((rows) => rows.map(({ day, key, hits }) => [day, key, hits])),
    [
      [
        [first, 'a.example', '2'],
        [first, 'bücher.example', '1'],
        [second, 'a.example', '2'],
      ],
      [[second, 'bücher.example', '1']],
    ],
  );
  const [actions] = await all(app, `/v1/hits?by=action&from=${second}&format=csv`);
  assert.deepEqual(
    actions.map(({ key, hits }) => [key, hits]),
    [
      ['view', '2'],
      ["'=view", '1'],
    ],
  );
  const [days] = await all(app, `/v1/hits?to=${first}&format=csv`);
  assert.deepEqual(days, [{ day: first, key: first, hits: '3' }]);
});
