// npm run restore -- DIR: a data folder from a backup.
import { restoreBackup } from '../stores/backup.ts';
import { runCommand } from './command.ts';
import { copied, oneFolder } from './copied.ts';

const help = `usage: npm run restore -- DIR [--data DATA]

Makes a new data folder of the backup in DIR, after checking every file of it. A data folder that holds anything is left as
it is: move it away first.`;

await runCommand(help, {}, async ({ data }, positionals) => {
  const from = oneFolder(positionals, 'restore');
  return `${data} ${copied(await restoreBackup(from, data))}`;
});
