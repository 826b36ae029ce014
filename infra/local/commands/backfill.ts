// Rows of a file, NDJSON or CSV, as stream records: what `npm run import` puts into the stream.
// A row with a `repository` is a pull, a row with a `domain` is a hit. Ids come from the content, so that a second import
// of the same rows changes nothing: a registry event's id is kept for good, and asked for; a hit's only for an hour, so the
// hits that were imported are remembered, day by day, under `imports/` in the objects.
import { createHash } from 'node:crypto';
import { packLines } from '#core/bytes/pack.ts';
import type { HitLine, RegistryLine } from '#core/event.ts';
import { encodeHit, validateHit } from '#core/hits/hit.ts';
import { addressOf } from '#core/registry/address.ts';
import { normalise } from '#core/registry/normalise.ts';
import {
  type EventStore,
  type ObjectStore,
  PreconditionFailed,
  type StreamRecord,
  type StreamWriter,
} from '#core/stores.ts';

export interface BackfillOptions {
  stream: StreamWriter;
  objects: ObjectStore;
  events: Pick<EventStore, 'events'>;
  clock: () => number;
  /** Called after each batch. */
  progress?: (so: Backfilled) => void;
}

export interface Backfilled {
  rows: number;
  pulls: number;
  hits: number;
  /** Of the pulls, those by nobody who signed in. */
  anonymous: number;
  /** Pulls that are stored already or stand in the file twice, and hits that an earlier import brought. */
  known: number;
  /** Columns and fields that mean nothing here: passed over. */
  ignored: Set<string>;
  /** Rows left out: mend them and import the file again. */
  bad: { line: number; reason: string }[];
}

const pullColumns = ['time', 'user', 'repository', 'tag', 'digest', 'action', 'userAgent', 'address'];
const hitColumns = ['time', 'domain', 'action', 'address', 'path', 'id'];
const batchRows = 10_000;

/** Puts every good row into the stream. Throws when the file as a whole is none: no CSV header, say. */
export async function backfill(
  lines: AsyncIterable<string> | Iterable<string>,
  format: 'csv' | 'ndjson',
  options: BackfillOptions,
): Promise<Backfilled> {
  const { stream, objects, events, clock, progress } = options;
  const done: Backfilled = { rows: 0, pulls: 0, hits: 0, anonymous: 0, known: 0, ignored: new Set(), bad: [] };
  const imported = new ImportedHits(objects);
  /** How often this file has had the same hit, by digest: equal rows are as many hits. */
  const occurrences = new Map<number, number>();
  /** The pulls of this file, by digest: equal rows are one pull. */
  const pulls = new Set<number>();
  let batch: Map<string, string[]> = new Map();
  const flush = async () => {
    await stream.put(pack(batch));
    await imported.save();
    batch = new Map();
    progress?.(done);
  };
  for await (const { line, row, wrong } of format === 'csv' ? csvRows(lines) : jsonRows(lines)) {
    done.rows++;
    const read = wrong ?? (await lineOf(row));
    if (typeof read === 'string') done.bad.push({ line, reason: read });
    else if (read) add(batch, read.key, read.text);
    if (done.rows % batchRows === 0) await flush();
  }
  await flush();
  return done;

  async function lineOf(row: Row): Promise<{ key: string; text: string } | string | undefined> {
    const isPull = 'repository' in row;
    for (const name of Object.keys(row))
      if (!(isPull ? pullColumns : hitColumns).includes(name)) done.ignored.add(name);
    if (isPull) {
      const line = pullOf(row, clock());
      if (typeof line === 'string') return line;
      const { id, user, repository, time } = line.event;
      const number = numberOf(digestOf(id));
      const stored = async () => (await events.events(user, repository, time, time)).some((event) => event.id === id);
      if (pulls.has(number) || (await stored())) {
        done.known++;
        return undefined;
      }
      pulls.add(number);
      done.pulls++;
      if (user === '') done.anonymous++;
      return { key: user || 'import', text: JSON.stringify(line) };
    }
    if (!('domain' in row)) return 'it has neither a repository (a pull) nor a domain (a hit)';
    const hit = hitOf(row, clock());
    if (typeof hit === 'string') return hit;
    // The address is no part of it: what is remembered must not tell one.
    const content = `${hit.time} ${hit.domain} ${hit.action}`;
    const first = digestOf(`${content} 0`);
    const occurrence = occurrences.get(numberOf(first)) ?? 0;
    occurrences.set(numberOf(first), occurrence + 1);
    const digest = occurrence === 0 ? first : digestOf(`${content} ${occurrence}`);
    if (!(await imported.isNew(hit.time, digest))) {
      done.known++;
      return undefined;
    }
    done.hits++;
    // Within the hour a crash between stream and memory is made good by the id.
    return { key: hit.domain, text: encodeHit({ ...hit, id: `import-${digest.toString('base64url', 0, 12)}` }) };
  }
}

