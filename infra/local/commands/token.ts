// npm run token: API tokens of scripts, and the webhook tokens of registries.
import { join } from 'node:path';
import { roles } from '#core/access.ts';
import { defaultRegistry } from '#core/registry/name.ts';
import type { CredentialStore } from '#core/stores.ts';
import { createToken } from '#serve/credentials.ts';
import { addToken, endToken, rotateToken, tokenId, tokensOf } from '#serve/registry-tokens.ts';
import { SettingError } from '#settings/error.ts';
import { newKeptToken, usedFolder } from '../folder.ts';
import { openCredentials } from '../stores/credentials.ts';
import { clock } from '../stores/stores.ts';
import { runCommand } from './command.ts';

const help = `usage: npm run token -- --name NAME --role user|team|owner [--user USER] [--days DAYS] [--data DIR]

Makes an API token and prints it, once. Scripts send it as "Authorization: Bearer TOKEN". A token of the role user reads
the history of --user. The owner lists and ends tokens at /v1/tokens.

usage: npm run token -- add|rotate|list --registry NAME [--data DIR]
       npm run token -- revoke --registry NAME --id ID [--data DIR]

Webhook tokens of a registry, which the setting registries names, or "${defaultRegistry}". Two are valid at a time. rotate makes
a new one; if there are two, it ends the older, provided that the registry sends the newer. Changes need no restart.
The token that npm start prints belongs to "${defaultRegistry}" and has the id "kept": when it is revoked, a new one is made.`;

/** The id of the token in the data folder. */
const kept = 'kept';

const text = { type: 'string' } as const;
const flags = { name: text, role: text, user: text, days: text, registry: text, id: text };

await runCommand(help, flags, async ({ data, ...values }, [action, ...more]) => {
  const folder = usedFolder(data);
  const credentials = openCredentials(join(folder, 'credentials.db'), clock);
  if (more.length > 0) throw new SettingError(`"${more[0]}" is not expected: give one action at a time`);
  return action === undefined ? apiToken(credentials, values) : registryToken(credentials, folder, action, values);
});

type Values = Partial<Record<'name' | 'role' | 'user' | 'days' | 'registry' | 'id', string>>;

async function apiToken(credentials: CredentialStore, { name, user, days, ...values }: Values): Promise<string> {
  const role = roles.find((each) => each === values.role && each !== 'public');
  if (!name) throw new SettingError('--name is missing: give a name that says what the token is for');
  if (!role) throw new SettingError(`--role is "${values.role ?? ''}": must be user, team or owner`);
  if (user !== undefined && role !== 'user')
    throw new SettingError(`--user is "${user}": may be given only with --role user`);
  if (days !== undefined && !/^[1-9]\d{0,3}$/.test(days))
    throw new SettingError(`--days is "${days}": must be an integer from 1 to 9999`);
  const given = { name, role, ...(user ? { user } : {}), ...(days ? { days: Number(days) } : {}) };
  return (await createToken(credentials, given, clock())).token;
}

async function registryToken(store: CredentialStore, folder: string, action: string, { registry, id }: Values) {
  if (!['add', 'rotate', 'list', 'revoke'].includes(action))
    throw new SettingError(`"${action}" is not an action: must be add, rotate, list or revoke`);
  if (!registry) throw new SettingError('--registry is missing: give a name in the setting registries, or default');
  if (action === 'add') return (await addToken(store, registry, clock())).token;
  if (action === 'rotate') return (await rotateToken(store, registry, clock())).token;
  if (action === 'list') {
    const held = (await tokensOf(store, registry)).map((credential) => {
      const { createdAt, usedAt } = credential;
      return `${tokenId(credential)}  made ${shown(createdAt)}  last used ${usedAt === undefined ? 'never' : shown(usedAt)}`;
    });
    const first = registry === defaultRegistry ? [`${kept}  the one that npm start prints`] : [];
    return [...first, ...held].join('\n') || `${registry} has no token: npm run token -- add --registry ${registry}`;
  }
  if (!id) throw new SettingError('--id is missing: npm run token -- list shows the ids');
  if (id === kept && registry === defaultRegistry) {
    newKeptToken(folder);
    return `ended; another is in ${join(folder, 'token')}. A token in WHALEWATCH_TOKEN stays valid: change it there`;
  }
  if (!(await endToken(store, registry, id)))
    throw new SettingError(`--id is "${id}": ${registry} has no such token, npm run token -- list shows them`);
  return `ended ${id}`;
}

/** A time to the minute, because uses are recorded by the minute. */
function shown(time: number): string {
  return `${new Date(time).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
