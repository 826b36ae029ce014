import { existsSync } from 'node:fs';
import { type AlsOptions, checkedAls } from '#core/recommender/als.ts';
import { checkedRules, type Rule } from '#core/rules.ts';
import { proxyMatcher } from '#http/address.ts';

/** Settings of a deployment. Each has a default, so that `{}` deploys. */
export interface Settings {
  /** Days after its newest hit that a domain leaves the map. Default 7. */
  keepDays?: number;
  /** Seconds between two exports of the map: whole minutes up to four hours, or 15, 20 or 30. Default 60. Every 15 adds some $6 a month to the floor. */
  exportEvery?: number;
  /**
   * Megabytes of export, 512 to 10,240. Default 1769: enough for some 4 million domains (docs/cost.md); 10 million want
   * some 4200.
   */
  exportMemory?: number;
  /** Hours between two trainings, 1 to 720. Default 24. */
  trainEvery?: number;
  /** What the recommender is fitted with; `npm run tune` looks for better. Default rank 10, iterations 5, lambda 0.01, alpha 1. */
  als?: Partial<AlsOptions>;
  /**
   * Where training runs. `lambda`: up to 15 minutes and 10 GB. `fargate`: the same code for as long as it takes, on up to 16
   * processors and 120 GB, paid by the second. `spark`: Spark MLlib on EMR Serverless fits, where one machine is not enough.
   * Default `lambda`.
   */
  trainer?: 'lambda' | 'fargate' | 'spark';
  /** Megabytes of the trainer on Lambda, and of the functions before and after Spark. Default 3008, the most a new account allows. */
  trainMemory?: number;
  /** Size of the trainer on Fargate: 1024 of `cpu` is a processor, `memory` in megabytes. Default 4096 and 16384, $0.19 an hour. */
  trainTask?: TaskSize;
  /** The most that Spark may use at once. Default 16 processors, a new account's quota, and 64 GB: $1.20 an hour. */
  trainSpark?: { processors: number; gigabytes: number };
  /**
   * Where hits come in. `lambda`: the HTTP API, paid by the request. `fargate`: a load balancer and servers of their own
   * beside it, for a floor of $95 a month; cheaper from about 30 requests a second. Needs `collectDomain`. Default `lambda`.
   */
  collector?: 'lambda' | 'fargate';
  /** Host name of the collector on Fargate, with the ARN of its certificate in the stack's region. */
  collectDomain?: { name: string; certificateArn: string };
  /** Servers of the collector on Fargate: as many of this size as the load wants. Default 2 to 10 of one processor and 2 GB. */
  collectTasks?: TaskSize & { least: number; most: number };
  /** The stream: a number of shards (1 MB or 1000 records a second and $11 a month each) or `onDemand` ($29 and by use). Default 1 shard. */
  stream?: { shards: number } | 'onDemand';
  /** Hours that the stream keeps records, 24 to 168. Default 24. */
  retentionHours?: number;
  /** Seconds that process waits to fill a batch, 1 to 60. Default 5; 60 saves a few dollars where little comes in. */
  batchWindow?: number;
  /**
   * Search: a domain of Amazon OpenSearch Service of its own (default: one t3.small.search with 10 GiB, $27 a month), or
   * one that is there: `signed` when it wants AWS signatures.
   */
  search?: { instanceType?: string; gigabytes?: number } | { endpoint: string; signed: boolean };
  /** Host name of the pages, with the ARN of its certificate in us-east-1. Default: CloudFront's own name. */
  domainName?: { name: string; certificateArn: string };
  /** A table made by `node layers/geo/build.ts OUT YOUR.mmdb`. Default: DB-IP City Lite, CC-BY-4.0. */
  ipDatabase?: string;
  /** May everybody read people's pages? Default false: they ask for the reader's token, as changes always do. */
  publicPeople?: boolean;
  /** Proxies in front of the way in whose X-Forwarded-For is believed: addresses or ranges. Default none. */
  trustedProxies?: string[];
  /** Seconds within which an identical tagged event is the same pull, 0 to 60. Default 2. */
  pullWindow?: number;
  /** What sends a message to the topic of messages. Default none. */
  rules?: Rule[];
  /** Requests a second that each way in takes, in the steady state. Default 1000 hits and 200 notifications. */
  throttle?: { hits: number; registryEvents: number };
  /** Where alarms and messages are mailed. Default nowhere: subscribe to the topics yourself. */
  alarmEmail?: string;
  /** Dollars a month above which the budget's alarm rings. Default 100; needs `alarmEmail`. */
  monthlyBudget?: number;
  /** Days that logs are kept. Default 30. */
  logDays?: number;
}

/** Of a task on Fargate. */
export interface TaskSize {
  /** 1024 is one processor. */
  cpu: number;
  /** Megabytes. */
  memory: number;
}

