// npm run backup -- DIR: a copy of the data folder, taken while the server works.
import { SettingError } from '#settings/read.ts';
import { usedFolder } from '../folder.ts';
import { parseFlags } from '../settings.ts';
import { takeBackup } from '../stores/backup.ts';
import { clock } from '../stores/stores.ts';
import { copied } from './copied.ts';

const help = `usage: npm run backup -- DIR [--data DATA]

Copies the data folder to the new folder DIR, as it is at one moment; npm start goes on meanwhile. DIR holds what the data
folder does, its keys and token too: keep it as safe. npm run restore -- DIR brings it back.`;

try {
  const { values, positionals } = parseFlags({
    options: {
      data: { type: 'string', default: process.env.WHALEWATCH_DATA || '.data' },
      help: { type: 'boolean', short: 'h' },
    },
    allowPositionals: true,
  });
  if (values.help) console.log(help);
  else {
    if (positionals.length !== 1)
      throw new SettingError(`${positionals.length} folders are given: name one, npm run backup -- DIR`);
    const [to] = positionals;
    console.log(`${to} ${copied(await takeBackup(usedFolder(values.data), to, clock))}`);
  }
} catch (cause) {
  console.error(cause instanceof SettingError ? cause.message : cause);
  process.exit(1);
}
