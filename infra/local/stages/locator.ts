import { existsSync } from 'node:fs';
import type { Networks } from '#core/networks.ts';
import { keptTable, tablePath } from '#geo/keep.ts';
import { type Locator, openLocator } from '#process/locate.ts';
import { ipDatabases } from '../defaults.ts';
import { installedTable } from '../ip-table.ts';

/** How often it looks for an installed table. */
const lookMs = 2000;

export interface LocatorOptions {
  /** The data folder. */
  folder: string;
  networks: Networks;
  report: (problem: unknown) => void;
}

/**
 * The locator of the table that the owner installed, as soon as there is one; otherwise of the embedded databases'
 * table. The first run builds that table in the background, and until then uses the databases themselves, which give
 * the same locations.
 */
export async function localLocator({ folder, networks, report }: LocatorOptions): Promise<Locator> {
  let path = installedTable(folder);
  let locator = await openLocator(path ? [path] : existsSync(tablePath()) ? [tablePath()] : ipDatabases, networks);
  if (!path && !existsSync(tablePath()))
    keptTable(report, { behind: true })
      .then(async (built) => {
        const opened = await openLocator([built], networks);
        if (!path) locator = opened;
      })
      .catch(report);
  const look = async () => {
    const newest = installedTable(folder);
    if (newest === undefined || newest === path) return;
    path = newest;
    locator = await openLocator([newest], networks);
  };
  setInterval(() => look().catch(report), lookMs).unref();
  return {
    locate: (address) => locator.locate(address),
    get locations() {
      return locator.locations;
    },
    begin: (bytes) => locator.begin?.(bytes),
  };
}
