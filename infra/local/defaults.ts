import type { Rule } from '#core/rules.ts';
import { cityDatabases, databaseBuiltAt } from '#geo/city.ts';

/** The embedded IP databases: DB-IP City Lite, CC-BY-4.0 (layers/geo/README.md). */
export const ipDatabases = cityDatabases();

let builtAt: Promise<number> | undefined;

/** When the older of the IP databases was built, milliseconds; read once. */
export function ipDatabaseBuiltAt(): Promise<number> {
  builtAt ??= Promise.all(ipDatabases.map(databaseBuiltAt)).then((times) => Math.min(...times));
  return builtAt;
}

/** What sends a message. */
export const rules: Rule[] = [
  { name: 'pushes', when: 'pushed', repository: '*' },
  { name: 'new people', when: 'first-pull' },
  { name: 'new countries', when: 'new-country' },
  { name: 'rush', when: 'hits-per-minute', over: 6000 },
];

/** Days after its newest hit that a domain leaves the map. */
export const keepDays = 7;

/** Makes the split and the first factors repeatable. */
export const trainSeed = 1;
