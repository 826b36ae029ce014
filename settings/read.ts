// Reads settings from a file, a command line or the environment, and adds their defaults.

import { z } from 'zod';
import { quoted } from '#core/quoted.ts';
import { SettingError } from './error.ts';
import { awsSchema, flagSchemas, local, type ResolvedSettings, type Settings, schema, shared } from './schema.ts';

/** A source of settings. A later source overrides an earlier one, setting by setting. */
export interface Layer {
  values: object;
  /** The setting's name in errors of this source, such as `--keep-days`. Default: its name. */
  label?(name: string): string;
  /** Appended to errors of this source: the name of the file. */
  from?: string;
}

/** Settings of a deployment, with their defaults. Throws SettingError. */
export const resolve = (settings: Settings): ResolvedSettings => resolveLayers([{ values: settings }], awsSchema);

/** Settings of several sources, with their defaults. Throws SettingError that names every wrong setting. */
export function resolveLayers(layers: Layer[], by: typeof schema = schema): ResolvedSettings {
  const values: Record<string, unknown> = {};
  const origin: Record<string, Layer> = {};
  for (const layer of layers)
    for (const [name, value] of Object.entries(layer.values))
      if (value !== undefined) {
        values[name] = value;
        origin[name] = layer;
      }
  const { data, error } = by.safeParse(values);
  if (error) throw new SettingError(errorLines(error.issues, values, origin).join('\n'), { cause: error });
  return data;
}