const digestOf = (content: string) => createHash('sha256').update(content).digest();
/** The first 53 bits. */
const numberOf = (digest: Buffer) => digest.readUIntBE(0, 6) * 32 + (digest[6] >> 3);

type Row = Record<string, unknown>;

function pullOf(row: Row, now: number): RegistryLine | string {
  const wrong = nested(row, pullColumns) ?? badAddress(row);
  if (wrong) return wrong;
  const { time, user, repository, tag, digest, action = 'pull', address, userAgent = 'import' } = row;
  if (action !== 'pull' && action !== 'push') return `action ${shown(action)} is neither pull nor push`;
  const content = [time, user ?? '', repository, tag ?? '', digest ?? '', action].map(String);
  const event = {
    id: `import-${createHash('sha256').update(JSON.stringify(content)).digest('base64url').slice(0, 24)}`,
    // As many tools write it: 2026-11-21 08:00:00Z.
    timestamp: typeof time === 'string' ? time.trim().replace(/^(\d{4}-\d\d-\d\d) (?=\d)/, '$1T') : time,
    action,
    target: { mediaType: 'application/vnd.oci.image.manifest.v1+json', repository, tag, digest },
    request: { method: action === 'push' ? 'PUT' : 'GET', addr: address, useragent: userAgent },
    actor: { name: user },
    source: { addr: 'import' },
  };
  const { events, rejected } = normalise({ events: [event] }, { receivedAt: now });
  if (rejected.length > 0)
    return rejected[0].reason
      .replace(/^distribution: /, '')
      .replace(/^timestamp/, 'time')
      .replace(/not an RFC 3339 time$/, '$&: write 2026-11-21T08:00:00Z')
      .replace(/^name/, 'user');
  if (events[0].time > now + 86_400_000) return `time ${JSON.stringify(time)} is in the future`;
  return { type: 'registry', receivedAt: now, event: events[0] };
}

function hitOf(row: Row, now: number): HitLine | string {
  const wrong = nested(row, hitColumns) ?? badAddress(row);
  if (wrong) return wrong;
  const { time, domain, action, address = '', id, path } = row;
  if (time === undefined) return 'time is missing: write 2026-11-21T08:00:00Z';
  const hit = validateHit({ time, domain, action, id, path }, { address: addressOf(address), now });
  return 'reason' in hit ? hit.reason : hit;
}

const shown = (value: unknown) => JSON.stringify(value)?.slice(0, 80);

/** What is nested deep can't even be written in a message. */
function nested(row: Row, columns: string[]): string | undefined {
  const name = columns.find((name) => typeof row[name] === 'object' && row[name] !== null);
  return name && `${name} is an object or a list: write a text`;
}

function badAddress({ address }: Row): string | undefined {
  if (address === undefined || address === '' || addressOf(address) !== '') return undefined;
  return `address ${shown(address)} is no IP address: write 192.0.2.7, or leave it empty`;
}

// --- what was imported ----------------------------------------------------------------------------------------------

/** The hits that imports brought, a set of 53-bit digests for each UTC day of the hits. */
class ImportedHits {
  readonly #objects: ObjectStore;
  readonly #days = new Map<string, { digests: Set<number>; etag?: string; changed: boolean }>();

  constructor(objects: ObjectStore) {
    this.#objects = objects;
  }

  /** Notes a hit; false when it is known already. */
  async isNew(time: number, digest: Buffer): Promise<boolean> {
    const name = new Date(time).toISOString().slice(0, 10);
    const day = this.#days.get(name) ?? { ...(await this.#load(name)), changed: false };
    this.#days.set(name, day);
    const number = numberOf(digest);
    if (day.digests.has(number)) return false;
    day.digests.add(number);
    day.changed = true;
    return true;
  }

  async save(): Promise<void> {
    for (const [name, day] of this.#days) {
      while (day.changed) {
        try {
          const body = new Uint8Array(Float64Array.from(day.digests).buffer);
          const { etag } = await this.#objects.put(
            keyOf(name),
            body,
            day.etag ? { ifMatch: day.etag } : { ifNoneMatch: '*' },
          );
          Object.assign(day, { etag, changed: false });
        } catch (cause) {
          if (!(cause instanceof PreconditionFailed)) throw cause;
          // Another import was here: both sets count.
          const { digests, etag } = await this.#load(name);
          for (const digest of digests) day.digests.add(digest);
          day.etag = etag;
        }
      }
    }
  }

  async #load(name: string): Promise<{ digests: Set<number>; etag?: string }> {
    const found = await this.#objects.get(keyOf(name));
    if (!found) return { digests: new Set() };
    return { digests: new Set(new Float64Array(found.body.slice().buffer)), etag: found.etag };
  }
}

