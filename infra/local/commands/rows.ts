// Reads the rows of a file from any tool: encoding, format, delimiter and column names are detected from its first
// bytes and line.
import { type Options, parse } from 'csv-parse/sync';
import {
  combinedRow,
  distributionLog,
  harborAuditRow,
  isCombined,
  isDistributionLog,
  isHarborAudit,
} from './access-log.ts';

export type Row = Record<string, unknown>;

export interface NumberedRow {
  /** The row's first line, counted from 1. */
  line: number;
  /** Absent if the line has nothing to count: a blob or a refused request. */
  row?: Row;
  /** Set if the row can't be read: the reason. */
  wrong?: string;
}

export type Format = 'csv' | 'ndjson' | 'combined';

/** Thrown for a file that can't be read as a whole; the message says why and what to do. */
export class Unreadable extends Error {
  override name = 'Unreadable';
}

// --- encoding -------------------------------------------------------------------------------------------------------

/** The encoding of a file, from its byte order mark or, for UTF-16 without one, from its zero bytes. */
export function encodingOf(head: Uint8Array): 'utf-8' | 'utf-16le' | 'utf-16be' {
  if (head[0] === 0xff && head[1] === 0xfe) return 'utf-16le';
  if (head[0] === 0xfe && head[1] === 0xff) return 'utf-16be';
  const zeros = [0, 1].map((side) => head.filter((byte, at) => at % 2 === side && byte === 0).length);
  const half = head.length / 2;
  if (half > 1 && zeros[1] > half / 2 && zeros[0] === 0) return 'utf-16le';
  if (half > 1 && zeros[0] > half / 2 && zeros[1] === 0) return 'utf-16be';
  return 'utf-8';
}

/** Bytes that are enough to recognise an encoding. */
const headBytes = 256;

/** The same bytes, but the first chunk has at least so many bytes if the file has. */
async function* withHead(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let head: Uint8Array | undefined = new Uint8Array();
  for await (const bytes of chunks) {
    if (!head) yield bytes;
    else {
      head = Buffer.concat([head, bytes]);
      if (head.length < headBytes) continue;
      yield head;
      head = undefined;
    }
  }
  if (head) yield head;
}

