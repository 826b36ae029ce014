// One JSON line an event in CloudWatch Logs, no personal data; metrics in the embedded format, which need no call.
import { withoutAddresses } from '#core/registry.ts';

/** Logs a failure with its causes; addresses in the texts are masked. */
export function report(cause: unknown): void {
  console.error(JSON.stringify({ level: 'error', ...describe(cause) }));
}

function describe(cause: unknown): Record<string, unknown> {
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

export const namespace = 'Whalewatch';

/** Counts in the namespace `Whalewatch`, one metric a name, without dimensions. */
export function count(values: Record<string, number>, time: number): void {
  const Metrics = Object.keys(values).map((Name) => ({ Name, Unit: 'Count' }));
  const _aws = { Timestamp: time, CloudWatchMetrics: [{ Namespace: namespace, Dimensions: [[]], Metrics }] };
  console.log(JSON.stringify({ _aws, ...values }));
}
