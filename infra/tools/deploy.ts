// npm run deploy [-- --yes -c NAME=VALUE]: builds the pages, shows what changes and what the account's quotas will
// throttle, then deploys just that.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { ServiceQuotasClient } from '@aws-sdk/client-service-quotas';
import { buildPages } from '../../web/build.ts';
import { needsOf, quotasOf, shortfalls } from './preflight.ts';

const root = join(import.meta.dirname, '../..');

const help = `usage: npm run deploy -- [--yes] [--diff] [-c NAME=VALUE …] [--profile NAME] [--outputs-file FILE]

Shows what changes and what the account's quotas will throttle, then asks and deploys. It does not ask with --yes, or without a
terminal. --diff stops after showing. -c overrides a setting, or names the stack (stackName) or a file of settings (config).`;

if (import.meta.main) process.exitCode = await deploy(process.argv.slice(2));

async function deploy(given: string[]): Promise<number> {
  const values = read(given);
  if (typeof values === 'string') {
    console.error(`${values}\n\n${help}`);
    return 2;
  }
  if (values.help) {
    console.log(help);
    return 0;
  }
  const { output, context = [] } = values;
  await buildPages();
  if (values.profile) process.env.AWS_PROFILE = values.profile;

  const app = values.app ? ['--app', values.app] : [];
  const from = [...app, '--output', output, ...context.flatMap((one) => ['-c', one])];
  // CDK compares the template synthesised here, which is deployed below, with the deployed one.
  const shown = cdk('diff', from);
  if (shown !== 0) return shown;
  const name = context.findLast((one) => one.startsWith('stackName='))?.slice('stackName='.length) ?? 'Whalewatch';
  if (!(await preflight(join(output, `${name}.template.json`)))) return 1;
  if (values.diff) return 0;
  if (!values.yes && process.stdin.isTTY && !(await isWanted(name))) {
    console.error(`${name} was not changed`);
    return 1;
  }
  const outputs = values['outputs-file'] ? ['--outputs-file', values['outputs-file']] : [];
  return cdk('deploy', ['--app', output, '--require-approval', 'never', ...outputs]);
}

/** The given arguments, or what is wrong with them. */
function read(args: string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args,
      options: {
        ...{ yes: { ...flag, short: 'y' }, diff: flag, help: { ...flag, short: 'h' } },
        context: { ...text, short: 'c', multiple: true },
        ...{ app: text, profile: text, 'outputs-file': text },
        output: { ...text, default: join(root, 'build/cdk.out') },
      },
    }).values;
  } catch (cause) {
    return (cause as Error).message;
  }
}

/** Prints what the account's quotas will throttle; false if AWS would refuse the deployment. */
async function preflight(templateFile: string): Promise<boolean> {
  const { Resources } = JSON.parse(readFileSync(templateFile, 'utf8'));
  const needs = needsOf(Resources);
  const clients = { quotas: new ServiceQuotasClient({}), lambda: new LambdaClient({}) };
  const { quotas, unread } = await quotasOf(needs, clients);
  const { throttled, refused } = shortfalls(needs, quotas);
  console.log('\nQuotas of the account');
  for (const line of throttled) console.log(`  will throttle: ${line}`);
  for (const line of refused) console.log(`  will be refused: ${line}`);
  for (const line of unread) console.log(`  could not be read: ${line}`);
  if (throttled.length + refused.length + unread.length === 0) console.log('  enough of each');
  return refused.length === 0;
}

async function isWanted(name: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question(`\nDeploy ${name}? (y/N) `);
  terminal.close();
  return /^y(es)?$/i.test(answer.trim());
}

function cdk(command: string, args: string[]): number {
  const script = join(root, 'node_modules/aws-cdk/bin/cdk');
  return spawnSync(process.execPath, [script, command, ...args], { cwd: root, stdio: 'inherit' }).status ?? 1;
}
