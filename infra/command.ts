#!/usr/bin/env -S node --disable-warning=ExperimentalWarning
// The `whalewatch` command of the installed package. In a clone the scripts of package.json run the same files.
/** One line for each command; each reads its own arguments, including `--help`. */
const commands: Record<string, { does: string; run(): unknown }> = {
  start: { does: 'Runs all of Whalewatch on this machine.', run: () => import('./local/start.ts') },
  train: { does: 'Trains once on the stored pulls.', run: () => import('./local/commands/train.ts') },
  export: { does: 'Publishes the map once.', run: () => import('./local/commands/export.ts') },
  import: { does: 'Imports past pulls and hits.', run: () => import('./local/commands/import.ts') },
  replay: { does: 'Replays quarantined events.', run: () => import('./local/commands/replay.ts') },
  recount: { does: 'Recomputes pulls by new rules.', run: () => import('./local/commands/recount.ts') },
  sums: { does: 'Recomputes the sums that search reads.', run: () => import('./local/commands/sums.ts') },
  migrate: { does: 'Moves search to newer indices.', run: () => import('./local/commands/migrate.ts') },
  tune: { does: 'Compares the candidates of training.', run: () => import('./local/commands/tune.ts') },
  pairs: { does: 'Exports the pairs of training, and its factors.', run: () => import('./local/commands/pairs.ts') },
  token: { does: 'Makes an API token for a role.', run: () => import('./local/commands/token.ts') },
  backup: { does: 'Copies the data folder while the server runs.', run: () => import('./local/commands/backup.ts') },
  restore: { does: 'Restores a data folder from a backup.', run: () => import('./local/commands/restore.ts') },
  'ip-update': { does: 'Installs a newer IP table.', run: () => import('./local/commands/ip-update.ts') },
  verify: { does: 'Tests a running server from outside.', run: async () => (await import('./tools/verify.ts')).main() },
  cost: { does: 'Estimates the cost on AWS.', run: async () => (await import('./tools/cost.ts')).main() },
};

const help = `usage: whalewatch COMMAND [flags]

${Object.entries(commands)
  .map(([name, { does }]) => `  ${name.padEnd(9)} ${does}`)
  .join('\n')}

whalewatch COMMAND --help lists the flags of a command; whalewatch --version prints the version.`;

const [major, minor] = process.versions.node.split('.').map(Number);
const [name] = process.argv.splice(2, 1);
if (major < 22 || (major === 22 && minor < 16)) fail(`this is Node ${process.version}: must be 22.16 or later`);
else if (name === undefined || ['help', '--help', '-h'].includes(name)) console.log(help);
else if (name === '--version') console.log(await version());
else if (!Object.hasOwn(commands, name)) fail(`there is no command "${name}"\n\n${help}`);
else await commands[name].run();

function fail(message: string): void {
  console.error(message);
  process.exitCode = 1;
}

async function version(): Promise<string> {
  const { readFileSync } = await import('node:fs');
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version;
}
