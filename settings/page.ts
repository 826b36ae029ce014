// npm run build:settings: writes docs/settings.md from the schema; a test keeps them equal.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { z } from 'zod';
import { bare, variableOf } from './read.ts';
import { aws, local, localDefaults, type Settings, schema, shared } from './schema.ts';

export function page(): string {
  return `# Settings

Written from \`settings/schema.ts\` by \`npm run build:settings\`; change them there.

One file, \`whalewatch.config.ts\`, typed; what it leaves out has its default, so that \`{}\` deploys:

    import type { Settings } from './settings/schema.ts';
    export default { keepDays: 14 } satisfies Settings;

- **On AWS** \`npm run deploy\` reads the file; \`npm run deploy -- -c keepDays=14\` overrides one setting.
- **On one machine** \`npm start -- --config whalewatch.config.ts\` reads the same file (or one of JSON); flags such as
  \`--keep-days 14\` win over variables such as \`WHALEWATCH_KEEP_DAYS=14\`, and both over the file.

A wrong or unknown setting stops the start with one line each: \`--port is "abc": must be an integer from 0 to 65535\`.
On a command line a list is \`a,b\` or JSON, an object \`name=value,name=value\` or JSON.

## Both wirings

${table(shared)}

## AWS

${table(aws)}

## One machine

${table(local)}
`;
}

function table(group: Record<string, z.ZodType>): string {
  const rows = Object.entries(group).map(([name, one]) => {
    const { secret, description } = one.meta() ?? {};
    const here = name in localDefaults ? `; one machine: ${shown(localDefaults[name as keyof Settings])}` : '';
    const only = secret ? ` \`${variableOf(name)}\` or the file, never a flag.` : '';
    return `| \`${name}\` | ${takes(one)} | ${shown(defaultOf(name))}${here} | ${description}${only} |`;
  });
  return ['| setting | value | default | |', '| --- | --- | --- | --- |', ...rows].join('\n');
}

const resolved: Record<string, unknown> = schema.parse({});
const defaultOf = (name: string) => resolved[name];

const takes = (of: z.core.$ZodType): string =>
  (bare(of) as z.ZodType).meta()?.takes ?? (of as z.ZodType).meta()?.takes ?? '';

const shown = (value: unknown) => (value === undefined ? 'none' : `\`${JSON.stringify(value)}\``);

if (import.meta.main) writeFileSync(join(import.meta.dirname, '../docs/settings.md'), page());
