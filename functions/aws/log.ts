// Writes JSON lines without personal data to CloudWatch Logs, and metrics in the embedded metric format, which needs no
// API call.
import { withoutAddresses } from '#core/addresses.ts';

/** Logs a failure with its causes; addresses in the texts are masked. */
export function report(cause: unknown): void {
  console.error(JSON.stringify({ level: 'error', ...describe(cause) }));
}

/** A failure as it is written in a log line. */
export function describe(cause: unknown): Record<string, unknown> {
  if (!(cause instanceof Error)) return { message: withoutAddresses(String(cause)) };
  return {
    name: cause.name,
    message: withoutAddresses(cause.message),
    stack: withoutAddresses(cause.stack ?? ''),
    ...(cause.cause === undefined ? {} : { cause: describe(cause.cause) }),
  };
}

export function info(message: string): void {
  console.log(JSON.stringify({ level: 'info', message }));
}

export type Count = (values: Record<string, number>) => void;

/** Emits metrics, without dimensions, in a deployment's own namespace. */
export function counter(Namespace: string, clock: () => number): Count {
  return (values) => {
    const Metrics = Object.keys(values).map((Name) => ({ Name }));
    const _aws = { Timestamp: clock(), CloudWatchMetrics: [{ Namespace, Dimensions: [[]], Metrics }] };
    console.log(JSON.stringify({ _aws, ...values }));
  };
}
