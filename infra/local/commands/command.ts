// What all commands on a data folder share: --data, --help, and how they end.
import type { ParseArgsConfig, parseArgs } from 'node:util';
import { parseFlags } from '../settings.ts';

const shared = { data: { type: 'string' }, help: { type: 'boolean', short: 'h' } } as const;

type Options = NonNullable<ParseArgsConfig['options']>;
type Values<O extends Options> = ReturnType<typeof parseArgs<{ options: O }>>['values'];

/** Runs a command with its own flags, --data and --help, and ends the process. `work` returns what to print. */
export async function runCommand<const O extends Options>(
  help: string,
  options: O,
  work: (values: Values<O> & { data: string }, positionals: string[]) => Promise<string | undefined>,
): Promise<never> {
  return ending(async () => {
    const parsed = parseFlags({ options: { ...options, ...shared }, allowPositionals: true });
    const values = parsed.values as Values<O> & { data?: string; help?: boolean };
    if (values.help) return help;
    return work({ ...values, data: values.data || process.env.WHALEWATCH_DATA || '.data' }, parsed.positionals);
  });
}

/**
 * Prints what `work` returns, and ends the process: with its exit code, or with 1 and one line for an error that a user
 * can fix. A bug prints its stack.
 */
export async function ending(work: () => Promise<string | undefined>): Promise<never> {
  try {
    const text = await work();
    if (text !== undefined) console.log(text);
    process.exit();
  } catch (cause) {
    const isBug = [TypeError, RangeError, ReferenceError].some((kind) => cause instanceof kind);
    console.error(cause instanceof Error && !isBug ? cause.message : cause);
    process.exit(1);
  }
}
