import { StoreUnavailable } from '#core/stores.ts';

/** The fields of errors of the SDK and of Node's sockets. */
interface Failure extends Error {
  code?: string;
  $fault?: 'client' | 'server';
  $retryable?: object;
  $metadata?: { httpStatusCode?: number };
}

const throttled = /Throttl|TooManyRequests|ProvisionedThroughputExceeded|RequestLimitExceeded|SlowDown/;
const connection = /^(E(CONN|PIPE|HOST|NET|TIMEDOUT|AI_)|UND_)/;

/** Whether the same call may succeed later: the service failed, was overloaded or was not reached. */
function isPassing({ name, code = '', $fault, $retryable, $metadata }: Failure): boolean {
  const status = $metadata?.httpStatusCode ?? 0;
  if ($retryable !== undefined || $fault === 'server' || status >= 500 || status === 429) return true;
  return throttled.test(name) || name === 'TimeoutError' || connection.test(code);
}

interface Client {
  middlewareStack: {
    // biome-ignore lint/suspicious/noExplicitAny: each client has a union of inputs of its own here
    add(middleware: any, options: { step: 'initialize'; name: string; priority: 'high' }): void;
  };
}

/**
 * Wraps a client: a call that fails after the client's own retries because the service is unavailable rejects with
 * StoreUnavailable.
 */
export function withUnavailable<T extends Client>(client: T): T {
  const middleware = (next: (args: unknown) => Promise<unknown>) => async (args: unknown) => {
    try {
      return await next(args);
    } catch (cause) {
      if (!isPassing(cause as Failure)) throw cause;
      throw new StoreUnavailable(`${(cause as Error).name}: ${(cause as Error).message}`, { cause });
    }
  };
  client.middlewareStack.add(middleware, { step: 'initialize', name: 'unavailable', priority: 'high' });
  return client;
}
