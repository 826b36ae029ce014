// Who pulled what how often, as files that other tools read: CSV with a header, or NDJSON.
import type { Pair } from '#core/stores.ts';

export type PairFormat = 'csv' | 'ndjson';

const header = 'user,repository,pulls,lastPull';
const columns = new Set([...header.split(','), 'item', 'rating']);

/** One pair as a line with its line feed; lastPull is RFC 3339. */
export function pairLine({ user, repository, pulls, lastPull }: Pair, format: PairFormat): string {
  const last = new Date(lastPull).toISOString();
  if (format === 'ndjson') return `${JSON.stringify({ user, repository, pulls, lastPull: last })}\n`;
  return `${[user, repository, pulls, last].map(cell).join()}\n`;
}

/** What stands before the first line. */
export const pairHead = (format: PairFormat): string => (format === 'csv' ? `${header}\n` : '');

/**
 * Reads pairs. Columns: user, repository (or item), pulls (or rating; 1 when left out), lastPull (RFC 3339; the line
 * number stands in where it is left out, so that a split by time follows the file). A pair that comes again is added
 * up. Throws at the first bad line, naming it.
 */
export function readPairs(text: string, format: PairFormat): Pair[] {
  const found = new Map<string, Pair>();
  let line = 0;
  for (const row of format === 'csv' ? csvRows(text) : jsonRows(text)) {
    line++;
    for (const [name, value] of Object.entries(row))
      if (columns.has(name) && typeof value !== 'string' && typeof value !== 'number')
        throw new Error(`row ${line}: ${name} is ${JSON.stringify(value)}: write text or a number`);
    const user = String(row.user ?? '');
    const repository = String(row.repository ?? row.item ?? '');
    const pulls = Number(row.pulls ?? row.rating ?? 1);
    const lastPull = row.lastPull === undefined ? line : Date.parse(String(row.lastPull));
    if (user === '' || repository === '') throw new Error(`row ${line}: name a user and a repository`);
    if (!(pulls > 0 && pulls < 1e9)) throw new Error(`row ${line}: pulls is ${row.pulls ?? row.rating}, not above 0`);
    if (Number.isNaN(lastPull)) throw new Error(`row ${line}: lastPull "${row.lastPull}" is no RFC 3339 time`);
    const key = JSON.stringify([user, repository]);
    const known = found.get(key);
    if (known) Object.assign(known, { pulls: known.pulls + pulls, lastPull: Math.max(known.lastPull, lastPull) });
    else found.set(key, { user, repository, pulls, lastPull });
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
      throw new Error(`line ${at + 1} is no JSON`, { cause });
    }
    if (typeof row !== 'object' || row === null) throw new Error(`line ${at + 1} is no JSON object`);
    yield row as Row;
  }
}

/** RFC 4180: quoted cells may hold commas, quotes (doubled) and line feeds. */
function* csvRows(text: string): Generator<Row> {
  const cells = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;
  let columns: string[] | undefined;
  let fields: string[] = [];
  cells.lastIndex = text.startsWith('\ufeff') ? 1 : 0;
  while (cells.lastIndex < text.length || fields.length > 0) {
    const match = cells.exec(text);
    if (!match) throw new Error(`after row ${fields.join()}: a quote out of place`);
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2]);
    if (match[3] === ',') continue;
    if (fields.length > 1 || fields[0] !== '') {
      if (!columns) {
        columns = fields;
        if (!columns.includes('user')) throw new Error(`the first line is "${fields}": begin with "${header}"`);
      } else {
        if (fields.length !== columns.length) throw new Error(`"${fields}": ${columns.length} cells are wanted`);
        const given = columns.map((name, at) => [name, fields[at]]).filter(([, value]) => value !== '');
        yield Object.fromEntries(given);
      }
    }
    fields = [];
  }
}

const cell = (value: string | number) =>
  /[",\r\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value);
