// OpenSearch over HTTP: the few calls that search needs, signed for Amazon OpenSearch Service. The client library is two
// megabytes of generated calls, which a function would load at every cold start.
import { openSigner, type SignerOptions } from './signed.ts';

export interface OpenSearchOptions {
  /** `https://…` of the domain. */
  endpoint: string;
  /** AWS credentials to sign with; without them nothing is signed (a node without access control). */
  signer?: Pick<SignerOptions, 'region' | 'credentials'>;
}

export class OpenSearchError extends Error {
  override name = 'OpenSearchError';
  readonly status: number;
  /** `index_not_found_exception`, … */
  readonly type: string;
  constructor(status: number, type: string, message: string) {
    super(message);
    this.status = status;
    this.type = type;
  }
}

export type Call = <T>(method: string, path: string, body?: unknown) => Promise<T>;

/** Returns parsed JSON; throws OpenSearchError on anything but 2xx. Throttled and failed calls are tried three times. */
export function openSearchCall({ endpoint, signer }: OpenSearchOptions): Call {
  const { origin } = new URL(endpoint);
  const sign = signer && openSigner({ service: 'es', ...signer });

  const once = async (method: string, path: string, body: string | undefined) => {
    const url = new URL(path, origin);
    const plain: Record<string, string> = body === undefined ? {} : { 'content-type': contentType(path) };
    const headers = sign ? await sign(url, { method, headers: plain, body }) : plain;
    return fetch(url, { method, headers, body, signal: AbortSignal.timeout(60_000) });
  };

  return async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    for (let attempt = 1; ; attempt++) {
      const answer = await once(method, path, text);
      if (answer.ok) return (await answer.json()) as T;
      const { type, reason } = await readError(answer);
      const passing = answer.status === 429 || answer.status >= 502;
      if (!passing || attempt === 3)
        throw new OpenSearchError(answer.status, type, `${method} ${path.split('?')[0]}: ${answer.status} ${reason}`);
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
