import type { ResolvedSettings } from '#settings/schema.ts';
import { usedFolder } from '../folder.ts';
import { readSettings } from '../settings.ts';
import { type LocalStores, openStores } from '../stores/stores.ts';

/**
 * Runs one stage once against the data folder, which `npm start` may be using at the same time. Exits 0 when done.
 * `does`: the sentences of --help.
 */
export async function runOnce(
  name: string,
  does: string,
  work: (stores: LocalStores, settings: ResolvedSettings) => Promise<string>,
): Promise<void> {
  try {
    const settings = await readSettings(process.argv.slice(2), process.env);
    const help = `usage: npm run ${name} [-- --data DIR] [--opensearch URL]\n\n${does}`;
    console.log(settings ? await work(openStores(usedFolder(settings.data), settings.opensearch), settings) : help);
    process.exit(0);
  } catch (cause) {
    console.error(cause instanceof Error ? cause.message : cause);
    process.exit(1);
  }
}
