// npm run backup -- DIR: a copy of the data folder, taken while the server works.
import { usedFolder } from '../folder.ts';
import { takeBackup } from '../stores/backup.ts';
import { clock } from '../stores/stores.ts';
import { runCommand } from './command.ts';
import { copied, oneFolder } from './copied.ts';

const help = `usage: npm run backup -- DIR [--data DATA]

Copies the data folder to the new folder DIR, as it is at one moment; npm start goes on meanwhile. DIR has everything
that the data folder has, including its keys and token, so keep it as safe. npm run restore -- DIR brings it back.`;

await runCommand(help, {}, async ({ data }, positionals) => {
  const to = oneFolder(positionals, 'backup');
  return `${to} ${copied(await takeBackup(usedFolder(data), to, clock))}`;
});