type Optional = 'domainName' | 'collectDomain' | 'ipDatabase' | 'alarmEmail';
export type ResolvedSettings = Required<Omit<Settings, Optional | 'als'>> & { als: AlsOptions } & Pick<
    Settings,
    Optional
  >;

export class BadSetting extends Error {
  override name = 'BadSetting';
}

/** What Fargate offers: megabytes by 1/1024 of a processor. */
const taskSizes: Record<number, number[]> = {
  256: [512, 1024, 2048],
  512: range(1024, 4096, 1024),
  1024: range(2048, 8192, 1024),
  2048: range(4096, 16_384, 1024),
  4096: range(8192, 30_720, 1024),
  8192: range(16_384, 61_440, 4096),
  16384: range(32_768, 122_880, 8192),
};

const logRetentions = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731];

/** Settings that have no default. */
const optional: Optional[] = ['domainName', 'collectDomain', 'ipDatabase', 'alarmEmail'];

const defaults = {
  keepDays: 7,
  exportEvery: 60,
  trainEvery: 24,
  als: checkedAls({}),
  trainer: 'lambda',
  exportMemory: 1769,
  trainMemory: 3008,
  trainTask: { cpu: 4096, memory: 16_384 },
  trainSpark: { processors: 16, gigabytes: 64 },
  collector: 'lambda',
  collectTasks: { cpu: 1024, memory: 2048, least: 2, most: 10 },
  stream: { shards: 1 },
  retentionHours: 24,
  batchWindow: 5,
  search: {},
  publicPeople: false,
  trustedProxies: [],
  pullWindow: 2,
  rules: [],
  throttle: { hits: 1000, registryEvents: 200 },
  monthlyBudget: 100,
  logDays: 30,
} satisfies Omit<ResolvedSettings, Optional>;

/** Every setting there is. */
export const settingNames = [...Object.keys(defaults), ...optional] as (keyof Settings)[];
const isSetting = (name: string) => settingNames.includes(name as keyof Settings);

