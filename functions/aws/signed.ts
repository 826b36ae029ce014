// Signature Version 4 for plain HTTP calls, for services whose SDK client would make the cold start too slow.
import { createHash, createHmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';

type Init = ConstructorParameters<typeof SignatureV4>[0];

export interface SignerOptions {
  /** `es`, `s3`, … */
  service: string;
  region: Init['region'];
  credentials: Init['credentials'];
  /** Milliseconds since the epoch; default: the machine's clock. */
  clock?: () => number;
}

interface Unsigned {
  method: string;
  headers?: Record<string, string>;
  body?: string;
}

/** Returns a request's headers with those that sign it, without `host`, which every client sets itself. */
export type Signer = (url: URL, request: Unsigned) => Promise<Record<string, string>>;

/** The service s3 signs the path as it is sent; all others sign it URL-encoded once more. */
export function openSigner({ service, region, credentials, clock }: SignerOptions): Signer {
  const uriEscapePath = service !== 's3';
  const signature = new SignatureV4({ service, region, credentials, sha256: Sha256, uriEscapePath });
  return async ({ protocol, hostname, host, pathname, searchParams }, request) => {
    const query = Object.fromEntries(searchParams);
    const { headers } = await signature.sign(
      { ...request, protocol, hostname, path: pathname, query, headers: { ...request.headers, host } },
      clock && { signingDate: new Date(clock()) },
    );
    const { host: _, ...signed } = headers;
    return signed;
  };
}

/** SHA-256 with the interface that SignatureV4 needs. */
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
