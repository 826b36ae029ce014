import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { startingAt } from '../support/clock.ts';
import { dataFolder, eventually, startLocal } from '../support/run.ts';

// Data stored by an older version opens with today's code. fixtures/data-VERSION/make.mjs says what is in each folder.
const fixtures = join(import.meta.dirname, '../fixtures');

type Answer = Record<string, unknown>;
interface Old {
  /** When the folder was made, milliseconds since the epoch. */
  at: number;
  answers: Record<string, Answer>;
}

/** Ages, and values that the new model or the waiting records change, are checked one by one below. */
const changing = /^\/v1\/(health|model|points\/latest|recommendations|similar)\b/;
/** Paths that were renamed since. */
const today = (path: string) => path.replace('/v1/notices', '/v1/alerts');
/** Since 0.2.0 a list leaves out what the registry deleted; its counts and history stay. */
const deleted = ['library/kibana', 'team-b/web/front', 'tmp/to-delete'];
const listed = (answer: Answer) =>
  Array.isArray(answer) ? answer.filter(({ repository }) => !deleted.includes(repository)) : answer;

for (const name of readdirSync(fixtures).filter((name) => name.startsWith('data-'))) {
  test(`${name} opens with all its counts, people, models and history`, { timeout: 60_000 }, async (t) => {
    const { at, answers } = JSON.parse(readFileSync(join(fixtures, name, 'answers.json'), 'utf8')) as Old;
    const folder = dataFolder(t);
    cpSync(join(fixtures, name, 'folder'), folder, { recursive: true });
    const running = await startLocal(folder, ['--export-every', '0.5', '--train-every', '86400'], {
      ...startingAt(at + 1000),
      WHALEWATCH_TOKEN: '',
    });
    t.after(() => running.kill());
    const get = (path: string) => running.get<Answer>(path);

    // The two records that waited in the stream are processed.
    const waiting = () => running.get<{ items: { repository: string }[] }>('/v1/history?user=waiting');
    const { items } = await eventually(20, waiting, ({ items }) => items.length === 2);
    assert.deepEqual(items.map(({ repository }) => repository).sort(), ['waiting/app', 'waiting/base']);

    for (const [path, then] of Object.entries(answers))
      if (!changing.test(path)) holds(await get(today(path)), listed(then), path);

    const { hits, registryEvents, duplicates, quarantined } = answers['/v1/health'] as Record<string, number>;
    const counters = { hits, registryEvents: registryEvents + 2, duplicates, quarantined };
    await eventually(
      20,
      () => get('/v1/health'),
      (now) => isHeldBy(now, counters),
    );

    // A start trains a model; the earlier models stay, and can be put back.
    const { current, items: models } = answers['/v1/model'] as { current: Answer; items: Answer[] };
    await eventually(
      30,
      () => get('/v1/model'),
      (now) => (now.current as Answer).id !== current.id,
    );
    const cards = (await get('/v1/model')).items as Answer[];
    for (const card of models) {
      const found = cards.find(({ id }) => id === card.id);
      holds(found, { ...card, current: false }, `model ${card.id}`);
    }
    assert.equal((await running.post('/v1/model/rollback', {})).status, 200);
    holds(await get('/v1/model'), { current }, 'the model after a rollback');
    // From the old model, but filtered by today's rules.
    const lists = Object.entries(answers).filter(([path]) => /^\/v1\/(recommendations|similar)/.test(path));
    assert.ok(lists.length > 0);
    for (const [path, { user, model, items }] of lists) {
      const now = await get(path);
      assert.deepEqual([now.user, now.model], [user, model], path);
      if (!model) holds(now, { items: (items as Answer[]).slice(0, 1) }, path);
    }
    const token = readFileSync(join(folder, 'token'), 'utf8').trim();
    assert.match(running.output(), new RegExp(`Bearer ${token}\\n`));

    // Counting continues where it stopped.
    const sent = await running.post('/v1/hits', { domain: 'new.example' }, { 'X-Forwarded-For': '81.2.69.142' });
    assert.equal(sent.status, 202);
    const domains = async () => {
      const { points } = await running.get<{ points: { domain: string }[] }>('/points.json');
      return points.map(({ domain }) => domain).sort();
    };
    await eventually(20, domains, (now) => now.join() === 'london.example,new.example,oslo.example');
    assert.equal((await get('/v1/health')).hits, hits + 1);
    assert.equal(await running.stop(), 0);
  });
}

function holds(actual: unknown, expected: unknown, what: string): void {
  assert.ok(isHeldBy(actual, expected), `${what}: was ${JSON.stringify(expected)}, is ${JSON.stringify(actual)}`);
}

/** Whether everything of `expected` is in `actual`, which may have more fields and, between the rows of a list, more rows. */
function isHeldBy(actual: unknown, expected: unknown): boolean {
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual)) return false;
    let at = 0;
    for (const row of actual) if (at < expected.length && isHeldBy(row, expected[at])) at++;
    return at === expected.length;
  }
  if (typeof expected !== 'object' || expected === null) return actual === expected;
  if (typeof actual !== 'object' || actual === null) return false;
  return Object.entries(expected).every(([key, value]) => isHeldBy((actual as Answer)[key], value));
}
