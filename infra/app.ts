// npm run deploy: the stack, from whalewatch.config.ts and what `-c NAME=VALUE` overrides.
import { App, Stack, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import settings from '../whalewatch.config.ts';
import { BadSetting } from './settings.ts';
import { type Emulated, Whalewatch } from './whalewatch.ts';

const app = new App();
/** What `-c` gave: CDK's own context has names with @, : or /. A name that is no setting is refused with the others. */
const given = Object.entries(app.node.getAllContext())
  .filter(([name]) => /^\w+$/.test(name) && name !== 'emulated' && name !== 'stackName')
  .map(([name, value]) => [name, parsed(value)]);
const emulated = parsed(app.node.tryGetContext('emulated') ?? {}) as Emulated;

try {
  const stack = new Stack(app, app.node.tryGetContext('stackName') ?? 'Whalewatch', {
    description: 'A live map of who uses your portal, and honest pull counts for your registry',
    env: { account: process.env.CDK_DEFAULT_ACCOUNT, region: process.env.CDK_DEFAULT_REGION },
  });
  const whalewatch = new Whalewatch(stack, 'Whalewatch', { ...settings, ...Object.fromEntries(given) }, emulated);
  // Alone in its stack, its outputs have their plain names.
  for (const output of whalewatch.outputs) output.overrideLogicalId(output.node.id);
} catch (cause) {
  if (!(cause instanceof BadSetting)) throw cause;
  console.error(cause.message);
  process.exit(1);
}
if (!emulated.plainHttp) Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
app.synth();

function parsed(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}
