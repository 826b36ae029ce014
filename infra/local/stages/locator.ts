import { existsSync } from 'node:fs';
import { keptTable, tablePath } from '#geo/keep.ts';
import { type Locator, openLocator } from '#process/locate.ts';
import { ipDatabases } from '../defaults.ts';

/**
 * The locator of the embedded databases: their table. The first run builds it beside its other work, and asks the
 * databases themselves until it is there: both answer the same.
 */
export async function localLocator(report: (problem: unknown) => void): Promise<Locator> {
  if (existsSync(tablePath())) return openLocator([tablePath()]);
  let locator = await openLocator(ipDatabases);
  keptTable(report)
    .then(async (path) => {
      locator = await openLocator([path]);
    })
    .catch(report);
  return {
    locate: (address) => locator.locate(address),
    get locations() {
      return locator.locations;
    },
  };
}
