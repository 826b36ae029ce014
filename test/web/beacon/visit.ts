// One situation in one browser: visits and leaves the pages, and compares the hits that came with the expected ones.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { noRouters, portal, Row, rows, service, tag } from './site.ts';
import { type Case, type Expected, routers, type Situation, type Tab, table } from './situations.ts';

/** A tab for a situation, set up as it says; what the page throws goes to `thrown`. */
export type OpenTab = (situation: Situation, thrown: (error: unknown) => void) => Promise<OpenedTab>;

export interface OpenedTab {
  page: Tab;
  /** Lets so many milliseconds pass in the page. */
  passes?: (ms: number) => Promise<void>;
  close(): Promise<void>;
}

let count = 0;

/** Visits the portal in one situation; returns the hits that came until it was left. */
async function visit(openTab: OpenTab, situation: Situation, wanted: number): Promise<{ row: Row; key: string }> {
  const key = situation.key ?? `row${++count}`;
  const row = new Row();
  rows.set(key, row);
  row.html = (path) => situation.html?.(key, path) ?? tag(key);
  row.headers = situation.headers ?? {};
  const errors: unknown[] = [];
  const { page, passes, close } = await openTab(situation, (error) => errors.push(error));
  const open = (path: string) => page.goto(`${portal}/${key}/${path}`);
  const go = async (name: string) => {
    await page.click(`#to-${name}`);
    await page.waitForFunction((name: string) => new RegExp(`/${name}(\\.html)?$`).test(location.href), name);
  };
  const pass = async (minutes: number, steps = 40) => {
    if (!passes) throw new Error('time passes by itself in this tab');
    for (let step = 0; step < steps; step++) {
      await passes((minutes * 60_000) / steps);
      await page.evaluate((url: string) => fetch(url), `${service}/none/hit.js`);
    }
  };
  await open(situation.first ?? 'a');
  await situation.act?.({ key, row, page, open, go, pass });
  // Leaving a page sends everything. Wanted hits are waited for; unwanted ones have the time of another page's load to come.
  row.headers = {};
  await page.goto('about:blank');
  for (let turn = 0; turn < 250 && row.hits.length < wanted; turn++)
    await new Promise((resolve) => setTimeout(resolve, 20));
  await page.goto(`${service}/${key}/hit.js`);
  await close();
  rows.delete(key);
  assert.deepEqual(errors, [], 'nothing is thrown into the page');
  return { row, key };
}

const expected = (key: string, hits: Expected[]) =>
  hits.map((hit): [string, string] => {
    const [action, path] = typeof hit === 'string' ? ['view', hit] : hit;
    return [action, `/${key}/${path}`.slice(0, 2000)];
  });

interface Options {
  /** Why there is no browser. */
  skip: string | false;
  /** Whether the browser has what a situation needs. */
  has?: (situation: Situation) => boolean;
}

/** The two tables in a browser, as tests. */
export function trySituations(browser: string, openTab: OpenTab, { skip, has = () => true }: Options): void {
  const each = (cases: Case[]) => (t: TestContext) =>
    Promise.all(
      cases
        .filter(([, situation]) => has(situation))
        .map(([what, situation, hits]) =>
          t.test(what, async () => {
            const { row, key } = await visit(openTab, situation, hits.length);
            assert.deepEqual(
              row.hits.map(({ action, path }): [string, string] => [action, path]),
              expected(key, hits),
            );
            assert.equal(new Set(row.hits.map(({ id }) => id)).size, hits.length, 'each hit has an id of its own');
            situation.check?.(row, key);
          }),
        ),
    );
  test(`${browser}: a situation makes exactly the hits of its row`, { skip, concurrency: 3 }, async (t) => {
    await each(table)(t);
  });
  test(`${browser}: each router makes one hit a page`, { skip: skip || noRouters, concurrency: 3 }, async (t) => {
    await each(routers)(t);
  });
}
