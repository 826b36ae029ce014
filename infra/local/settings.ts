// The settings of the local run: flags before variables of the environment before the file of --config.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { SettingError } from '#settings/error.ts';
import { flagLayer, flags, type Layer, resolveLayers, secrets, variableLayer } from '#settings/read.ts';
import { localDefaults, type ResolvedSettings } from '#settings/schema.ts';

const line = (name: string, description: string) => `  ${name.padEnd(26)} ${description}`;
const firstSentence = (text: string) => text.split('. ')[0].replace(/\.?$/, '.');

export const help = `Whalewatch on one machine: registry notifications and portal hits in, live map, pull history and recommendations out.

usage: npm start -- [flags]

${flags.map(({ usage, description }) => line(usage, firstSentence(description))).join('\n')}
  --config FILE              Read settings from FILE, a whalewatch.config.ts or JSON (docs/settings.md).
  --help                     This text.

Each flag is also an environment variable, such as WHALEWATCH_PORT for --port; flags win. Secrets are read only from
variables or the file:
${secrets.map(({ variable, description }) => line(variable, description)).join('\n')}

also: npm run export, npm run train, npm run tune, npm run pairs -- FOLDER, npm run import -- FILE, npm run replay,
npm run recount, npm run sums, npm run migrate, npm run token, npm run backup -- DIR, npm run restore -- DIR,
npm run ip-update -- FILE (--help of each says what it does)`;

/** Reads flags, environment and --config. Throws SettingError; undefined if --help was given. */
export async function readSettings(
  argv: string[],
  environment: NodeJS.ProcessEnv,
): Promise<ResolvedSettings | undefined> {
  const { help, config, ...values } = parseFlags({
    args: joined(argv),
    options: {
      ...Object.fromEntries(flags.map(({ flag, type }) => [flag, { type }] as const)),
      config: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  }).values as Record<string, string | boolean | undefined>;
  if (help) return undefined;
  return resolveLayers([
    { values: localDefaults },
    ...(config === undefined ? [] : [await fileLayer(String(config))]),
    variableLayer(environment),
    flagLayer(values),
  ]);
}

/** Throws SettingError if the file is missing or exports no settings. */
async function fileLayer(file: string): Promise<Layer> {
  const path = resolve(file);
  let values: unknown;
  try {
    // Editors on Windows write a byte order mark, which JSON.parse refuses.
    values = /\.json$/i.test(path)
      ? JSON.parse(readFileSync(path, 'utf8').replace(/^\uFEFF/, ''))
      : (await import(pathToFileURL(path).href)).default;
  } catch (cause) {
    throw new SettingError(`--config ${file} can't be read: ${(cause as Error).message}`, { cause });
  }
  if (typeof values !== 'object' || values === null || Array.isArray(values))
    throw new SettingError(`--config ${file} has no settings: must have "export default { … }", or be a JSON object`);
  return { values, from: file };
}

/** The -1 in `--port -1` is a value, not a flag, and is checked like any other value. */
function joined(args: string[]): string[] {
  const whole: string[] = [];
  for (let at = 0; at < args.length; at++)
    if (/^--[a-z-]+$/.test(args[at]) && /^-\.?\d/.test(args[at + 1] ?? '')) whole.push(`${args[at]}=${args[++at]}`);
    else whole.push(args[at]);
  return whole;
}

/** parseArgs, but a wrong flag is a SettingError with one line. */
export function parseFlags<const T extends ParseArgsConfig>(config: T) {
  try {
    return parseArgs(config);
  } catch (cause) {
    throw new SettingError(`${(cause as Error).message.split('. ')[0]}. See --help.`, { cause });
  }
}
