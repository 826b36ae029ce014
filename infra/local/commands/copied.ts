import { SettingError } from '#settings/error.ts';
import type { Copied } from '../stores/backup.ts';

const megabytes = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });

/** What a backup contains, as the end of a sentence. */
export const copied = ({ at, files, bytes }: Copied) =>
  `holds the data of ${new Date(at).toISOString()}: ${files} files, ${megabytes.format(bytes / 1e6)} MB`;

/** The one folder that a command takes. Throws SettingError if there is none or more than one. */
export function oneFolder(named: string[], command: 'backup' | 'restore'): string {
  if (named.length !== 1)
    throw new SettingError(`${named.length} folders are given: name one, npm run ${command} -- DIR`);
  return named[0];
}
