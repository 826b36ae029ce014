import { existsSync, readFileSync } from 'node:fs';
import { cityDatabases, databaseBuiltAt } from '#geo/city.ts';
import { packedTable } from '#geo/keep.ts';
import { IpTable } from '#geo/table.ts';

/**
 * The embedded IP databases: DB-IP City Lite, CC-BY-4.0 (layers/geo/README.md). The installed package has only their
 * table.
 */
export const ipDatabases = existsSync(packedTable) ? [] : cityDatabases();

let builtAt: Promise<number> | undefined;

/** The build time of the older IP database, milliseconds; read once. */
export function ipDatabaseBuiltAt(): Promise<number> {
  if (ipDatabases.length === 0) builtAt ??= Promise.resolve(new IpTable(readFileSync(packedTable)).meta.builtAt);
  builtAt ??= Promise.all(ipDatabases.map(databaseBuiltAt)).then((times) => Math.min(...times));
  return builtAt;
}

/** Makes the split and the first factors repeatable. */
export const trainSeed = 1;
