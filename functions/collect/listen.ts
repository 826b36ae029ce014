// collect as a separate server, for thousands of requests a second.
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { type ServerType, serve } from '@hono/node-server';
import type { StreamWriter } from '#core/stores.ts';
import { type CollectOptions, collectApp } from './app.ts';
import { coalesce } from './coalesce.ts';

export interface ListenOptions extends Omit<CollectOptions, 'peer'> {
  port: number;
  /** Milliseconds that the first request of a batch waits for others. */
  gatherMs?: number;
}

export interface Listening {
  port: number;
  /**
   * Accepts no more connections, responds to the requests already accepted, and resolves when everything is in the
   * stream or refused.
   */
  stop(): Promise<void>;
}

/**
 * The load balancer keeps idle connections for 60 s: if the server closed one first, a request in transit would be
 * lost.
 */
const keepAliveMs = 75_000;
/** Fargate kills a server that still runs 30 s after the signal to stop. */
const patienceMs = 20_000;

export async function listen({ port, gatherMs = 5, ...options }: ListenOptions): Promise<Listening> {
  const { newKey } = options;
  const gathered = (stream: StreamWriter) => coalesce(stream, { gather: () => wait(gatherMs), newKey });
  const [stream, hits] = [gathered(options.stream), gathered(options.hits)];
  let stopping = false;

  const app = collectApp({
    ...options,
    stream,
    hits,
    newKey: hits.anyKey,
    peer: (_request, env) => (env as { incoming: IncomingMessage }).incoming.socket.remoteAddress ?? '',
  });
  // The load balancer's health check, which never comes through its listener.
  app.get('/ready', (c) => c.text(stopping ? 'stopping' : 'ready', stopping ? 503 : 200));

  const server = await new Promise<ServerType>((resolve, reject) => {
    const opening = serve({
      async fetch(request, env) {
        const response = await app.fetch(request, env);
        if (stopping) response.headers.set('Connection', 'close');
        return response;
      },
      port,
      serverOptions: { keepAliveTimeout: keepAliveMs, requestTimeout: 30_000 },
    });
    opening.once('error', reject).once('listening', () => resolve(opening));
  });

  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      stopping = true;
      const closed = new Promise((resolve) => server.close(resolve));
      const late = setTimeout(() => 'closeAllConnections' in server && server.closeAllConnections(), patienceMs);
      await closed;
      clearTimeout(late);
      await Promise.all([stream.drained(), hits.drained()]);
    },
  };
}
