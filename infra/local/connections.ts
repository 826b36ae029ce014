// What a connection may take: strangers open as many as they like, and send as slowly as they like.
import type { Server } from 'node:http';

/** Node's own limits of a server, milliseconds: all headers, and the whole of a request. */
export const timeouts = { headersTimeout: 10_000, requestTimeout: 30_000, connectionsCheckingInterval: 2000 };

/** Connections of one address, at most. A proxy in front needs far fewer: it reuses them. */
const mostOfAddress = 1000;
/** Connections of all addresses, at most: fewer than the files a process may open, so that the stores can always open theirs. */
const most = 4000;

/** Closes connections that are too many, the newest first. */
export function capConnections(server: Server, { ofAddress = mostOfAddress, all = most } = {}): void {
  const open = new Map<string, number>();
  server.maxConnections = all;
  server.on('connection', (socket) => {
    const address = socket.remoteAddress ?? '';
    const count = (open.get(address) ?? 0) + 1;
    if (count > ofAddress) {
      socket.destroy();
      return;
    }
    open.set(address, count);
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left === 0) open.delete(address);
      else open.set(address, left);
    });
  });
}
