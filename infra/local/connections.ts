// Limits of connections, because strangers may open many and send slowly.
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import ipaddr from 'ipaddr.js';

/** Limits that Node enforces, milliseconds: for all headers, and for a whole request. */
export const timeouts = { headersTimeout: 10_000, requestTimeout: 30_000, connectionsCheckingInterval: 2000 };

/** A connection is closed after this long without traffic, even before its response: forgetting may take minutes. */
const silentMs = 5 * 60_000;
/** The most connections of one address. A proxy in front needs far fewer, because it reuses them. */
const mostOfAddress = 1000;
/**
 * The most connections of all addresses: fewer than the files that a process may open, so that stores can still open
 * theirs.
 */
const most = 4000;

/**
 * Closes excess connections: the newest of an address that exceeds its limit, and if all together exceed theirs, the
 * oldest idle one of the address with the most, so that nobody can keep others out.
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

/** What counts as one address: for IPv6 its first half, because everybody has at least a /64 network. */
export function holderOf(address: string): string {
  if (!address.includes(':')) return address;
  const parsed = ipaddr.process(address);
  return parsed.kind() === 'ipv4' ? parsed.toString() : parsed.toByteArray().slice(0, 8).join('.');
}
