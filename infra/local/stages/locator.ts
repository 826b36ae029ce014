import { existsSync } from 'node:fs';
import type { Networks } from '#core/networks.ts';
import { keptTable, tablePath } from '#geo/keep.ts';
import { type Locator, openLocator } from '#process/locate.ts';
import { ipDatabases } from '../defaults.ts';

/**
 * The locator of the embedded databases: their table. The first run builds it beside its other work, and asks the
 * databases themselves until it is there: both answer the same.
 */
export async function localLocator(networks: Networks, report: (problem: unknown) => void): Promise<Locator> {
  if (existsSync(tablePath())) return openLocator([tablePath()], networks);
  let locator = await openLocator(ipDatabases, networks);
  keptTable(report)
    .then(async (path) => {
      locator = await openLocator([path], networks);
    })
    .catch(report);
  return {
    locate: (address) => locator.locate(address),
    get locations() {
      return locator.locations;
    },
  };
}
