// Turns a file's rows into stream records, for `npm run import`. A row with a `repository` is a pull or a push, a row
// with a `domain` is a hit. Ids are derived from the content, so that a second import of the same rows changes nothing:
// imported hits are remembered, by day, under `imports/` in the object store, and ids of registry events are stored for
// good.
import { hash } from 'node:crypto';
import { packLines } from '#core/bytes/pack.ts';
import type { HitLine, RegistryLine } from '#core/event.ts';
import { encodeHit, validateHit } from '#core/hits/hit.ts';
import { inParallel } from '#core/parallel.ts';
import { addressOf } from '#core/registry/address.ts';
import { normalise } from '#core/registry/normalise.ts';
import { type ObjectStore, PreconditionFailed, type StreamRecord, type StreamWriter } from '#core/stores.ts';
import type { LocalEvents } from '../stores/events.ts';
import { type Format, type Row, rowsOf } from './rows.ts';
import { rfc3339Of, Zone } from './times.ts';

export interface BackfillOptions {
  /** The stream of pulls and pushes. */
  stream: StreamWriter;
  hits: StreamWriter;
  objects: ObjectStore;
  events: Pick<LocalEvents, 'stored'>;
  clock: () => number;
  /** The zone of times without one; default UTC. */
  zone?: Zone;
  /** Called after each batch. */
  progress?: (so: Backfilled) => void;
}

export interface Backfilled {
  rows: number;
  pulls: number;
  hits: number;
  /** Anonymous pulls. */
  anonymous: number;
  /** Rows that were imported or reported before, and pulls that the file repeats. */
  known: number;
  /** Lines of a log about anything but pulls and pushes. */
  other: number;
  /** Times without a zone. */
  zoneless: number;
  /** Columns and fields that are ignored. */
  ignored: Set<string>;
  /** Rows left out: fix them and import the file again. */
  bad: { line: number; reason: string }[];
}

const pullColumns = [
  'time',
  'user',
  'repository',
  'tag',
  'digest',
  'action',
  'userAgent',
  'address',
  'method',
  'mediaType',
];
const hitColumns = ['time', 'domain', 'action', 'address', 'path', 'id'];
/** The first batches are smaller, so that they are processed while the next are read. */
const batchRows = { first: 1000, most: 10_000 };

/**
 * Puts every valid row into the stream. Throws Unreadable for a file that can't be read as a whole, such as a CSV file
 * without a header.
 */
export async function backfill(
  lines: AsyncIterable<string> | Iterable<string>,
  format: Format,
  options: BackfillOptions,
): Promise<Backfilled> {
  const { stream, hits, objects, events, clock, progress, zone = new Zone('UTC') } = options;
  const done: Backfilled = {
    ...{ rows: 0, pulls: 0, hits: 0, anonymous: 0, known: 0, other: 0, zoneless: 0 },
    ...{ ignored: new Set<string>(), bad: [] },
  };
  const imported = new Imported(objects, 'hits');
  const importedPulls = new Imported(objects, 'pulls');
  /** How often this file had the same hit so far, by digest: equal rows are separate hits. */
  const occurrences = new Map<number, number>();
  let pulls: ReadPull[] = [];
  let flushedAt = 0;
  let hitBatch: Batch = new Map();
  const flush = async () => {
    await stream.put(pack(newPulls()));
    await hits.put(pack(hitBatch));
    await imported.save();
    await importedPulls.save();
    pulls = [];
    flushedAt = done.rows;
    hitBatch = new Map();
    progress?.(done);
  };
  for await (const { line, row, wrong } of rowsOf(lines, format)) {
    done.rows++;
    if (!row && !wrong) done.other++;
    const read = wrong ?? (row && (await lineOf(row)));
    if (typeof read === 'string') done.bad.push({ line, reason: read });
    else if (read && 'text' in read) add(hitBatch, read.key, read.text);
    else if (read) pulls.push(read);
    if (done.rows - flushedAt >= Math.min(Math.max(batchRows.first, flushedAt), batchRows.most)) await flush();
  }
  await flush();
  return done;

  function timed(time: unknown): unknown {
    return rfc3339Of(time, zone, () => done.zoneless++);
  }

  /** Those that are not stored: an earlier import may no longer be remembered. */
  function newPulls(): Batch {
    const stored = events.stored(pulls.flatMap(({ line, olderId }) => [line.event.id, olderId]));
    const batch: Batch = new Map();
    for (const { line, olderId } of pulls) {
      const { id, user } = line.event;
      if (stored.has(id) || stored.has(olderId)) {
        done.known++;
        continue;
      }
      done.pulls++;
      if (user === '') done.anonymous++;
      add(batch, user || 'import', JSON.stringify(line));
    }
    return batch;
  }

  async function lineOf(row: Row): Promise<ReadPull | { key: string; text: string } | string | undefined> {
    const isPull = 'repository' in row;
    for (const name of Object.keys(row))
      if (!(isPull ? pullColumns : hitColumns).includes(name)) done.ignored.add(name);
    if (isPull) {
      const read = pullOf(row, clock(), timed);
      if (typeof read === 'string') return read;
      if (await importedPulls.isNew(read.line.event.time, digestOf(read.olderId))) return read;
      done.known++;
      return undefined;
    }
    if (!('domain' in row)) return 'it has neither a repository (a pull) nor a domain (a hit)';
    const hit = hitOf({ ...row, time: timed(row.time) }, clock());
    if (typeof hit === 'string') return hit;
    // Without the address, which must not be derivable from what is remembered.
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
    // If a crash happens before the hits are remembered, their ids prevent double counting for an hour.
    const id = `import-${digest.toString('base64url', 0, 12)}`;
    return { key: hit.domain, text: encodeHit({ ...hit, id }) };
  }
}

