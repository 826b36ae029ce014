import { type Context, Hono } from 'hono';
import { cors } from 'hono/cors';
import { isbot } from 'isbot';
import { isPrivateAddress } from '#core/address.ts';
import { packLines } from '#core/bytes/pack.ts';
import { type Networks, networkFinder } from '#core/networks.ts';
import { type RefusalStore, type StreamRecord, StreamRefused, type StreamWriter } from '#core/stores.ts';
import { clientAddress, forwardedFor, proxyMatcher } from '#http/address.ts';
import { readBody } from '#http/body.ts';
import { ApiError, answerErrors } from '#http/errors.ts';
import { domainFilter } from './bounds.ts';
import { readHits } from './hits.ts';
import { readPlainHits } from './plain-hits.ts';
import { refusalCounter } from './refusals.ts';
import { type SenderOptions, senders } from './senders.ts';
import { type Header, readWebhook, rejected, tokenOf } from './webhook.ts';

export interface CollectOptions {
  /** The stream of registry events. */
  stream: StreamWriter;
  /** Hits have their own stream, so that a flood of them neither fills nor delays that of the registries. */
  hits: StreamWriter;
  /** The token of the default registry, read for each request so that a rotated token is valid at once. */
  token: () => Promise<string>;
  /** The named registries, and the tokens that were made for registries later. */
  senders?: Omit<SenderOptions, 'token' | 'clock'>;
  /** Counts refused posts. */
  refusals?: Pick<RefusalStore, 'add'>;
  /** Address of the connection a request came over. */
  peer: (request: Request, env: unknown) => string;
  /** Proxies whose forwarded addresses are trusted: addresses, ranges or `loopback`. */
  trustedProxies: string[];
  /**
   * The header with the forwarded addresses: X-Forwarded-For, Forwarded (RFC 7239), or one that contains only the
   * client's.
   */
  addressHeader: string;
  networks: Networks;
  /**
   * The owner's domains, with `*` for any characters: hits of others are ignored. If empty, all domains are counted.
   */
  domains?: string[];
  /** Refuse all hits. */
  refuseHits?: boolean;
  clock: () => number;
  newKey: () => string;
  report: (cause: unknown) => void;
}

const webhookBytes = 4 * 1024 * 1024;
const hitsBytes = 1024 * 1024;

/**
 * The endpoints for registry events and hits. Everything that arrives becomes stream records; the only store that is
 * read is that of tokens.
 */
export function collectApp(options: CollectOptions): Hono {
  const app = new Hono();
  answerErrors(app, options.report);
  addCollectRoutes(app, options);
  return app;
}

/**
 * The routes of collectApp in an app that handles errors (answerErrors). No middleware runs before them: building each
 * response only once doubles what a server can take.
 */
