import { type ParseArgsConfig, parseArgs } from 'node:util';
import { type AlsOptions, alsDefaults, checkedAls } from '#core/recommender/als.ts';

/** The settings of a run on one machine. */
export interface Settings {
  port: number;
  data: string;
  exportEverySeconds: number;
  trainEverySeconds: number;
  /** What the recommender is fitted with. */
  als: AlsOptions;
  opensearch?: string;
  demo: boolean;
  pullWindowSeconds: number;
  /** The webhook's token; undefined: one is made and kept in the data folder. */
  token?: string;
  /** Where messages of the rules are posted, and the secret they are signed with. */
  notify?: { url: string; secret: string };
}

export class BadSetting extends Error {
  override name = 'BadSetting';
}

export const help = `Whalewatch on one machine: registry notifications and portal hits in, live map, pull history and recommendations out.

usage: npm start -- [flags]

  --port PORT             where to listen on 127.0.0.1 (8080; 0 takes any free one)
  --data DIR              where everything is kept (.data); it survives a stop or a crash
  --export-every SECONDS  how often the map is brought up to date (5)
  --train-every SECONDS   how often recommendations are trained anew (300)
  --als NAME=VALUE,…      what recommendations are fitted with (rank=10,iterations=5,lambda=0.01,alpha=1); npm run tune
                          looks for better
  --opensearch URL        keep search documents in this OpenSearch instead of the data folder
  --demo                  feed the system with marked, seeded demo traffic
  --help                  this text

environment:
  WHALEWATCH_TOKEN        the webhook's token; else one is made, kept in the data folder and printed
  WHALEWATCH_NOTIFY_URL   where messages (a push, a new person, a new country, a rush) are posted as JSON, signed with
  WHALEWATCH_NOTIFY_SECRET  the shared secret of that webhook
  WHALEWATCH_PULL_WINDOW  seconds within which an identical tagged event is the same pull (2; 0 turns merging off)

also: npm run export, npm run train, npm run tune, npm run pairs -- FOLDER, npm run import -- FILE, npm run replay
(each takes --data DIR; export, train, tune and pairs take --opensearch URL)`;

/** Reads flags and environment. Throws BadSetting with the value and the mend; undefined when help was asked for. */
export function readSettings(argv: string[], environment: NodeJS.ProcessEnv): Settings | undefined {
  const values = parse(argv);
  if (values.help) return undefined;
  const { opensearch } = values;
  checkOpenSearch(opensearch);
  return {
    port: number('--port', values.port ?? '8080', 0, 65_535, true),
    data: values.data ?? '.data',
    exportEverySeconds: number('--export-every', values['export-every'] ?? '5', 0.1, 86_400),
    trainEverySeconds: number('--train-every', values['train-every'] ?? '300', 1, 30 * 86_400),
    als: alsSettings(values.als),
    opensearch,
    demo: values.demo ?? false,
    pullWindowSeconds: number('WHALEWATCH_PULL_WINDOW', environment.WHALEWATCH_PULL_WINDOW || '2', 0, 60),
    token: environment.WHALEWATCH_TOKEN || undefined,
    notify: notifySettings(environment),
  };
}

/** Throws BadSetting when it is given and no URL. */
export function checkOpenSearch(url: string | undefined): void {
  if (url !== undefined && !/^https?:\/\/[^/]/.test(url))
    throw new BadSetting(`--opensearch "${url}" is no URL: write http://HOST:PORT`);
}

function alsSettings(text: string | undefined): AlsOptions {
  const given: Partial<Record<string, number>> = {};
  try {
    for (const part of text?.split(',') ?? []) {
      const [, name, value] = /^\s*(\w+)\s*=\s*(\S+)\s*$/.exec(part) ?? [];
      if (name === undefined) throw new RangeError(`"${part}" is no setting: write rank=10,lambda=0.01`);
      if (name in given) throw new RangeError(`${name} is given twice`);
      given[name] = Number(value);
      // An unknown name is told first.
      if (Number.isNaN(given[name]) && Object.hasOwn(alsDefaults, name))
        throw new RangeError(`${name}: "${value}" is no number`);
    }
    return checkedAls(given);
  } catch (cause) {
    throw new BadSetting(`--als "${text}": ${(cause as Error).message}`, { cause });
  }
}

function notifySettings({ WHALEWATCH_NOTIFY_URL: url, WHALEWATCH_NOTIFY_SECRET: secret }: NodeJS.ProcessEnv) {
  if (!url) return undefined;
  if (!URL.canParse(url) || !/^https?:/.test(url))
    throw new BadSetting(`WHALEWATCH_NOTIFY_URL "${url}" is no URL: write https://HOST/PATH`);
  if (!secret) throw new BadSetting('WHALEWATCH_NOTIFY_SECRET is missing: messages are signed with it');
  return { url, secret };
}

/** Flags that take a value: `--port -1` is that value, not a flag of its own, and so is judged like any other. */
const takesValue = /^--(port|data|export-every|train-every|als|opensearch)$/;

function joined(args: string[]): string[] {
  const whole: string[] = [];
  for (let at = 0; at < args.length; at++)
    if (takesValue.test(args[at]) && /^-\.?\d/.test(args[at + 1] ?? '')) whole.push(`${args[at]}=${args[++at]}`);
    else whole.push(args[at]);
  return whole;
}

function parse(args: string[]) {
  return parseFlags({
    args: joined(args),
    options: {
      port: { type: 'string' },
      data: { type: 'string' },
      'export-every': { type: 'string' },
      'train-every': { type: 'string' },
      als: { type: 'string' },
      opensearch: { type: 'string' },
      demo: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  }).values;
}

/** parseArgs, but what it says of a wrong flag is one line, in a BadSetting. */
export function parseFlags<const T extends ParseArgsConfig>(config: T) {
  try {
    return parseArgs(config);
  } catch (cause) {
    throw new BadSetting(`${(cause as Error).message.split('. ')[0]}. See --help.`, { cause });
  }
}

function number(name: string, text: string, least: number, most: number, whole = false): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= least && value <= most && (!whole || Number.isInteger(value))) return value;
  throw new BadSetting(`${name} "${text}" is no ${whole ? 'whole ' : ''}number from ${least} to ${most}`);
}
