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
import { readWebhook, rejected, tokenOf } from './webhook.ts';

export interface CollectOptions {
  /** What registries report. */
  stream: StreamWriter;
  /** Hits: a stream of their own, so that a flood of them neither fills nor delays the registries'. */
  hits: StreamWriter;
  /** The token of the default registry, read for each request so that a rotated one counts at once. */
  token: () => Promise<string>;
  /** The tokens that registries were given since, and registries with names. */
  senders?: Omit<SenderOptions, 'token' | 'clock'>;
  /** Where posts that did not count are counted. */
  refusals?: Pick<RefusalStore, 'add'>;
  /** Address of the connection a request came over. */
  peer: (request: Request, env: unknown) => string;
  /** Proxies whose forwarded addresses are believed: addresses, ranges, `loopback`. */
  trustedProxies: string[];
  /** The header they are in: X-Forwarded-For, Forwarded (RFC 7239), or one that names the client alone. */
  addressHeader: string;
  networks: Networks;
  /** The owner's domains, `*` for any characters: hits of others are ignored. None: all are counted. */
  domains?: string[];
  /** No hit is taken. */
  refuseHits?: boolean;
  clock: () => number;
  newKey: () => string;
  report: (cause: unknown) => void;
}

const webhookBytes = 4 * 1024 * 1024;
const hitsBytes = 1024 * 1024;

/**
 * The two ways in. Everything that arrives becomes stream records; beside the stream only the store of tokens is asked.
 */
export function collectApp(options: CollectOptions): Hono {
  const app = new Hono();
  answerErrors(app, options.report);
  addCollectRoutes(app, options);
  return app;
}

/**
 * The routes of collectApp in an app that handles errors (answerErrors). No middleware goes before them: that a response is made
 * once is half of what a server can take.
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
      // A registry keeps what it could not deliver.
      const message = 'The stream takes nothing just now. Keep the event and send it again.';
      throw new ApiError(503, 'stream_refused', message, { retryAfterSeconds: 2 });
    }
  };

  app.post('/v1/registry-events', async (c) => {
    const header = (name: string) => c.req.header(name);
    const given = tokenOf(header);
    const sender = given === undefined ? undefined : await senderOf(given);
    if (!sender) {
      await refusals.count(given === undefined ? 'no-token' : 'wrong-token');
      throw new ApiError(401, 'unauthorized', 'Send the webhook token as "Authorization: Bearer TOKEN".');
    }
    const { bytes, tooLong } = await readBody(c.req.raw, webhookBytes);
    const text = bytes.toString('utf8');
    const { records, refused, ...counts } = tooLong
      ? rejected(text, `the body is longer than ${webhookBytes} bytes`, clock(), 'too-large', sender)
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

  // Any page may send hits; who may read their sums is not decided here.
  // What the beacon needs and no more: a page of another site can't name an address by a header.
  const preflight = cors({ origin: '*', allowMethods: ['POST'], allowHeaders: ['Content-Type'], maxAge: 86_400 });
  app.use('/v1/hits', (c, next) => (c.req.method === 'OPTIONS' ? preflight(c, next) : next()));

  const read = (bytes: Buffer, address: string): { data: Uint8Array[]; taken: number; ignored: number } => {
    const now = clock();
    const plain = readPlainHits(bytes, address, now, domains.length === 0 ? undefined : isOwn);
    if (plain) return { ...plain, data: plain.data ? [plain.data] : [] };
    const { lines, ignored } = readHits(bytes.toString('utf8'), address, now, isOwn);
    return { data: packLines(lines), taken: lines.length, ignored };
  };

  const takeHits = async (c: Context) => {
    // Not an error: a beacon would keep its hits and send them again.
    if (refuseHits) return { accepted: 0, reason: 'hits are switched off here' };
    const { bytes, tooLong } = await readBody(c.req.raw, hitsBytes);
    if (tooLong)
      throw new ApiError(413, 'too_large', `The body is longer than ${hitsBytes} bytes: send fewer hits at once.`);
    const given = c.req.header(addressHeader);
    const forwarded = addressHeader === 'forwarded' && given !== undefined ? forwardedFor(given) : given;
    const address = clientAddress(peer(c.req.raw, c.env), forwarded, isProxy);
    const { taken, ignored, data } = read(bytes, address);
    // Pages send Origin, back ends don't: a crawler that runs the beacon is so distinguished from curl and its like.
    if (c.req.header('origin') !== undefined && isbot(c.req.header('user-agent')))
      return { accepted: 0, ignored: taken + ignored, reason: 'the user agent is a bot' };
    // Many hits to a record: Kinesis bills and limits by the record, and process reads lines faster than records.
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

const anyOrigin = 'Access-Control-Allow-Origin';
const acceptedHeaders = { 'Content-Type': 'application/json', [anyOrigin]: '*' };

/** c.json would make a Headers of more than one header. */
const accepted = (counts: object): Response =>
  new Response(JSON.stringify(counts), { status: 202, headers: acceptedHeaders });