/** Settings with their defaults. Throws BadSetting with a sentence that names the setting, its value and the mend. */
export function resolve(settings: Settings): ResolvedSettings {
  for (const name of Object.keys(settings))
    if (!isSetting(name)) throw new BadSetting(`${name} is no setting: there are ${settingNames.join(', ')}`);
  const all: ResolvedSettings = {
    ...defaults,
    ...Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)),
  };
  for (const name of [
    'stream',
    'search',
    'throttle',
    'domainName',
    'collectDomain',
    'als',
    'trainTask',
    'trainSpark',
    'collectTasks',
  ] as const)
    if (all[name] !== undefined && all[name] !== 'onDemand') oneObject(name, all[name]);
  within('keepDays', all.keepDays, 1, 365);
  within('trainEvery', all.trainEvery, 1, 720);
  try {
    all.als = checkedAls(all.als);
  } catch (cause) {
    throw new BadSetting(`setting als: ${(cause as Error).message} (whalewatch.config.ts)`, { cause });
  }
  within('exportMemory', all.exportMemory, 512, 10_240);
  within('trainMemory', all.trainMemory, 512, 10_240);
  oneOf('trainer', all.trainer, ['lambda', 'fargate', 'spark']);
  taskSize('trainTask', all.trainTask);
  // Driver and one executor of EMR's own size are 4 processors and 16 GB each.
  within('trainSpark.processors', all.trainSpark.processors, 8, 4000);
  within('trainSpark.gigabytes', all.trainSpark.gigabytes, 4 * all.trainSpark.processors, 30_000);
  oneOf('collector', all.collector, ['lambda', 'fargate']);
  oneOf('collectTasks.cpu', all.collectTasks.cpu, [256, 512, 1024], ': one server keeps one processor busy, no more');
  taskSize('collectTasks', all.collectTasks);
  within('collectTasks.least', all.collectTasks.least, 2, 1000);
  within('collectTasks.most', all.collectTasks.most, all.collectTasks.least, 1000);
  if (all.collector === 'fargate' && !all.collectDomain)
    throw bad('collectDomain', undefined, "collector 'fargate' needs a host name and its certificate, for TLS");
  if (all.collectDomain && !/^arn:aws[\w-]*:acm:[\w-]+:/.test(all.collectDomain.certificateArn))
    throw bad(
      'collectDomain.certificateArn',
      all.collectDomain.certificateArn,
      "give one of ACM in the stack's region",
    );
  within('retentionHours', all.retentionHours, 24, 168);
  within('batchWindow', all.batchWindow, 1, 60);
  within('pullWindow', all.pullWindow, 0, 60, false);
  within('monthlyBudget', all.monthlyBudget, 1, 10_000_000, false);
  within('throttle.hits', all.throttle.hits, 1, 100_000);
  within('throttle.registryEvents', all.throttle.registryEvents, 1, 100_000);
  if (all.exportEvery < 60) oneOf('exportEvery', all.exportEvery, [15, 20, 30], ' or whole minutes');
  else if (all.exportEvery % 60 !== 0 || !(all.exportEvery <= 14_400))
    throw bad('exportEvery', all.exportEvery, 'give 15, 20, 30 or whole minutes in seconds (60, 120, … 14400)');
  oneOf('logDays', all.logDays, logRetentions);
  if (typeof all.stream === 'object') within('stream.shards', all.stream.shards, 1, 500);
  else oneOf('stream', all.stream, ['onDemand'], ' or { shards: 1 }');
  if (typeof all.publicPeople !== 'boolean') throw bad('publicPeople', all.publicPeople, 'give true or false');
  try {
    proxyMatcher(list('trustedProxies', all.trustedProxies));
  } catch (cause) {
    if (cause instanceof BadSetting) throw cause;
    throw new BadSetting(`setting ${(cause as Error).message} (whalewatch.config.ts)`, { cause });
  }
  if (all.ipDatabase !== undefined && !existsSync(all.ipDatabase))
    throw bad('ipDatabase', all.ipDatabase, 'no such file; node layers/geo/build.ts makes one');
  if ('endpoint' in all.search) {
    const { endpoint } = all.search;
    if (!/^https?:\/\/[^/]+\/?$/.test(endpoint)) throw bad('search.endpoint', endpoint, 'give https://HOST');
    if (typeof all.search.signed !== 'boolean') throw bad('search.signed', all.search.signed, 'give true or false');
  } else if (all.search.gigabytes !== undefined) within('search.gigabytes', all.search.gigabytes, 10, 3000);
  const { instanceType } = all.search as { instanceType?: string };
  if (instanceType !== undefined && !/^[a-z0-9]+\.[a-z0-9]+\.search$/.test(instanceType))
    throw bad('search.instanceType', instanceType, 'give one such as t3.small.search');
  hostName('domainName.name', all.domainName?.name);
  hostName('collectDomain.name', all.collectDomain?.name);
  if (all.domainName && !/^arn:aws[\w-]*:acm:us-east-1:/.test(all.domainName.certificateArn))
    throw bad('domainName.certificateArn', all.domainName.certificateArn, 'CloudFront takes one of us-east-1 only');
  if (all.alarmEmail !== undefined && !/^[^@\s]+@[^@\s]+$/.test(all.alarmEmail))
    throw bad('alarmEmail', all.alarmEmail, 'give one mail address');
  try {
    checkedRules(list('rules', all.rules));
  } catch (cause) {
    if (cause instanceof BadSetting) throw cause;
    throw new BadSetting(`setting rules: ${(cause as Error).message}`, { cause });
  }
  return all;
}

function taskSize(name: string, { cpu, memory }: TaskSize): void {
  oneOf(`${name}.cpu`, cpu, Object.keys(taskSizes).map(Number), ' (1024 is one processor)');
  const allowed = taskSizes[cpu];
  if (!allowed.includes(memory))
    throw bad(
      `${name}.memory`,
      memory,
      `with cpu ${cpu} Fargate has ${allowed[0]} to ${allowed.at(-1)} in steps of ${allowed[1] - allowed[0]}`,
    );
}

const bad = (name: string, value: unknown, mend: string) =>
  new BadSetting(`setting ${name} is ${JSON.stringify(value)}: ${mend} (whalewatch.config.ts)`);

function within(name: string, value: number, least: number, most: number, whole = true): void {
  if (typeof value !== 'number' || !(value >= least && value <= most) || (whole && !Number.isInteger(value)))
    throw bad(name, value, `give a ${whole ? 'whole ' : ''}number from ${least} to ${most}`);
}

function oneObject(name: string, value: unknown): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw bad(
      name,
      value,
      `give an object (${name === 'stream' ? '{ shards: 1 } or "onDemand"' : 'infra/settings.ts says of what'})`,
    );
}

function list<T>(name: string, value: T[]): T[] {
  if (!Array.isArray(value)) throw bad(name, value, 'give a list, [] for none');
  return value;
}

function hostName(name: string, value: string | undefined): void {
  if (value !== undefined && !/^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$/.test(value))
    throw bad(name, value, 'give a host name, without https:// and path');
}

function oneOf(name: string, value: unknown, allowed: unknown[], more = ''): void {
  if (!allowed.includes(value)) throw bad(name, value, `give ${allowed.join(', ')}${more}`);
}

function range(from: number, to: number, step: number): number[] {
  return Array.from({ length: (to - from) / step + 1 }, (_, n) => from + n * step);
}