/** How many days' digests are saved at the same time. */
const savedTogether = 100;
const digestOf = (content: string) => hash('sha256', content, 'buffer');
/** The first 53 bits. */
const numberOf = (digest: Buffer) => digest.readUIntBE(0, 6) * 32 + (digest[6] >> 3);

/** RFC 3339, also with the space that many tools write: the id of such a row uses the time as written. */
const asBefore = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i;

/** `olderId`: the id that versions before 0.2.0 gave it. */
interface ReadPull {
  line: RegistryLine;
  olderId: string;
}

function pullOf(row: Row, now: number, timed: (time: unknown) => unknown): ReadPull | string {
  const wrong = nested(row, pullColumns) ?? badAddress(row);
  if (wrong) return wrong;
  const { time, user, action = 'pull', address, userAgent = 'import' } = row;
  const { repository, tag, digest } = imageOf(row);
  const { mediaType = 'application/vnd.oci.image.manifest.v1+json', method = action === 'push' ? 'PUT' : 'GET' } = row;
  if (action !== 'pull' && action !== 'push') return `action ${shown(action)} is neither pull nor push`;
  const timestamp = timed(time);
  const named = typeof time === 'string' && asBefore.test(time.trim()) ? time : timestamp;
  const content = [named, user ?? '', repository, tag ?? '', digest ?? '', action].map(String);
  if (row.method !== undefined) content.push(String(method));
  const name = hash('sha256', JSON.stringify(content), 'base64url').slice(0, 24);
  const event = {
    id: name,
    timestamp,
    action,
    target: { mediaType, repository, tag, digest },
    request: { method, addr: address, useragent: userAgent },
    actor: { name: user },
    source: { addr: 'import' },
  };
  const { events, rejected } = normalise({ events: [event] }, { receivedAt: now });
  if (rejected.length > 0 && /^distribution: timestamp/.test(rejected[0].reason)) return `time ${badTime(time)}`;
  if (rejected.length > 0) return rejected[0].reason.replace(/^distribution: /, '').replace(/^name/, 'user');
  if (events.length === 0) return `mediaType ${shown(mediaType)} is not that of a manifest`;
  if (events[0].time > now + 86_400_000) return `time ${JSON.stringify(time)} is in the future`;
  const [read] = events;
  // Ids begin with the time: a file is sorted by time, and so are the rows that a batch adds to each index of ids.
  const id = `import-${Math.max(0, Math.floor(read.time)).toString(36).padStart(9, '0')}${name.slice(0, 15)}`;
  return { line: { type: 'registry', receivedAt: now, event: { ...read, id } }, olderId: `import-${name}` };
}

/** HOST:PORT/, then the repository, then :TAG and @DIGEST, each of the three only if it is there. */
const reference = /^(?:[^/@]+:\d+\/)?(.+?)(?::(\w[\w.-]{0,127}))?(?:@(\w+:[0-9a-f]+))?$/i;

