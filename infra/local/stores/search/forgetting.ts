// Forgetting a user with many documents in two steps, because removing a document changes a dozen pages all over the
// file. First their number loses its name (users.ts): then nothing is left of the user, and the sums are those of as many
// anonymous pulls. Then, in the background, the documents leave, and the rows of `pair_weeks`, which also have the number.
import { hash } from 'node:crypto';
import type { SQLInputValue } from 'node:sqlite';
import { lists } from '../sqlite/sqlite.ts';
import { weeksOf } from '../sqlite/weeks.ts';
import type { Change } from './change.ts';
import { growing, type Prepare, sumNames } from './counted.ts';
import { docColumns, docOf } from './doc.ts';
import { documentsByUser, mixWeeks, ofSummedWeeks, ofWeeks, pairWeeks, userDayWeeks } from './weeks.ts';

/** The documents of a user, by a list of weeks and the user's number. */
const ownDocuments = `FROM ${documentsByUser.rows} WHERE ${ofWeeks} AND documents.user = ? AND kind IN ('event', 'pull', 'both')`;
const weeksIn = (prepare: Prepare) => JSON.stringify(weeksOf(prepare, documentsByUser)());
/** How many documents are removed in one transaction, so that others can write in between. */
export const removedAtOnce = { directly: 5000, leaving: 1000 };

const numbers = sumNames.join();
const summedOf = `${ofSummedWeeks} AND user = ?`;

/** Makes sums of all documents of a user anonymous, within a transaction. Every document must be summed. */
export function makeAnonymous(prepare: Prepare, user: string): void {
  const [mixes, userDays] = [mixWeeks, userDayWeeks].map((rows) => JSON.stringify(weeksOf(prepare, rows)()));
  const run = (sql: string, ...values: string[]) => prepare(sql).run(...values);
  run(
    `UPDATE popularity SET people = people - 1, days = days - taughtDays FROM pairs
     WHERE pairs.user = ? AND taughtDay IS NOT NULL AND pairs.repository = popularity.repository`,
    user,
  );
  run(
    `UPDATE newest_days SET people = people - 1 FROM pairs
     WHERE pairs.user = ? AND pairs.taughtDay = newest_days.day AND pairs.repository = newest_days.repository`,
    user,
  );
  run(
    `UPDATE repositories SET pulledBy = pulledBy - 1 WHERE repository IN (SELECT repository FROM pairs WHERE user = ?)`,
    user,
  );
  for (const [table, keys, weeks] of [
    ['mixes', 'repository, day, class, client, country', mixes],
    ['user_days', 'day, registry', userDays],
  ]) {
    const columns = `${keys}, ${numbers}`;
    run(
      `INSERT INTO ${table} (week, user, ${columns}) SELECT week, '', ${columns} FROM ${table} WHERE ${summedOf}
       ON CONFLICT DO UPDATE SET ${growing}`,
      ...[weeks, user],
    );
    run(`DELETE FROM ${table} WHERE ${summedOf}`, weeks, user);
  }
  run(
    `DELETE FROM users WHERE user = ? AND (scope = '' OR scope IN (SELECT registry FROM user_classes WHERE user = ?))`,
    ...[user, user],
  );
  for (const table of ['user_classes', 'pairs']) run(`DELETE FROM ${table} WHERE user = ?`, user);
}

/** Removes at most so many documents of a user, named or not, within a transaction; returns how many. */
export function removeSome(prepare: Prepare, number: number, most: number, changed: Change): number {
  const some = lists<SQLInputValue[]>(prepare(`SELECT id, ${docColumns} ${ownDocuments} LIMIT ?`));
  const found = some.all(weeksIn(prepare), number, most);
  removeAll(prepare, found, changed);
  return found.length;
}

/** Removes at most so many rows of `pair_weeks` of a user without documents, within a transaction; returns how many. */
export function removePairWeeks(prepare: Prepare, number: number, most: number): number {
  const keys = 'week, user, repository';
  const some = prepare(
    `DELETE FROM pair_weeks WHERE (${keys}) IN (SELECT ${keys} FROM pair_weeks WHERE ${summedOf} LIMIT ?)`,
  );
  return Number(some.run(JSON.stringify(weeksOf(prepare, pairWeeks)()), number, most).changes);
}

/** Removes documents. Facts about images stay, without the user. */
function removeAll(prepare: Prepare, found: SQLInputValue[][], changed: Change): void {
  const put = prepare(
    `INSERT INTO documents (kind, id, version, gone, user, repository, time, action, manifest, tag, digest, class, country,
       client, apart, uncertain)
     VALUES ('fact', ?, 0, 0, NULL, ?, ?, ?, ?, ?, ?, ?, '', '', ?, 0)
     ON CONFLICT (kind, id) DO UPDATE SET time = excluded.time WHERE excluded.time > documents.time`,
  );
  const held = lists<SQLInputValue[]>(prepare(`SELECT ${docColumns} FROM documents WHERE kind = 'fact' AND id = ?`));
  const remove = prepare('DELETE FROM documents WHERE kind = ? AND id = ?');
  for (const [id, ...row] of found) {
    const doc = docOf(row);
    const { kind, repository, action, manifest, digest, tag, class: pullClass, apart, time } = doc;
    remove.run(kind, String(id));
    changed.replace(kind, String(id), doc, undefined);
    // After the document, so that the newest of a fact need not be looked for.
    if (kind !== 'pull' && (manifest === 1 || action === 'delete')) {
      const names = JSON.stringify([repository, action, digest, tag, pullClass, apart]);
      const fact = hash('sha256', names, 'base64url');
      const before = held.get(fact);
      const values = [time, action, manifest, tag, digest, pullClass, apart];
      put.run(fact, repository, ...values);
      changed.replace('fact', fact, before && docOf(before), docOf(held.get(fact)!));
    }
  }
  changed.end();
}

/** Whether a user has so many documents that they are made anonymous first. */
export const hasMany = (prepare: Prepare, number: number, many: number): boolean =>
  prepare(`SELECT 1 ${ownDocuments} LIMIT 1 OFFSET ?`).get(weeksIn(prepare), number, many) !== undefined;
