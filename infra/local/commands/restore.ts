// npm run restore -- DIR: a data folder from a backup.
import { SettingError } from '#settings/read.ts';
import { parseFlags } from '../settings.ts';
import { restoreBackup } from '../stores/backup.ts';
import { copied } from './copied.ts';

const help = `usage: npm run restore -- DIR [--data DATA]

Makes a new data folder of the backup in DIR, after checking every file of it. A data folder that holds anything is left as
it is: move it away first.`;

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
      throw new SettingError(`${positionals.length} folders are given: name one, npm run restore -- DIR`);
    console.log(`${values.data} ${copied(await restoreBackup(positionals[0], values.data))}`);
  }
} catch (cause) {
  console.error(cause instanceof SettingError ? cause.message : cause);
  process.exit(1);
}
