import { cityDatabases, databaseBuiltAt } from '#geo/city.ts';

/** The embedded IP databases: DB-IP City Lite, CC-BY-4.0 (layers/geo/README.md). */
export const ipDatabases = cityDatabases();

let builtAt: Promise<number> | undefined;

/** When the older of the IP databases was built, milliseconds; read once. */
export function ipDatabaseBuiltAt(): Promise<number> {
  builtAt ??= Promise.all(ipDatabases.map(databaseBuiltAt)).then((times) => Math.min(...times));
  return builtAt;
}

/** Makes the split and the first factors repeatable. */
export const trainSeed = 1;
