// The types of settings' values. Each describes what it accepts, for errors ("must be …") and for docs/settings.md.
import { z } from 'zod';
import { addressRange } from '#core/address.ts';

declare module 'zod' {
  interface GlobalMeta {
    /** What a value must be: "an integer from 1 to 365". */
    takes?: string;
  }
}

export const kind = <Schema extends z.ZodType>(takes: string, make: (error: string) => Schema): Schema =>
  make(`must be ${takes}`).meta({ takes }) as Schema;

export const number = (least: number, most: number, unit = '') =>
  kind(`a number${unit} from ${least} to ${most}`, (error) =>
    z.number({ error }).refine((value) => value >= least && value <= most, { error }),
  );

export const integer = (least: number, most: number) =>
  kind(`an integer from ${least} to ${most}`, (error) =>
    z.number({ error }).refine((value) => Number.isInteger(value) && value >= least && value <= most, { error }),
  );

export const oneOf = <const Value extends string | number>(...values: Value[]) =>
  kind(values.length === 1 ? `"${values[0]}"` : `one of ${values.join(', ')}`, (error) => z.literal(values, { error }));

export const trueOrFalse = () => kind('true or false', (error) => z.boolean({ error }));

/** Text that matches a pattern; the empty text never does. */
export const text = (takes: string, pattern = /./s) =>
  kind(takes, (error) => z.string({ error }).regex(pattern, { error }));

/** A secret that the owner chooses: a short one can be guessed, and a header takes neither spaces nor accents. */
export const ownSecret = () => text('4 or more characters, without spaces and accents', /^[\x21-\x7e]{4,}$/);

export const httpUrl = () =>
  kind('a URL: http://HOST:PORT or https://HOST/PATH', (error) =>
    z.string({ error }).refine((value) => /^https?:\/\/[^/]/.test(value) && URL.canParse(value), { error }),
  );

export const hostName = () =>
  text('a host name without https:// and path', /^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$/);

export const proxy = () =>
  kind('an IP address, a CIDR range or "loopback"', (error) =>
    z.string({ error }).refine((value) => value === 'loopback' || addressRange(value) !== undefined, { error }),
  );

export const listOf = <Item extends z.ZodType>(item: Item, example: string) =>
  kind(`a list such as ${example}`, (error) => z.array(item, { error }));

/** An object of these fields and no others. */
export const object = <Shape extends z.core.$ZodLooseShape>(shape: Shape, example: string) =>
  kind(`an object such as ${example}`, (error) =>
    z.strictObject(shape, { error: (issue) => (issue.code === 'invalid_type' ? error : undefined) }),
  );

/** Checks a list of named things: `message` is about the second of two with the same name. */
export const noNameTwice =
  (message: string) =>
  ({ value, issues }: z.core.ParsePayload<{ name: string }[]>): void => {
    for (const [at, { name }] of value.entries())
      if (value.findIndex((other) => other.name === name) < at)
        issues.push({ code: 'custom', path: [at, 'name'], input: name, message });
  };
