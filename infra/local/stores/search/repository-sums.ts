// The sums of repositories and registries: sums, repository_days, image_facts, repositories.
import { partsOf } from '#core/registry/name.ts';
import { lists } from '../sqlite/sqlite.ts';
import { firstFound, weekOfRow, weeksOf } from '../sqlite/weeks.ts';
import {
  adder,
  type Counted,
  dayMs,
  increase,
  type Numbers,
  never,
  type Prepare,
  type RepositoryChange,
  stampChange,
  sumNames,
  within,
  zeros,
} from './counted.ts';
import type { Doc } from './doc.ts';
import { trendOf } from './trend.ts';
import { documentsByRepository, ofWeeks } from './weeks.ts';

const sumFields = ['class', 'client', 'country', 'tag'];
const imageFact = "kind IN ('event', 'fact', 'both') AND (manifest = 1 OR action = 'delete')";

/** Sums of a scope on a day: in total, and by the values of each of `sumFields`. */
interface DaySums {
  all: Numbers;
  by: Map<string, Numbers>[];
}

const emptyDay = (): DaySums => ({ all: zeros(), by: sumFields.map(() => new Map()) });

/** The values of `sumFields`. */
const valuesOf = ({ class: kind, client, country, tag }: Doc) => [kind, client, country, tag ?? ''];

function include(sums: DaySums, { doc, add }: Counted): void {
  increase(sums.all, add);
  for (const [field, value] of valuesOf(doc).entries()) increase(within(sums.by[field], value, zeros), add);
}

export function storeScopes(prepare: Prepare, repositories: Map<string, RepositoryChange>): void {
  const registries = new Map<string, Map<number, DaySums>>();
  for (const [repository, { registry, days }] of repositories) {
    const ofRegistry = within(registries, registry, () => new Map<number, DaySums>());
    for (const [day, counted] of days) {
      const sums = within(ofRegistry, day, emptyDay);
      for (const one of counted) include(sums, one);
      storeDay(prepare, repository, day, counted);
    }
  }
  const store = adder(prepare, 'sums', ['scope', 'field', 'day', 'key']);
  for (const [registry, days] of registries) {
    const scope = `g ${registry}`;
    for (const [day, { all, by }] of days) {
      store([scope, '', day, ''], all);
      for (const [field, values] of by.entries())
        for (const [value, numbers] of values) store([scope, sumFields[field], day, value], numbers);
    }
  }
}

const isNothing = (numbers: Numbers) => numbers.every((value) => value === 0);

const heldDay = `SELECT ${sumNames.join()}, fields FROM repository_days WHERE repository = ? AND day = ?`;
const updateDay = `UPDATE repository_days SET ${sumNames.map((name) => `${name} = ?`).join()}, fields = ?
  WHERE repository = ? AND day = ?`;

/** Adds documents to the sums of a repository's day. */
function storeDay(prepare: Prepare, repository: string, day: number, counted: Counted[]): void {
  const sums = counted.length === 1 ? undefined : sumOf(counted);
  if (sums && isNothing(sums.all) && sums.by.every((values) => [...values.values()].every(isNothing))) return;
  // Most days are new, and most of those have one document.
  const add = prepare('INSERT INTO repository_days VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING');
  const [{ doc, add: numbers }] = counted;
  const text = sums ? fieldsText(sums.by) : JSON.stringify(valuesOf(doc).map((value) => [[value, ...numbers]]));
  if (add.run(repository, day, ...(sums?.all ?? numbers), text).changes === 1) return;
  const { all, by } = sums ?? sumOf(counted);
  const found = prepare(heldDay);
  found.setReturnArrays(true);
  const held = found.get(repository, day) as unknown as [...Numbers, string];
  const fields = JSON.parse(held.pop() as string) as [string, ...Numbers][][];
  increase(all, held as unknown as Numbers);
  for (const [field, rows] of fields.entries())
    for (const [value, ...numbers] of rows) increase(within(by[field], value, zeros), numbers);
  if (isNothing(all)) prepare('DELETE FROM repository_days WHERE repository = ? AND day = ?').run(repository, day);
  else prepare(updateDay).run(...all, fieldsText(by), repository, day);
}

function sumOf(counted: Counted[]): DaySums {
  const sums = emptyDay();
  for (const one of counted) include(sums, one);
  return sums;
}

/** Of each of `sumFields` the values and their numbers, sorted: [[["human",1,0,2,0,0]],…]. `eachOfField` reads it. */
function fieldsText(by: Map<string, Numbers>[]): string {
  return JSON.stringify(
    by.map((values) =>
      [...values.keys()]
        .sort()
        .map((value) => [value, ...values.get(value)!])
        .filter(([, ...numbers]) => !isNothing(numbers as Numbers)),
    ),
  );
}