/** The lines of a file. Throws Unreadable if the bytes are not text in a known encoding. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  let decoder: TextDecoder | undefined;
  let encoding: string | undefined;
  let rest = '';
  const decoded = (bytes?: Uint8Array) => {
    try {
      return bytes ? decoder!.decode(bytes, { stream: true }) : (decoder?.decode() ?? '');
    } catch (cause) {
      throw new Unreadable(`it is not ${encoding?.toUpperCase()} text: save it as UTF-8, or unpack it first`, {
        cause,
      });
    }
  };
  for await (const bytes of withHead(chunks)) {
    encoding ??= encodingOf(bytes.subarray(0, headBytes));
    decoder ??= new TextDecoder(encoding, { fatal: true });
    const lines = (rest + decoded(bytes)).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop()!;
    yield* lines;
  }
  rest += decoded();
  if (rest !== '') yield rest.replace(/\r$/, '');
}

// --- kinds ----------------------------------------------------------------------------------------------------------

/** The format of a file, from its first line that is not empty. */
export function formatOf(line: string): Format {
  if (/^\s*[[{]/.test(line)) return 'ndjson';
  return isCombined(line) ? 'combined' : 'csv';
}

type Lines = AsyncIterable<string> | Iterable<string>;

export function rowsOf(lines: Lines, format: Format): AsyncGenerator<NumberedRow> {
  if (format === 'combined') return combinedRows(lines);
  return format === 'csv' ? csvRows(lines) : jsonRows(lines);
}

async function* combinedRows(lines: Lines): AsyncGenerator<NumberedRow> {
  let line = 0;
  for await (const text of lines) {
    line++;
    if (text.trim() === '') continue;
    const row = combinedRow(text);
    yield typeof row === 'string' ? { line, wrong: row } : { line, row };
  }
}

/**
 * One object per line, or one array of objects, as from Harbor's API. The logs of Distribution and Harbor are
 * recognised by their fields.
 */
async function* jsonRows(lines: Lines): AsyncGenerator<NumberedRow> {
  const requests = distributionLog();
  const numbered = (line: number, value: unknown): NumberedRow => {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return { line, wrong: 'it is not a JSON object' };
    const row = value as Row;
    if (isDistributionLog(row)) return { line, row: requests(row) };
    return { line, row: isHarborAudit(row) ? harborAuditRow(row) : row };
  };
  let line = 0;
  let first = true;
  let array: string[] | undefined;
  for await (const text of lines) {
    line++;
    if (array) array.push(text);
    else if (text.trim() === '') continue;
    else if (first && /^\uFEFF?\s*\[/.test(text)) array = [withoutMark(text)];
    else yield numbered(line, parsed(withoutMark(text)));
    first = false;
  }
  if (!array) return;
  const values = parsed(array.join('\n'));
  if (!Array.isArray(values))
    throw new Unreadable('it begins as a JSON array but does not end as one: export it again');
  for (const [at, value] of values.entries()) yield numbered(at + 1, value);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const withoutMark = (text: string) => text.replace(/^\uFEFF/, '');

// --- CSV ------------------------------------------------------------------------------------------------------------

/** Columns by other names that exports use, compared without case, spaces and punctuation. */
const synonyms: Record<string, string[]> = {
  time: ['timestamp', 'date', 'datetime', 'when', 'at', 'pulledat', 'createdat', 'eventtime', 'optime'],
  user: ['username', 'actor', 'account', 'login', 'operator', 'puller', 'principal', 'pulledby'],
  repository: ['repo', 'image', 'imagename', 'repositoryname', 'repofullname'],
  tag: ['version', 'imagetag'],
  digest: ['sha256', 'imagedigest', 'manifestdigest'],
  action: ['operation', 'event', 'eventtype', 'verb'],
  userAgent: ['useragent', 'agent', 'client'],
  address: ['ip', 'ipaddress', 'clientip', 'remoteaddr', 'remoteaddress', 'addr'],
  domain: ['host', 'hostname', 'site'],
  path: ['url', 'page'],
};
const known = new Map(
  Object.entries(synonyms).flatMap(([name, others]) => [name.toLowerCase(), ...others].map((other) => [other, name])),
);

const delimiters = [',', ';', '\t', '|'];

/** The delimiter that occurs most often outside quotes. */
function delimiterOf(line: string): string {
  const bare = line.replace(/"[^"]*"/g, '');
  const count = (delimiter: string) => bare.split(delimiter).length;
  return delimiters.reduce((best, next) => (count(next) > count(best) ? next : best));
}

/** RFC 4180 with any delimiter: a quoted field may contain line breaks; the first row names the columns. */
async function* csvRows(lines: Lines): AsyncGenerator<NumberedRow> {
  let columns: string[] | undefined;
  let audit = false;
  let options: Options & { delimiter: string } = { delimiter: ',' };
  let [line, first, open] = [0, 0, ''];
  for await (const text of lines) {
    line++;
    if (open === '') first = line;
    const whole = open === '' ? text : `${open}\n${text}`;
    // With an odd number of quotes the row continues. The open row has an odd number, so only the new line's quotes are
    // counted.
    const odd = text.split('"').length % 2 === 0;
    if (odd === (open === '') && whole.length < 1_000_000) {
      open = whole;
      continue;
    }
    open = '';
    if (whole.trim() === '') continue;
    if (!columns) {
      options = { delimiter: delimiterOf(withoutMark(whole)), relax_column_count: true };
      const names = fieldsOf(withoutMark(whole), options)?.map((name) => name.trim()) ?? [];
      audit = isHarborAudit(Object.fromEntries(names.map((name) => [name, ''])));
      columns = audit ? names : columnsOf(names);
      continue;
    }
    const fields = fieldsOf(whole, options);
    if (fields?.length !== columns.length) {
      const count = fields ? `${fields.length} fields` : 'a quote out of place';
      yield { line: first, wrong: `it has ${count}, the first line names ${columns.length} columns` };
      continue;
    }
    // An empty field counts as absent, except the user: an anonymous pull has an empty one.
    const given = columns
      .map((name, at): [string, string] => [name, fields[at]])
      .filter(([name, value]) => value !== '' || name === 'user' || name === 'repository');
    const row = Object.fromEntries(given);
    yield { line: first, row: audit ? harborAuditRow(row) : row };
  }
  if (open !== '') yield { line: first, wrong: 'a quote is opened and never closed' };
}

function fieldsOf(text: string, options: Options & { delimiter: string }): string[] | undefined {
  // Most rows have no quotes: starting the parser takes 100 us.
  if (!text.includes('"')) return text.split(options.delimiter);
  try {
    return (parse(text, options) as string[][])[0];
  } catch {
    return undefined;
  }
}

/** Throws Unreadable with what to fix. */
function columnsOf(names: string[]): string[] {
  const columns: string[] = [];
  for (const name of names) {
    const column = known.get(name.toLowerCase().replace(/[\s_.-]/g, '')) ?? name;
    // If two columns mean the same, the first is used, and the other keeps its own name.
    columns.push(columns.includes(column) ? name : column);
  }
  if (!columns.includes('repository') && !columns.includes('domain'))
    throw new Unreadable(
      'line 1 does not name the columns: begin with "time,user,repository,tag,digest" or "time,domain,action,address"',
    );
  if (!columns.includes('time')) throw new Unreadable('line 1 names no column "time": add it');
  return columns;
}
