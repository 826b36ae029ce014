// npm run import -- FILE... [--data DIR]: brings pulls and hits of earlier times in, through the same stream as all else.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { backfill, NoColumns } from './backfill.ts';
import { openFolder } from './folder.ts';
import { BadSetting } from './settings.ts';
import { clock, openStores } from './stores.ts';

const help = `Brings pulls and hits of earlier times in. A second import of the same rows changes nothing.

usage: npm run import -- FILE... [--data DIR]

FILE is CSV (a name that ends in .csv; the first line names the columns) or NDJSON (an object a line):
  pulls   time,user,repository,tag,digest       also: action (pull or push), userAgent, address
  hits    time,domain,action,address            also: path
Times are RFC 3339. An address is used for one look-up and dropped.`;

const shownErrors = 20;

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { data: { type: 'string', default: '.data' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) console.log(help);
  else if (positionals.length === 0) throw new BadSetting(`no file is named\n\n${help}`);
  else {
    const stores = openStores(openFolder(values.data));
    for (const file of positionals) if (!(await importFile(file, stores))) process.exitCode = 1;
    stores.stream.close();
  }
} catch (cause) {
  console.error(explain(cause));
  process.exitCode = 1;
}
process.exit();

/** Answers whether every row of the file was good. */
async function importFile(file: string, { stream, objects }: ReturnType<typeof openStores>): Promise<boolean> {
  const input = createReadStream(file);
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  // Without this an unreadable file would end as an empty one.
  const failed = new Promise<never>((_, reject) => input.once('error', reject));
  const format = /\.csv$/i.test(file) ? 'csv' : 'ndjson';
  const progress = ({ rows }: { rows: number }) => process.stderr.isTTY && process.stderr.write(`\r${rows} rows`);
  const done = await Promise.race([backfill(lines, format, { stream, objects, clock, progress }), failed]).catch(
    (cause) => {
      throw cause instanceof NoColumns ? new BadSetting(`${file}: ${cause.message}`) : cause;
    },
  );
  for (const { line, reason } of done.bad.slice(0, shownErrors)) console.error(`${file}:${line}: ${reason}`);
  if (done.bad.length > shownErrors) console.error(`${file}: and ${done.bad.length - shownErrors} more`);
  const known = done.known > 0 ? `, ${done.known} hits were there already` : '';
  const bad = done.bad.length > 0 ? `, ${done.bad.length} rows left out: mend them and import again` : '';
  console.log(`${file}: ${done.pulls} pulls and ${done.hits} hits of ${done.rows} rows${known}${bad}`);
  return done.bad.length === 0;
}

function explain(cause: unknown): unknown {
  if (cause instanceof BadSetting) return cause.message;
  const { code, message } = cause as NodeJS.ErrnoException;
  return code === undefined || code.startsWith('ERR_PARSE_ARGS') || code.startsWith('E') ? message : cause;
}
