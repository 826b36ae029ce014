// Who pulled what and how often, as files that other tools read: CSV with a header, or NDJSON.
import { parse } from 'csv-parse/sync';
import type { Pair } from '#core/stores.ts';

export type PairFormat = 'csv' | 'ndjson';

const header = 'user,repository,pulls,days,firstPull,lastPull';
const columns = new Set([...header.split(','), 'item', 'rating']);

/** A pair as a line, with line feed; times are RFC 3339. */
export function pairLine({ user, repository, pulls, days, ...times }: Pair, format: PairFormat): string {
  const firstPull = new Date(times.firstPull).toISOString();
  const lastPull = new Date(times.lastPull).toISOString();
  if (format === 'ndjson') return `${JSON.stringify({ user, repository, pulls, days, firstPull, lastPull })}\n`;
  return `${[user, repository, pulls, days ?? '', firstPull, lastPull].map(cell).join()}\n`;
}

/** The header line, with line feed; empty for NDJSON. */
export const pairHead = (format: PairFormat): string => (format === 'csv' ? `${header}\n` : '');

/**
 * Returns the pairs of a file. Columns: user, repository (or item), pulls (or rating; 1 when left out), days (on how
 * many days), firstPull and lastPull (RFC 3339). A single time is used as both; without any, the line number is, so
 * that a split by time follows the file. Repeated pairs are summed. Throws at the first invalid line, naming it.
 */
export function readPairs(text: string, format: PairFormat): Pair[] {
  const found = new Map<string, Pair>();
  let line = 0;
  for (const row of format === 'csv' ? csvRows(text) : jsonRows(text)) {
    line++;
    for (const [name, value] of Object.entries(row))
      if (columns.has(name) && typeof value !== 'string' && typeof value !== 'number')
        throw new Error(`row ${line}: ${name} is ${JSON.stringify(value)}: must be a text or a number`);
    const user = String(row.user ?? '');
    const repository = String(row.repository ?? row.item ?? '');
    const pulls = Number(row.pulls ?? row.rating ?? 1);
    const days = row.days === undefined ? undefined : Number(row.days);
    if (days !== undefined && !(days > 0 && days <= pulls))
      throw new Error(`row ${line}: days is ${row.days}: must be above 0 and at most pulls (${pulls})`);
    const timeOf = (name: 'firstPull' | 'lastPull') => {
      if (row[name] === undefined) return undefined;
      const time = Date.parse(String(row[name]));
      if (Number.isNaN(time)) throw new Error(`row ${line}: ${name} is "${row[name]}": must be an RFC 3339 time`);
      return time;
    };
    const [first, last] = [timeOf('firstPull'), timeOf('lastPull')];
    const [firstPull, lastPull] = [first ?? last ?? line, last ?? first ?? line];
    if (user === '' || repository === '') throw new Error(`row ${line}: name a user and a repository`);
    if (!(pulls > 0 && pulls < 1e9))
      throw new Error(`row ${line}: pulls is "${row.pulls ?? row.rating}": must be above 0`);
    if (firstPull > lastPull)
      throw new Error(`row ${line}: firstPull "${row.firstPull}" is after lastPull "${row.lastPull}"`);
    const key = JSON.stringify([user, repository]);
    const known = found.get(key);
    if (!known) found.set(key, { user, repository, pulls, ...(days !== undefined && { days }), firstPull, lastPull });
    else {
      known.pulls += pulls;
      if (days !== undefined) known.days = (known.days ?? 0) + days;
      known.firstPull = Math.min(known.firstPull, firstPull);
      known.lastPull = Math.max(known.lastPull, lastPull);
    }
  }
  return [...found.values()];
}

type Row = Record<string, unknown>;

function* jsonRows(text: string): Generator<Row> {
  for (const [at, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    let row: unknown;
    try {
      row = JSON.parse(line);
    } catch (cause) {
      throw new Error(`line ${at + 1} is not JSON`, { cause });
    }
    if (typeof row !== 'object' || row === null) throw new Error(`line ${at + 1} is not a JSON object`);
    yield row as Row;
  }
}

function* csvRows(text: string): Generator<Row> {
  const [columns, ...rows] = parse(text, { bom: true, skip_empty_lines: true });
  if (!columns?.includes('user')) throw new Error(`the first line is "${columns ?? ''}": must begin with "${header}"`);
  for (const fields of rows)
    yield Object.fromEntries(columns.map((name, at) => [name, fields[at]]).filter(([, value]) => value !== ''));
}

const cell = (value: string | number) =>
  /[",\r\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value);
