// npm run deploy: the stack, from whalewatch.config.ts and what `-c NAME=VALUE` overrides.
import { App, Stack, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import settings from '../whalewatch.config.ts';
import { BadSetting, type Settings } from './settings.ts';
import { type Emulated, Whalewatch } from './whalewatch.ts';

const names = [
  'keepDays exportEvery trainEvery trainer trainMemory trainTask trainSpark collector collectDomain collectTasks stream retentionHours batchWindow search domainName ipDatabase',
  'publicPeople trustedProxies pullWindow rules throttle alarmEmail monthlyBudget logDays',
].flatMap((line) => line.split(' ')) as (keyof Settings)[];

const app = new App();
const given = names.flatMap((name) => {
  const value = app.node.tryGetContext(name);
  return value === undefined ? [] : [[name, parsed(value)]];
});
const emulated = parsed(app.node.tryGetContext('emulated') ?? {}) as Emulated;

try {
  const stack = new Stack(app, app.node.tryGetContext('stackName') ?? 'Whalewatch', {
    description: 'A live map of who uses your portal, and honest pull counts for your registry',
    env: { account: process.env.CDK_DEFAULT_ACCOUNT, region: process.env.CDK_DEFAULT_REGION },
  });
  new Whalewatch(stack, 'Whalewatch', { ...settings, ...Object.fromEntries(given) }, emulated);
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
