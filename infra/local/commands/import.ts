// npm run import -- FILE... [--data DIR]: brings pulls and hits of earlier times in, through the same stream as all else.
import { accessSync, constants, createReadStream, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { SettingError } from '#settings/read.ts';
import { openFolder } from '../folder.ts';
import { clock, openStores } from '../stores/stores.ts';
import { backfill, NoColumns } from './backfill.ts';

const help = `Brings pulls and hits of earlier times in. A second import of the same rows changes nothing.

usage: npm run import -- FILE... [--data DIR]

FILE is CSV (a name that ends in .csv; the first line names the columns) or NDJSON (an object a line):
  pulls   time,user,repository,tag,digest       also: action (pull or push), userAgent, address
  hits    time,domain,action,address            also: path
Times are RFC 3339, such as 2026-11-21T08:00:00Z. A pull without a user is an anonymous one. Other columns are passed over. An address is used for one look-up
and dropped. A data folder that is not there yet is made.`;

const shownErrors = 20;

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { data: { type: 'string', default: '.data' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) console.log(help);
  else if (positionals.length === 0) throw new SettingError(`no file is named\n\n${help}`);
  else {
    for (const file of positionals) mayRead(file);
    const folder = openFolder(values.data);
    const used = existsSync(join(folder, 'events.db'));
    const stores = openStores(folder);
    if (!used) console.error(`${folder} held no data and is a new data folder now: npm start -- --data DIR shows it`);
    for (const file of positionals) if (!(await importFile(file, stores))) process.exitCode = 1;
    stores.stream.close();
  }
} catch (cause) {
  console.error(explain(cause));
  process.exitCode = 1;
}
process.exit();

/** Before anything is made. Throws SettingError. */
function mayRead(file: string) {
  const at = statSync(file, { throwIfNoEntry: false });
  if (!at) throw new SettingError(`${file} does not exist`);
  if (at.isDirectory()) throw new SettingError(`${file} is a folder: name a file in it`);
  try {
    accessSync(file, constants.R_OK);
  } catch (cause) {
    throw new SettingError(`${file} can not be read: ${(cause as Error).message}`, { cause });
  }
}

/** Answers whether every row of the file was good. */
async function importFile(file: string, { stream, objects, events }: ReturnType<typeof openStores>): Promise<boolean> {
  const input = createReadStream(file);
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  // Without this an unreadable file would end as an empty one.
  const failed = new Promise<never>((_, reject) => input.once('error', reject));
  const format = /\.csv$/i.test(file) ? 'csv' : 'ndjson';
  const progress = ({ rows }: { rows: number }) => process.stderr.isTTY && process.stderr.write(`\r${rows} rows`);
  const done = await Promise.race([
    backfill(lines, format, { stream, objects, events, clock, progress }),
    failed,
  ]).catch((cause) => {
    throw cause instanceof NoColumns ? new SettingError(`${file}: ${cause.message}`) : cause;
  });
  for (const { line, reason } of done.bad.slice(0, shownErrors)) console.error(`${file}:${line}: ${reason}`);
  if (done.bad.length > shownErrors) console.error(`${file}: and ${done.bad.length - shownErrors} more`);
  if (done.ignored.size > 0) console.error(`${file}: passed over: ${[...done.ignored].join(', ')} (see --help)`);
  if (done.rows === 0) console.error(`${file} holds no rows`);
  const parts = [`${done.pulls} pulls and ${done.hits} hits of ${done.rows} rows`];
  if (done.anonymous > 0) parts.push(`${done.anonymous} of the pulls by nobody who signed in`);
  if (done.known > 0) parts.push(`${done.known} rows were there already`);
  if (done.bad.length > 0) parts.push(`${done.bad.length} rows left out: mend them and import again`);
  if (done.rows > 0) console.log(`${file}: ${parts.join(', ')}`);
  return done.rows > 0 && done.bad.length === 0;
}

function explain(cause: unknown): unknown {
  if (cause instanceof SettingError) return cause.message;
  const { code, message } = cause as NodeJS.ErrnoException;
  return code === undefined || code.startsWith('ERR_PARSE_ARGS') || code.startsWith('E') ? message : cause;
}
