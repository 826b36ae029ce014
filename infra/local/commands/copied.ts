import type { Copied } from '../stores/backup.ts';

const megabytes = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });

/** What a backup holds, as the end of a sentence. */
export const copied = ({ at, files, bytes }: Copied) =>
  `holds the data of ${new Date(at).toISOString()}: ${files} files, ${megabytes.format(bytes / 1e6)} MB`;
