// OpenSearch over HTTP: the few calls that search needs, signed for Amazon OpenSearch Service. The client library is two
// megabytes of generated calls, which a function would load at every cold start.
import { openSigner, type SignerOptions } from './signed.ts';

export interface OpenSearchOptions {
  /** `https://…` of the domain. */
  endpoint: string;
  /** AWS credentials to sign with; without them nothing is signed (a node without access control). */
  signer?: Pick<SignerOptions, 'region' | 'credentials'>;
  /** Milliseconds that one try may take: three of them must fit into the function's own time. */
  timeoutMs?: number;
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

const tries = 3;

export type Call = <T>(method: string, path: string, body?: unknown) => Promise<T>;

/** Returns parsed JSON; anything but 2xx throws OpenSearchError. Throttled, failed and unanswered calls are tried three times. */
export function openSearchCall({ endpoint, signer, timeoutMs = 30_000 }: OpenSearchOptions): Call {
  const { origin } = new URL(endpoint);
  const sign = signer && openSigner({ service: 'es', ...signer });

  const once = async (method: string, path: string, body: string | undefined) => {
    const url = new URL(path, origin);
    const plain: Record<string, string> = body === undefined ? {} : { 'content-type': contentType(path) };
    const headers = sign ? await sign(url, { method, headers: plain, body }) : plain;
    return fetch(url, { method, headers, body, signal: AbortSignal.timeout(timeoutMs) });
  };

  return async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    for (let attempt = 1; ; attempt++) {
      const answer = await once(method, path, text).catch((cause: Error) => cause);
      if (answer instanceof Error) {
        // A connection that broke, a name that did not resolve, no answer in time.
        if (attempt === tries)
          throw new OpenSearchError(0, 'no_answer', `${method} ${path.split('?')[0]}: no answer`, { cause: answer });
      } else {
        if (answer.ok) return (await answer.json()) as T;
        const { type, reason } = await readError(answer);
        const passing = answer.status === 429 || answer.status >= 502;
        if (!passing || attempt === tries)
          throw new OpenSearchError(answer.status, type, `${method} ${path.split('?')[0]}: ${answer.status} ${reason}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 100 * 4 ** (attempt - 1) * Math.random()));
    }
  };
}

const contentType = (path: string) => (path.includes('_bulk') ? 'application/x-ndjson' : 'application/json');

async function readError(answer: Response): Promise<{ type: string; reason: string }> {
  try {
    const { error } = (await answer.json()) as { error?: { type?: string; reason?: string } };
    return { type: error?.type ?? '', reason: error?.reason ?? '' };
  } catch {
    return { type: '', reason: '' };
  }
}
