// npm run token: makes an API token for a script, or for the owner's first look from another machine.

import { join } from 'node:path';
import { roles } from '#core/access.ts';
import { createToken } from '#serve/credentials.ts';
import { SettingError } from '#settings/read.ts';
import { usedFolder } from '../folder.ts';
import { parseFlags } from '../settings.ts';
import { openCredentials } from '../stores/credentials.ts';
import { clock } from '../stores/stores.ts';

const help = `usage: npm run token -- --name NAME --role user|team|owner [--user USER] [--days DAYS] [--data DIR]

Makes an API token and prints it, once. Scripts send it as "Authorization: Bearer TOKEN". A token of the role user reads
the history of --user. The owner sees and ends tokens at /v1/tokens.`;

try {
  const { values } = parseFlags({
    options: {
      ...{ name: { type: 'string' }, role: { type: 'string' }, user: { type: 'string' }, days: { type: 'string' } },
      ...{ data: { type: 'string', default: '.data' }, help: { type: 'boolean', short: 'h' } },
    },
  });
  if (values.help) console.log(help);
  else {
    const { name, user, days } = values;
    const role = roles.find((each) => each === values.role && each !== 'public');
    if (!name) throw new SettingError('--name is missing: must say what the token is for');
    if (!role) throw new SettingError(`--role is "${values.role ?? ''}": must be user, team or owner`);
    if (user !== undefined && role !== 'user')
      throw new SettingError(`--user is "${user}": goes with --role user only`);
    if (days !== undefined && !/^[1-9]\d{0,3}$/.test(days))
      throw new SettingError(`--days is "${days}": must be an integer from 1 to 9999`);
    const credentials = openCredentials(join(usedFolder(values.data), 'credentials.db'), clock);
    const given = { name, role, ...(user ? { user } : {}), ...(days ? { days: Number(days) } : {}) };
    console.log((await createToken(credentials, given, clock())).token);
  }
} catch (cause) {
  console.error(cause instanceof SettingError ? cause.message : cause);
  process.exit(1);
}
