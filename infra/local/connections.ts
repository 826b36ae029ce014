// What a connection may take: strangers open as many as they like, and send as slowly as they like.
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import ipaddr from 'ipaddr.js';

/** Node's own limits of a server, milliseconds: all headers, and the whole of a request. */
export const timeouts = { headersTimeout: 10_000, requestTimeout: 30_000, connectionsCheckingInterval: 2000 };

/** A response that is not read, or a connection over which nothing goes, for so long is closed. Forgetting may take minutes. */
const silentMs = 5 * 60_000;
/** Connections of one address, at most. A proxy in front needs far fewer: it reuses them. */
const mostOfAddress = 1000;
/** Connections of all addresses, at most: fewer than the files a process may open, so that the stores can always open theirs. */
const most = 4000;

/**
 * Closes connections that are too many: the newest of an address that has too many, and where all together are too many, the
 * oldest idle one of the address that has most, so that nobody keeps others out by holding all there are.
 */
export function capConnections(server: Server, { ofAddress = mostOfAddress, all = most } = {}): void {
  server.setTimeout(silentMs);
  const open = new Map<string, Set<Socket>>();
  const busy = new WeakSet<Socket>();
  let count = 0;
  server.on('connection', (socket) => {
    const name = holderOf(socket.remoteAddress ?? '');
    if ((open.get(name)?.size ?? 0) >= ofAddress) return socket.destroy();
    if (count >= all) {
      const crowd = [...open.values()].reduce((one, other) => (other.size > one.size ? other : one));
      if (crowd.size < 2) return socket.destroy();
      const oldestFirst = [...crowd];
      const given = oldestFirst.find((one) => !busy.has(one)) ?? oldestFirst[0];
      remove(holderOf(given.remoteAddress ?? ''), given);
      given.destroy();
    }
    const own = open.get(name) ?? new Set();
    open.set(name, own.add(socket));
    count++;
    socket.once('close', () => remove(name, socket));
  });
  server.on('request', ({ socket }, response) => {
    busy.add(socket);
    response.once('close', () => busy.delete(socket));
  });

  function remove(name: string, socket: Socket) {
    const own = open.get(name);
    if (!own?.delete(socket)) return;
    count--;
    if (own.size === 0) open.delete(name);
  }
}

/** Whose an address is: of IPv6 the first half, as everybody has at least as many addresses as the other half counts. */
export function holderOf(address: string): string {
  if (!address.includes(':')) return address;
  const parsed = ipaddr.process(address);
  return parsed.kind() === 'ipv4' ? parsed.toString() : parsed.toByteArray().slice(0, 8).join('.');
}
