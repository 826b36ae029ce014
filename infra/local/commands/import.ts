// npm run import -- FILE... [--zone ZONE] [--data DIR]: imports past pulls and hits, through the stream like all others.
import { accessSync, constants, createReadStream, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { SettingError } from '#settings/error.ts';
import { openFolder } from '../folder.ts';
import { isHeld } from '../hold.ts';
import { clock, type LocalStores, openStores } from '../stores/stores.ts';
import { type Backfilled, backfill } from './backfill.ts';
import { runCommand } from './command.ts';
import { formatOf, linesOf, Unreadable } from './rows.ts';
import { Zone } from './times.ts';

const help = `Imports past pulls, pushes and hits. A second import of the same rows changes nothing.

usage: npm run import -- FILE... [--zone ZONE] [--no-wait] [--data DIR]

FILE is one of these; its format, encoding (UTF-8 or UTF-16) and delimiter are detected:
  CSV, whose first line names the columns, or one JSON object a line:
    pulls   time,user,repository,tag,digest     also: action (pull or push), userAgent, address
    hits    time,domain,action,address          also: path
    Columns may have the names that other tools give them (timestamp, username, image, ip, …). A repository may be
    written as an image, team/app:1.0 or HOST:PORT/team/app@DIGEST: the registry's host is dropped if it has a port.
  an access log in the combined format: of nginx or Apache in front of a registry, or of Distribution
  Distribution's log in JSON (log.formatter: json)
  Harbor's audit log: the JSON of GET /api/v2.0/audit-logs, or its columns as CSV
Times are RFC 3339, such as 2026-11-21T08:00:00Z, a date, or seconds since 1970. --zone is the time zone of times that name none, such as
Europe/Berlin or +02:00; default UTC. A pull without a user is anonymous. Other columns are ignored. An address is used for one look-up
and dropped. A data folder that does not exist is created. If a server runs on the folder, the command ends when every row is
counted, or at once with --no-wait; GET /v1/health then says how many records wait ("importing").`;

const shownErrors = 20;
const lookEveryMs = 100;
const reportEveryMs = 10_000;
const rules = new Intl.PluralRules('en');
const plural = (count: number, noun: string) => `${count} ${rules.select(count) === 'one' ? noun : `${noun}s`}`;

const flags = { zone: { type: 'string', default: 'UTC' }, 'no-wait': { type: 'boolean', default: false } } as const;

await runCommand(help, flags, async (values, files) => {
  if (files.length === 0) throw new SettingError(`no file is named\n\n${help}`);
  for (const file of files) mayRead(file);
  const zone = zoneOf(values.zone);
  const folder = openFolder(values.data);
  const used = existsSync(join(folder, 'events.db'));
  const stores = openStores(folder);
  if (!used) console.error(`${folder} had no data and is a new data folder now: npm start -- --data DIR shows it`);
  for (const file of files) if (!(await importFile(file, stores, zone))) process.exitCode = 1;
  await settled(folder, stores, !values['no-wait']);
  stores.stream.close();
  stores.hits.close();
  stores.imports.close();
  return undefined;
});

/** Waits until the imported records are counted, and prints the progress; or says what counts them. */
async function settled(folder: string, { imports, hits }: LocalStores, waits: boolean): Promise<void> {
  const left = [imports.pending(), hits.pending()];
  const waiting = () => left.reduce((sum, pending) => sum + pending(), 0);
  const all = waiting();
  if (all === 0) return;
  const share = () => `${Math.floor((100 * (all - waiting())) / all)} % counted`;
  let shownAt = 0;
  while (waits && waiting() > 0 && isHeld(folder)) {
    if (process.stderr.isTTY) process.stderr.write(`\r${share()}`);
    else if (clock() - shownAt >= reportEveryMs) {
      if (shownAt > 0) console.error(share());
      shownAt = clock();
    }
    await pause(lookEveryMs);
  }
  if (process.stderr.isTTY && waits) process.stderr.write('\r');
  if (waiting() === 0) console.log('every row is counted');
  else if (isHeld(folder))
    console.log('rows are being counted: GET /v1/health says how many records wait ("importing")');
  else console.log(`npm start -- --data ${folder} counts the rows`);
}

/** Checks the files before anything is made. Throws SettingError. */
function mayRead(file: string) {
  const at = statSync(file, { throwIfNoEntry: false });
  if (!at) throw new SettingError(`${file} does not exist`);
  if (at.isDirectory()) throw new SettingError(`${file} is a folder: name a file in it`);
  try {
    accessSync(file, constants.R_OK);
  } catch (cause) {
    throw new SettingError(`${file} can't be read: ${(cause as Error).message}`, { cause });
  }
}

/** Throws SettingError. */
function zoneOf(name: string): Zone {
  try {
    return new Zone(name);
  } catch (cause) {
    throw new SettingError(`--zone is ${JSON.stringify(name)}: must be a zone such as Europe/Berlin, UTC or +02:00`, {
      cause,
    });
  }
}

/** Returns whether every row of the file was valid. */
async function importFile(file: string, stores: LocalStores, zone: Zone): Promise<boolean> {
  const { imports, hits, objects, events } = stores;
  const input = createReadStream(file);
  const { size } = statSync(file);
  let shown = 0;
  const progress = ({ rows }: Backfilled) => {
    const share = size > 0 ? Math.floor((100 * input.bytesRead) / size) : 100;
    const text = `${file}: ${plural(rows, 'row')}, ${share} %`;
    if (process.stderr.isTTY) process.stderr.write(`\r${text}`);
    else if (rows >= shown + 100_000) console.error(text);
    else return;
    shown = rows;
  };
  const done = await read().catch((cause) => {
    throw cause instanceof Unreadable ? new SettingError(`${file}: ${cause.message}`) : cause;
  });
  if (process.stderr.isTTY && shown > 0) process.stderr.write('\n');
  for (const { line, reason } of done.bad.slice(0, shownErrors)) console.error(`${file}:${line}: ${reason}`);
  if (done.bad.length > shownErrors) console.error(`${file}: and ${done.bad.length - shownErrors} more`);
  if (done.ignored.size > 0) console.error(`${file}: ignored columns: ${[...done.ignored].join(', ')} (see --help)`);
  if (done.zoneless > 0)
    console.error(`${file}: ${plural(done.zoneless, 'time')} without a zone, read as ${zone.name} (--zone ZONE)`);
  if (done.rows === 0) console.error(`${file} holds no rows`);
  const parts = [`${plural(done.pulls, 'pull')} and ${plural(done.hits, 'hit')} of ${plural(done.rows, 'row')}`];
  if (done.anonymous > 0) parts.push(`${done.anonymous} of the pulls without a user name`);
  if (done.known > 0) parts.push(`${plural(done.known, 'row')} ${done.known === 1 ? 'was' : 'were'} already known`);
  if (done.other > 0) parts.push(`${plural(done.other, 'line')} about other things`);
  if (done.bad.length > 0) parts.push(`${plural(done.bad.length, 'row')} left out: fix them and import again`);
  if (done.rows > 0) console.log(`${file}: ${parts.join(', ')}`);
  return done.rows > 0 && done.bad.length === 0;

  async function read(): Promise<Backfilled> {
    const lines = linesOf(input);
    const head: string[] = [];
    for (let next = await lines.next(); !next.done; next = await lines.next()) {
      head.push(next.value);
      if (next.value.trim() !== '') break;
    }
    async function* all() {
      yield* head;
      yield* lines;
    }
    return backfill(all(), formatOf(head.at(-1) ?? ''), {
      stream: imports,
      hits,
      objects,
      events,
      clock,
      zone,
      progress,
    });
  }
}
