import { openFolder } from './folder.ts';
import { help, readSettings } from './settings.ts';
import { type LocalStores, openStores } from './stores.ts';

/** Runs one stage once against the data folder, which `npm start` may be using at the same time. Exits 0 when done. */
export async function runOnce(work: (stores: LocalStores) => Promise<string>): Promise<void> {
  try {
    const settings = readSettings(process.argv.slice(2), process.env);
    console.log(settings ? await work(openStores(openFolder(settings.data), settings.opensearch)) : help);
    process.exit(0);
  } catch (cause) {
    console.error(cause instanceof Error ? cause.message : cause);
    process.exit(1);
  }
}