/** The rows of a field of `repository_days`, and in SQL what they are: the value and its sums. */
export function eachOfField(field: string): { from: string; key: string; summed: string } {
  return {
    from: `repository_days, json_each(fields, '$[${sumFields.indexOf(field)}]')`,
    key: 'value ->> 0',
    summed: sumNames.map((name, at) => `SUM(value ->> ${at + 1}) AS ${name}`).join(),
  };
}

const sameFact = 'repository = ? AND action = ? AND digest = ? AND tag = ? AND class = ? AND apart = ?';
const moveFact = `UPDATE image_facts SET last = ? WHERE ${sameFact}`;
const lastOfFact = `SELECT last FROM image_facts WHERE ${sameFact}`;
const removeFact = `DELETE FROM image_facts WHERE ${sameFact}`;

export function storeFacts(prepare: Prepare, repository: string, own: RepositoryChange): void {
  const lastOf = lists<[number]>(prepare(lastOfFact));
  const add = prepare('INSERT INTO image_facts VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING');
  const move = prepare(moveFact);
  const day = (time: number) => Math.floor(time / dayMs);
  const [, newest] = heldRepository(prepare, repository);
  const weeks = () => JSON.stringify(weeksOf(prepare, documentsByRepository)());
  let moved = false;
  for (const { key, last, came, less } of own.facts.values()) {
    // Most are new.
    if (less === never && add.run(...key, last).changes === 1) {
      own.stamp = stampChange;
      continue;
    }
    const held = lastOf.get(...key)?.[0];
    let now = Math.max(last, held ?? never);
    if (less >= now && !(last === now && came > 0)) {
      const [, action, digest, tag, kind, apart] = key;
      // Happens rarely: when an event is recomputed because more of its pull has come, or expires.
      const index = digest ? 'documents_digests' : 'documents_repositories';
      const left = prepare(
        `SELECT MAX(time) AS time FROM documents INDEXED BY ${index} WHERE ${ofWeeks} AND ${imageFact} AND repository = ?
           AND action = ? AND digest ${digest ? '=' : 'IS'} ? AND COALESCE(tag, '') = ? AND class = ? AND (apart IS 1) = ?`,
      ).get(weeks(), repository, action, digest || null, tag, kind, apart)?.time as number | null;
      now = left ?? never;
    }
    if (now === held) continue;
    if (now === never) prepare(removeFact).run(...key);
    else if (held === undefined) add.run(...key, now);
    else move.run(now, ...key);
    // Once more on the day of the repository's newest pull.
    const isSame = held !== undefined && now > held && day(now) === day(held) && !!newest && day(held) >= day(newest);
    if (!isSame) own.stamp = stampChange;
    else moved = true;
  }
  if (!moved || own.stamp > 0) return;
  const deletes = "SELECT 1 FROM image_facts WHERE repository = ? AND action = 'delete' LIMIT 1";
  own.stamp = prepare(deletes).get(repository) ? stampChange : 1;
}

/** As it is in `repositories`. */
const heldRepository = (prepare: Prepare, repository: string): [pulls: number, lastPull: number] =>
  lists<[number, number]>(prepare('SELECT pulls, lastPull FROM repositories WHERE repository = ?')).get(repository) ?? [
    0, 0,
  ];

export function storeRepository(prepare: Prepare, repository: string, own: RepositoryChange): void {
  const { pulls, raw, manifests, pulledBy } = own;
  const [before, heldLast] = heldRepository(prepare, repository);
  let last = Math.max(own.last, heldLast);
  if (own.less) last = lastPull(prepare, repository, last);
  // What moved within the day of the newest pull may now have moved after it.
  const stamp = last < heldLast ? stampChange : own.stamp;
  const { registry, repository: name } = partsOf(repository);
  prepare(
    `INSERT INTO repositories VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET pulls = pulls + excluded.pulls,
       raw = raw + excluded.raw, manifests = manifests + excluded.manifests, pulledBy = pulledBy + excluded.pulledBy,
       lastPull = excluded.lastPull, trend = excluded.trend, stamp = stamp + excluded.stamp`,
  ).run(
    ...[
      repository,
      registry,
      name.toLowerCase(),
      pulls,
      raw,
      manifests,
      pulledBy,
      last,
      trendOf(prepare, repository, before, own),
      stamp,
    ],
  );
}

/** Read again from the documents up to a time; 0 if no pull is left. */
function lastPull(prepare: Prepare, repository: string, to: number): number {
  const newest = lists<[number]>(
    prepare(
      `SELECT time FROM ${documentsByRepository.rows}
       WHERE ${weekOfRow} = ? AND repository = ? AND kind IN ('pull', 'both') ORDER BY time DESC LIMIT 1`,
    ),
  );
  const weeks = weeksOf(prepare, documentsByRepository)(undefined, to).reverse();
  return firstFound(weeks, newest, repository)?.[0] ?? 0;
}
