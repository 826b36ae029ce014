import type { ResolvedSettings } from '#settings/schema.ts';
import { usedFolder } from '../folder.ts';
import { readSettings } from '../settings.ts';
import { type LocalStores, openStores } from '../stores/stores.ts';
import { ending } from './command.ts';

/**
 * Runs one stage once against the data folder, which `npm start` may be using at the same time, and ends the process.
 * `does`: the sentences of --help.
 */
export async function runOnce(
  name: string,
  does: string,
  work: (stores: LocalStores, settings: ResolvedSettings) => Promise<string>,
): Promise<void> {
  await ending(async () => {
    const settings = await readSettings(process.argv.slice(2), process.env);
    if (!settings) return `usage: npm run ${name} [-- --data DIR] [--opensearch URL]\n\n${does}`;
    return work(openStores(usedFolder(settings.data), settings.opensearch), settings);
  });
}