/**
 * The repository, tag and digest of a row whose repository may be a whole reference, as an exported column `image` often
 * is. Only what no repository name can hold is split off: the first part of docker.io/library/nginx may be a host, or a
 * project with that name.
 */
function imageOf({ repository, tag, digest }: Row): Row {
  const [, name, itsTag, itsDigest] = (typeof repository === 'string' && reference.exec(repository)) || [];
  return { repository: name ?? repository, tag: tag ?? itsTag, digest: digest ?? itsDigest };
}

/** Quotes the time as written, and says what to do. */
function badTime(time: unknown): string {
  if (time === undefined) return 'is missing: write 2026-11-21T08:00:00Z';
  const [, first, second] = /^(\d\d?)[./-](\d\d?)[./-]\d{2,4}/.exec(String(time)) ?? [];
  if (first) return `${shown(time)} may be ${first}/${second} or ${second}/${first}: write the year first, 2026-11-21`;
  return `${shown(time)} is not a time: write 2026-11-21T08:00:00Z, 2026-11-21 or seconds since 1970`;
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

/**
 * Returns the reason why a row is invalid if one of these columns has an object or list. The value is not quoted,
 * because JSON.stringify may overflow.
 */
function nested(row: Row, columns: string[]): string | undefined {
  const name = columns.find((name) => typeof row[name] === 'object' && row[name] !== null);
  return name && `${name} is an object or a list: write text`;
}

function badAddress({ address }: Row): string | undefined {
  if (address === undefined || address === '' || addressOf(address) !== '') return undefined;
  return `address ${shown(address)} is not an IP address: write 192.0.2.7, or leave it empty`;
}

// --- what was imported ----------------------------------------------------------------------------------------------

/** What was imported of a kind: a set of 53-bit digests for each UTC day. */
class Imported {
  readonly #objects: ObjectStore;
  readonly #kind: 'hits' | 'pulls';
  readonly #days = new Map<string, { digests: Set<number>; etag?: string; changed: boolean }>();

  constructor(objects: ObjectStore, kind: 'hits' | 'pulls') {
    this.#objects = objects;
    this.#kind = kind;
  }

  /** Remembers a digest; returns whether it was new. */
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

  /** Saves days together, so that they share waits for the disk. */
  async save(): Promise<void> {
    await inParallel([...this.#days], savedTogether, async ([name, day]) => {
      while (day.changed) {
        try {
          const body = new Uint8Array(Float64Array.from(day.digests).buffer);
          const { etag } = await this.#objects.put(
            this.#key(name),
            body,
            day.etag ? { ifMatch: day.etag } : { ifNoneMatch: '*' },
          );
          Object.assign(day, { etag, changed: false });
        } catch (cause) {
          if (!(cause instanceof PreconditionFailed)) throw cause;
          // Another import wrote meanwhile: both sets are kept.
          const { digests, etag } = await this.#load(name);
          for (const digest of digests) day.digests.add(digest);
          day.etag = etag;
        }
      }
    });
  }

  #key(day: string): string {
    return `imports/${this.#kind}-${day}`;
  }

  async #load(name: string): Promise<{ digests: Set<number>; etag?: string }> {
    const found = await this.#objects.get(this.#key(name));
    if (!found) return { digests: new Set() };
    return { digests: new Set(new Float64Array(found.body.slice().buffer)), etag: found.etag };
  }
}

// --- records --------------------------------------------------------------------------------------------------------

/** Lines by partition key, which keeps their order. */
type Batch = Map<string, string[]>;

function add(batch: Batch, key: string, text: string) {
  const lines = batch.get(key);
  if (lines) lines.push(text);
  else batch.set(key, [text]);
}

/**
 * Lines of one key stay in order; the many keys are mapped to a few dozen partition keys, so that lines share records.
 */
function pack(batch: Batch): StreamRecord[] {
  const groups = new Map<string, string[]>();
  for (const [key, lines] of batch) {
    const group = hash('sha256', key, 'hex').slice(0, 2);
    const together = groups.get(group) ?? [];
    for (const line of lines) together.push(line);
    groups.set(group, together);
  }
  return [...groups].flatMap(([key, lines]) => packLines(lines).map((data) => ({ key, data })));
}
