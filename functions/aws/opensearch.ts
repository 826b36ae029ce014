// OpenSearch over HTTP: the few calls that search needs, signed for Amazon OpenSearch Service. The client library is two
// megabytes of generated calls, which a function would load at every cold start.
import { createHash, createHmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';

export interface OpenSearchOptions {
  /** `https://…` of the domain. */
  endpoint: string;
  /** AWS credentials to sign with; without them nothing is signed (a node without access control). */
  signer?: Pick<ConstructorParameters<typeof SignatureV4>[0], 'region' | 'credentials'>;
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

/** Answers parsed JSON; anything but 2xx throws OpenSearchError. Throttled and failed calls are tried three times. */
export function openSearchCall({ endpoint, signer }: OpenSearchOptions): Call {
  const { hostname, host, origin, protocol } = new URL(endpoint);
  const signature =
    signer &&
    new SignatureV4({ service: 'es', region: signer.region, credentials: signer.credentials, sha256: Sha256 });

  const once = async (method: string, path: string, body: string | undefined) => {
    const { pathname, searchParams } = new URL(path, origin);
    const request = {
      method,
      protocol,
      hostname,
      path: pathname,
      query: Object.fromEntries(searchParams),
      headers: { host, ...(body === undefined ? {} : { 'content-type': contentType(path) }) },
      body,
    };
    const signed = signature ? await signature.sign(request) : request;
    const { host: _, ...headers } = signed.headers;
    return fetch(new URL(path, origin), { method, headers, body, signal: AbortSignal.timeout(60_000) });
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

/** SHA-256 in the shape SignatureV4 asks for. */
class Sha256 {
  #hash;
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as string);
  }
  update(data: string | Uint8Array) {
    this.#hash.update(data);
  }
  async digest() {
    return Uint8Array.from(this.#hash.digest());
  }
  reset() {}
}