export function addCollectRoutes(app: Hono, options: CollectOptions): void {
  const { stream, hits, token, peer, clock, newKey, report, refuseHits = false, domains = [] } = options;
  const isOwn = domainFilter(domains);
  const isProxy = proxyMatcher(options.trustedProxies);
  const senderOf = senders({ ...options.senders, token, clock });
  const refusals = refusalCounter(options.refusals, clock, report);
  const addressHeader = options.addressHeader.toLowerCase();
  const networkOf = networkFinder(options.networks);

  const put = async (stream: StreamWriter, records: StreamRecord[]) => {
    try {
      if (records.length > 0) await stream.put(records);
    } catch (cause) {
      if (!(cause instanceof StreamRefused)) throw cause;
      // The registry keeps the event and sends it again.
      const message = 'The stream accepts nothing at the moment. Keep the event and send it again.';
      throw new ApiError(503, 'stream_refused', message, { retryAfterSeconds: 2 });
    }
  };

  app.post('/v1/registry-events', async (c) => {
    const header = (name: string) => c.req.header(name);
    const given = tokenOf(header);
    const found = given === undefined ? undefined : await senderOf(given);
    const sender = found?.registry;
    if (found && !sender) {
      await refusals.count('unset-registry', found.name);
      const message = `The token belongs to the registry "${found.name}", which the setting registries does not name.`;
      throw new ApiError(401, 'unauthorized', message);
    }
    if (!sender) {
      await refusals.count(given === undefined ? 'no-token' : 'wrong-token');
      throw new ApiError(401, 'unauthorized', 'Send the webhook token as "Authorization: Bearer TOKEN".');
    }
    const { bytes, tooLong } = await readBody(c.req.raw, webhookBytes);
    const text = utf8.decode(bytes);
    const { records, refused, ...counts } = tooLong
      ? rejected(text, `the body is longer than ${webhookBytes} bytes`, clock(), 'too-large', sender)
      : isEncoded(header)
        ? rejected(text, 'the body is compressed: it must be sent as it is', clock(), 'not-json', sender)
        : readWebhook(text, clock(), header, sender);
    try {
      await put(stream, records);
    } catch (cause) {
      await refusals.count('stream-refused', sender.name);
      throw cause;
    }
    await refusals.count(refused, sender.name);
    return c.json(counts, 202);
  });

  app.post('/v1/hits', async (c) => {
    try {
      return accepted(await takeHits(c));
    } catch (cause) {
      c.header(anyOrigin, '*');
      throw cause;
    }
  });

  // Any page may send hits; who may read their sums is decided in serve. These CORS headers allow only what the beacon
  // needs: a page of another site can't set a header with an address.
  const preflight = cors({ origin: '*', allowMethods: ['POST'], allowHeaders: ['Content-Type'], maxAge: 86_400 });
  app.use('/v1/hits', (c, next) => (c.req.method === 'OPTIONS' ? preflight(c, next) : next()));

  const read = (bytes: Buffer, address: string): { data: Uint8Array[]; taken: number; ignored: number } => {
    const now = clock();
    const plain = readPlainHits(bytes, address, now, domains.length === 0 ? undefined : isOwn);
    if (plain) return { ...plain, data: plain.data ? [plain.data] : [] };
    const { lines, ignored } = readHits(utf8.decode(bytes), address, now, isOwn);
    return { data: packLines(lines), taken: lines.length, ignored };
  };

  const takeHits = async (c: Context) => {
    // Not an error: a beacon would keep its hits and send them again.
    if (refuseHits) return { accepted: 0, reason: 'hits are switched off here' };
    if (isEncoded((name) => c.req.header(name)))
      throw new ApiError(415, 'unsupported_media_type', 'The body is compressed: send it as it is.');
    const { bytes, tooLong } = await readBody(c.req.raw, hitsBytes);
    if (tooLong)
      throw new ApiError(413, 'too_large', `The body is longer than ${hitsBytes} bytes: send fewer hits at once.`);
    const given = c.req.header(addressHeader);
    const forwarded = addressHeader === 'forwarded' && given !== undefined ? forwardedFor(given) : given;
    const address = clientAddress(peer(c.req.raw, c.env), forwarded, isProxy);
    const { taken, ignored, data } = read(bytes, address);
    // Browsers send Origin, back ends don't: so a crawler that runs the beacon is refused, but not a back end that uses
    // curl.
    if (c.req.header('origin') !== undefined && isbot(c.req.header('user-agent')))
      return { accepted: 0, ignored: taken + ignored, reason: 'the user agent is a bot' };
    // Many hits share a record: Kinesis bills and limits by the record, and process reads lines faster than records.
    await put(
      hits,
      data.map((data) => ({ key: newKey(), data })),
    );
    if (ignored > 0) return { accepted: taken, ignored, reason: 'hits of other domains are not counted here' };
    if (isPrivateAddress(address) && !networkOf(address))
      return { accepted: taken, location: 'private address: no location' };
    return { accepted: taken };
  };
}

/** Without the byte order mark that some clients send. */
const utf8 = new TextDecoder();

const isEncoded = (header: Header): boolean => !['identity', ''].includes(header('content-encoding') ?? '');

const anyOrigin = 'Access-Control-Allow-Origin';
const acceptedHeaders = { 'Content-Type': 'application/json', [anyOrigin]: '*' };

/** Faster than c.json, which would build a Headers object because there is more than one header. */
const accepted = (counts: object): Response =>
  new Response(JSON.stringify(counts), { status: 202, headers: acceptedHeaders });
