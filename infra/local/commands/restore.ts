// npm run restore -- DIR: a data folder from a backup.
import { restoreBackup } from '../stores/backup.ts';
import { runCommand } from './command.ts';
import { copied, oneFolder } from './copied.ts';

const help = `usage: npm run restore -- DIR [--data DATA]

Makes a new data folder from the backup in DIR, after checking all of its files. It never overwrites a data folder: move
an existing one away first.`;

await runCommand(help, {}, async ({ data }, positionals) => {
  const from = oneFolder(positionals, 'restore');
  return `${data} ${copied(await restoreBackup(from, data))}`;
});
