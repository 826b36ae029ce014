// npm run migrate -- --opensearch URL [--prefix NAME]: moves search's documents to the newest version of their indices.
import { documentsIndex, recommendationsIndex } from '#aws/opensearch/mapping.ts';
import { migrateIndex } from '#aws/opensearch/migrate.ts';
import { openSearchCall } from '#aws/opensearch/opensearch.ts';
import { SettingError } from '#settings/error.ts';
import { runCommand } from './command.ts';

const help = `Moves search's documents to the newest version of their indices. Reads go on meanwhile; pulls wait at the end.

usage: npm run migrate -- --opensearch URL [--prefix NAME]

--prefix is the prefix of the indices' names; default whalewatch. If the newest version is already in use, nothing is done.`;
const flags = { opensearch: { type: 'string' }, prefix: { type: 'string', default: 'whalewatch' } } as const;

await runCommand(help, flags, async ({ opensearch, prefix }) => {
  if (!opensearch) throw new SettingError(`--opensearch is missing: name the URL of the domain\n\n${help}`);
  const call = openSearchCall({ endpoint: opensearch });
  const said: string[] = [];
  for (const [name, index] of [
    ['documents', documentsIndex],
    ['recommendations', recommendationsIndex],
  ] as const) {
    const alias = `${prefix}-${name}`;
    const moved = await migrateIndex(call, alias, index, console.error);
    said.push(moved ? `${alias}: ${moved.documents} documents are in ${moved.to} now` : `${alias}: nothing to do`);
  }
  return said.join('\n');
});
