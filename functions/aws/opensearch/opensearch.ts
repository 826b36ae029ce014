// OpenSearch over HTTP: the few calls that search needs, signed for Amazon OpenSearch Service. The official client has
// two megabytes of generated calls, which a function would load at every cold start.
import { StoreUnavailable } from '#core/stores.ts';
import type { Signer } from '../signed.ts';
import { openCircuit } from './circuit.ts';

export interface OpenSearchOptions {
  /** `https://…` of the domain. */
  endpoint: string;
  /** Signs each call; omitted for a node without access control. */
  sign?: Signer;
  /** Milliseconds that one attempt may take: it must fit into the function's timeout. */
  timeoutMs?: number;
  /** Milliseconds, of a clock that never goes back. */
  monotonic?: () => number;
}

export class OpenSearchError extends Error {
  override name = 'OpenSearchError';
  readonly status: number;
  /** `index_not_found_exception`, … */
  readonly type: string;
  constructor(status: number, type: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
    this.type = type;
  }
}

/** The domain did not respond, was overloaded, or accepts no writes because its disk is full or it is read-only. */
export class OpenSearchUnavailable extends StoreUnavailable {
  override name = 'OpenSearchUnavailable';
}

/** Whether the same call may succeed later. */
export const isPassing = (status: number, type = ''): boolean =>
  status === 429 || status >= 502 || type === 'cluster_block_exception';

const tries = 3;

export type Call = <T>(method: string, path: string, body?: unknown) => Promise<T>;

/**
 * Returns parsed JSON. A broken connection, a 429 and a 5xx are tried three times; a call that times out is not
 * repeated, because it may be what keeps the domain busy. Throws OpenSearchUnavailable if a later call may succeed,
 * otherwise OpenSearchError.
 */
export function openSearchCall({ endpoint, sign, timeoutMs = 30_000, monotonic }: OpenSearchOptions): Call {
  const { origin } = new URL(endpoint);
  const circuit = openCircuit(monotonic);

  const once = async (method: string, path: string, body: string | undefined) => {
    const url = new URL(path, origin);
    const plain: Record<string, string> = body === undefined ? {} : { 'content-type': contentType(path) };
    const headers = sign ? await sign(url, { method, headers: plain, body }) : plain;
    return fetch(url, { method, headers, body, signal: AbortSignal.timeout(timeoutMs) });
  };

  return async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const what = `${method} ${path.split('?')[0]}`;
    if (!circuit.lets()) throw new OpenSearchUnavailable(`${what}: not tried, because the calls before it failed`);
    for (let attempt = 1; ; attempt++) {
      const response = await once(method, path, text).catch((cause: Error) => cause);
      if (!(response instanceof Error)) {
        if (response.ok) {
          circuit.succeeded();
          return (await response.json()) as T;
        }
        const { type, reason } = await readError(response);
        const error = new OpenSearchError(response.status, type, `${what}: ${response.status} ${reason}`);
        const responds = response.status !== 429 && response.status < 502;
        if (responds) circuit.succeeded();
        if (!isPassing(response.status, type)) throw error;
        if (attempt === tries || responds) {
          if (!responds) circuit.failed();
          throw new OpenSearchUnavailable(error.message, { cause: error });
        }
      } else if (attempt === tries || response.name === 'TimeoutError') {
        circuit.failed();
        throw new OpenSearchUnavailable(`${what}: no response`, { cause: response });
      }
      await pause(attempt);
    }
  };
}

/** Full jitter, 100 ms growing fourfold. */
export const pause = (attempt: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, 100 * 4 ** (attempt - 1) * Math.random()));

const contentType = (path: string) => (path.includes('_bulk') ? 'application/x-ndjson' : 'application/json');

async function readError(response: Response): Promise<{ type: string; reason: string }> {
  try {
    const { error } = (await response.json()) as { error?: { type?: string; reason?: string } };
    return { type: error?.type ?? '', reason: error?.reason ?? '' };
  } catch {
    return { type: '', reason: '' };
  }
}
