// npm run deploy: the stack, from whalewatch.config.ts (or the file in `-c config=FILE`) and overrides of single
// settings by `-c NAME=VALUE`.
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { App, Stack, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { SettingError } from '#settings/error.ts';
import { contextLayer, resolveLayers } from '#settings/read.ts';
import { awsSchema } from '#settings/schema.ts';
import { Whalewatch } from './whalewatch.ts';

const app = new App();
const { stackName, config = 'whalewatch.config.ts', ...context } = app.node.getAllContext();

try {
  const stack = new Stack(app, stackName ?? 'Whalewatch', {
    // npm run destroy switches termination protection off.
    terminationProtection: true,
    description: 'A live map of who uses your portal, and honest pull counts for your registry',
    env: { account: process.env.CDK_DEFAULT_ACCOUNT, region: process.env.CDK_DEFAULT_REGION },
  });
  const settings = resolveLayers([{ values: await written(config), from: config }, contextLayer(context)], awsSchema);
  const whalewatch = new Whalewatch(stack, 'Whalewatch', settings);
  // The construct is alone in its stack, so its outputs need no prefix.
  for (const output of whalewatch.outputs) output.overrideLogicalId(output.node.id);
} catch (cause) {
  if (!(cause instanceof SettingError)) throw cause;
  console.error(cause.message);
  process.exit(1);
}
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
app.synth();

/** The settings that a file exports by default; its path is relative to the project. */
async function written(name: string): Promise<object> {
  const file = resolve(join(import.meta.dirname, '..'), name);
  if (!existsSync(file))
    throw new SettingError(`-c config is "${name}": must be a file of settings, such as whalewatch.config.ts`);
  return (await import(pathToFileURL(file).href)).default;
}