const kebab = (name: string) => name.replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`);
export const variableOf = (name: string) => `WHALEWATCH_${kebab(name).replaceAll('-', '_').toUpperCase()}`;

const localNames = Object.entries<z.ZodType>({ ...local, ...shared });

/** Flags of the local run, without `--`: one for each setting that it uses, except secrets. */
export const flags = localNames
  .filter(([, of]) => !of.meta()?.secret)
  .map(([name, of]) => {
    const { placeholder = 'VALUE', description = '' } = of.meta() ?? {};
    const type = bare(of) instanceof z.ZodBoolean ? ('boolean' as const) : ('string' as const);
    const usage = `--${kebab(name)}${type === 'boolean' ? '' : ` ${placeholder}`}`;
    return { name, flag: kebab(name), type, usage, description };
  });

/** Secrets of the local run: read only from these variables or the file. */
export const secrets = localNames
  .filter(([, of]) => of.meta()?.secret)
  .map(([name, of]) => ({ variable: variableOf(name), description: of.meta()?.description ?? '' }));

/** Settings from flags, by their names without `--`. Throws SettingError. */
export const flagLayer = (given: Record<string, string | boolean | undefined>): Layer =>
  textLayer(
    (name) => given[kebab(name)],
    (name) => `--${kebab(name)}`,
  );

/** Settings from the environment; an empty variable counts as not set. Throws SettingError. */
export const variableLayer = (environment: Record<string, string | undefined>): Layer =>
  textLayer((name) => environment[variableOf(name)] || undefined, variableOf);

/** Settings from CDK's context. CDK's own names contain @, : or /; all others must be settings. */
export const contextLayer = (context: Record<string, unknown>): Layer => ({
  values: Object.fromEntries(
    Object.entries(context)
      .filter(([name]) => /^\w+$/.test(name))
      .map(([name, value]) => [
        name,
        typeof value === 'string' ? fromText(schema.shape[name as keyof Settings] ?? z.string(), value) : value,
      ]),
  ),
  label: (name) => `-c ${name}`,
});

function textLayer(textOf: (name: string) => string | boolean | undefined, label: (name: string) => string): Layer {
  const values: Record<string, unknown> = {};
  for (const [name, of] of localNames) {
    const text = textOf(name);
    if (text === undefined) continue;
    const own = flagSchemas[name as keyof Settings];
    const value = typeof text === 'boolean' ? text : fromText(own ?? of, text);
    const read = own?.safeParse(value);
    if (read?.error) throw new SettingError(`${label(name)} is ${shown(value)}: ${read.error.issues[0].message}`);
    values[name] = read ? read.data : value;
  }
  return { values, label };
}

function errorLines(issues: z.core.$ZodIssue[], values: unknown, origin: Record<string, Layer>): string[] {
  return issues.flatMap((issue) => {
    if (issue.code === 'invalid_union') {
      // The branch of a union whose shape fits, if only one value in it is wrong; none if a field decides the branch.
      const branch = issue.errors.find((errors) => errors.every(({ path }) => path.length > 0));
      if (branch) return errorLines(within(issue.path, branch), values, origin);
    }
    if (issue.code === 'unrecognized_keys') {
      const at = schemaAt(issue.path);
      if (at instanceof z.ZodUnion) {
        // The keys belong to another branch: the error says what that branch lacks.
        const other = at.options.find((branch) => issue.keys.every((key) => key in shapeOf(branch)));
        const found = (other as z.ZodType | undefined)?.safeParse(valueAt(values, issue.path)).error;
        if (found) return errorLines(within(issue.path, found.issues), values, origin);
      }
      const known = Object.keys(shapeOf(at));
      return issue.keys.map((key) => line([...issue.path, key], 'is not a setting', hint(key, known), origin));
    }
    const { path } = issue;
    const value = valueAt(values, path);
    const secret = schema.shape[path[0] as keyof Settings]?.meta()?.secret;
    const is = value === undefined ? 'is missing' : secret ? 'is wrong' : `is ${shown(value)}`;
    return [line(path, is, issue.message, origin)];
  });
}

const within = (path: PropertyKey[], issues: z.core.$ZodIssue[]) =>
  issues.map((issue) => ({ ...issue, path: [...path, ...issue.path] }));

function line(path: PropertyKey[], is: string, must: string, origin: Record<string, Layer>): string {
  const [name, ...rest] = path.map(String);
  const { label, from } = origin[name] ?? {};
  return `${[label?.(name) ?? name, ...rest].join('.')} ${is}: ${must}${from ? ` (${from})` : ''}`;
}

const shown = (value: unknown): string => quoted(value, 100);

function valueAt(values: unknown, path: PropertyKey[]): unknown {
  return path.reduce((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], values);
}

const shapeOf = (of: z.core.$ZodType): Record<string, z.ZodType> => (of instanceof z.ZodObject ? of.shape : {});

/** The schema at a path; `never` if that is not a field of an object. */
const schemaAt = (path: PropertyKey[]): z.core.$ZodType =>
  path.reduce((at: z.core.$ZodType, key) => bare(shapeOf(at)[String(key)] ?? z.never()), schema);

const hint = (name: string, known: string[]): string => {
  const [nearest] = known
    .map((other) => ({ other, edits: edits(name.toLowerCase(), other.toLowerCase()) }))
    .sort((a, b) => a.edits - b.edits);
  return nearest && nearest.edits <= Math.max(1, name.length / 3)
    ? `did you mean ${nearest.other}?`
    : known.length > 0 && known.length < 10
      ? `there are ${known.join(', ')}`
      : 'docs/settings.md lists them';
};

/** Levenshtein's distance. */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, n) => n);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length];
}

/** The inner schema, without default, optional, transform and the like. */
export function bare(of: z.core.$ZodType): z.core.$ZodType {
  const { innerType, in: input } = of._zod.def as { innerType?: z.core.$ZodType; in?: z.core.$ZodType };
  const inner = innerType ?? input;
  return inner ? bare(inner) : of;
}

/**
 * The value of a text from a flag, a variable or CDK's context: a number, true or false, a text, JSON, `a,b` for a
 * list, `name=value,…` for an object. Any other text is returned unchanged, for the schema to refuse.
 */
function fromText(of: z.core.$ZodType, text: string): unknown {
  const plain = bare(of);
  // Written as JSON where a text is expected: -c trainer='"spark"'.
  if (/^".*"$/s.test(text)) return parsed(text) ?? text;
  const asNumber = text.trim() === '' || Number.isNaN(Number(text)) ? text : Number(text);
  if (plain instanceof z.ZodString) return text;
  if (plain instanceof z.ZodNumber) return asNumber;
  if (plain instanceof z.ZodLiteral) return plain.values.has(asNumber) ? asNumber : text;
  if (plain instanceof z.ZodBoolean) return text === 'true' || (text === 'false' ? false : text);
  const json = parsed(text);
  if (typeof json === 'object') return json;
  if (plain instanceof z.ZodArray) return text.split(',').map((part) => fromText(plain.element, part.trim()));
  if (plain instanceof z.ZodObject) return fields(plain, text);
  return text;
}

/** Reads `name=value,…`; returns any other text unchanged. */
function fields({ shape }: z.ZodObject, text: string): unknown {
  const pairs = text.split(',').map((part) => /^\s*(\w+)\s*=\s*(\S+)\s*$/.exec(part));
  if (!pairs.every((pair) => pair !== null)) return text;
  const names = pairs.map(([, name]) => name);
  if (new Set(names).size < names.length) return text;
  return Object.fromEntries(
    pairs.map(([, name, value]) => [name, name in shape ? fromText(shape[name], value) : value]),
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