const keyOf = (day: string) => `imports/hits-${day}`;

// --- records --------------------------------------------------------------------------------------------------------

function add(batch: Map<string, string[]>, key: string, text: string) {
  const lines = batch.get(key);
  if (lines) lines.push(text);
  else batch.set(key, [text]);
}

/** Lines of one key stay in order; those of a few dozen keys share a record's worth of partition key. */
function pack(batch: Map<string, string[]>): StreamRecord[] {
  const groups = new Map<string, string[]>();
  for (const [key, lines] of batch) {
    const group = createHash('sha256').update(key).digest('hex').slice(0, 2);
    const together = groups.get(group) ?? [];
    for (const line of lines) together.push(line);
    groups.set(group, together);
  }
  return [...groups].flatMap(([key, lines]) => packLines(lines).map((data) => ({ key, data })));
}

// --- files ----------------------------------------------------------------------------------------------------------

interface NumberedRow {
  /** Counted from 1; of a row that spans lines, its first. */
  line: number;
  row: Row;
  wrong?: string;
}

async function* jsonRows(lines: AsyncIterable<string> | Iterable<string>): AsyncGenerator<NumberedRow> {
  let line = 0;
  for await (const text of lines) {
    line++;
    if (text.trim() === '') continue;
    let row: unknown;
    try {
      row = JSON.parse(line === 1 ? withoutMark(text) : text);
    } catch {
      row = undefined;
    }
    if (typeof row === 'object' && row !== null && !Array.isArray(row)) yield { line, row: row as Row };
    else yield { line, row: {}, wrong: 'it is no JSON object' };
  }
}

/** A CSV file whose first line names no columns, or wrong ones. */
export class NoColumns extends Error {
  override name = 'NoColumns';
}

/** RFC 4180: comma, double quotes, a quoted field may hold line breaks; the first row names the columns. */
async function* csvRows(lines: AsyncIterable<string> | Iterable<string>): AsyncGenerator<NumberedRow> {
  let columns: string[] | undefined;
  let [line, first, open] = [0, 0, ''];
  for await (const text of lines) {
    line++;
    if (open === '') first = line;
    const whole = open === '' ? text : `${open}\n${text}`;
    // An odd number of quotes: the row goes on. What is open has an odd number; only the new line is counted.
    const odd = text.split('"').length % 2 === 0;
    if (odd === (open === '') && whole.length < 1_000_000) {
      open = whole;
      continue;
    }
    open = '';
    if (whole.trim() === '') continue;
    const fields = csvFields(columns ? whole : withoutMark(whole));
    if (!columns) {
      columns = columnsOf(fields);
      continue;
    }
    if (fields?.length !== columns.length) {
      const count = fields ? `${fields.length} fields` : 'a quote out of place';
      yield { line: first, row: {}, wrong: `it has ${count}, the first line names ${columns.length} columns` };
      continue;
    }
    // An empty field is an absent one, but the user: an anonymous pull has none.
    const given = columns
      .map((name, at): [string, string] => [name, fields[at]])
      .filter(([name, value]) => value !== '' || name === 'user' || name === 'repository');
    yield { line: first, row: Object.fromEntries(given) };
  }
  if (open !== '') yield { line: first, row: {}, wrong: 'a quote is opened and never closed' };
}

/** Throws NoColumns with what to mend. */
function columnsOf(fields: string[] | undefined): string[] {
  const columns = fields?.map((name) => name.trim()) ?? [];
  if (!columns.includes('repository') && !columns.includes('domain'))
    throw new NoColumns(
      'line 1 names no columns: begin with "time,user,repository,tag,digest" or "time,domain,action,address"',
    );
  if (!columns.includes('time')) throw new NoColumns('line 1: there is no column time');
  return columns;
}

const csvField = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;

function csvFields(text: string): string[] | undefined {
  const fields: string[] = [];
  csvField.lastIndex = 0;
  for (;;) {
    const match = csvField.exec(text);
    if (!match) return undefined;
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2]);
    if (match[3] === '') return fields;
  }
}

const withoutMark = (text: string) => text.replace(/^\uFEFF/, '');
