// Finds out who is at the other end of a loopback connection. It may be a reverse proxy with the whole world behind it,
// without any sign: nginx's default proxy_pass sends nothing that a local browser would not send.
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import ipaddr from 'ipaddr.js';
import { isLoopback } from '#core/address.ts';

/** Undefined if it is this machine's own user, directly. Otherwise why it is not, as the end of a sentence. */
export async function notLocalUser(incoming: IncomingMessage): Promise<string | undefined> {
  const { socket, headers, httpVersion } = incoming;
  if (!isLoopback(socket.remoteAddress)) return 'comes from another machine';
  const forwarded = Object.keys(headers).find((name) => proxyHeader.test(name));
  if (forwarded) return `came through a proxy (it has the header ${forwarded})`;
  // nginx's default before 1.29.7; browsers and tools use newer versions.
  if (httpVersion === '1.0') return 'came through a proxy (it speaks HTTP/1.0)';
  const users = [process.getuid?.(), 0, Number(process.env.SUDO_UID ?? Number.NaN)];
  const uid = await userOf(socket);
  return uid === undefined || users.includes(uid)
    ? undefined
    : `comes from another user of this machine, which may be a proxy (its uid is ${uid})`;
}

const proxyHeader =
  /^(forwarded|via|cdn-loop|x-real-ip|(.+-)?client-?ip|(x-(forwarded|original|envoy|azure)|cf|tailscale).*)$/;

const known = new WeakMap<Socket, Promise<number | undefined>>();

/**
 * The user who owns the other end; undefined if the system doesn't say (only Linux does). Looked up once per
 * connection.
 */
function userOf(socket: Socket): Promise<number | undefined> {
  const user = known.get(socket) ?? lookUp(socket);
  known.set(socket, user);
  return user;
}

async function lookUp({ localAddress = '', localPort, remoteAddress = '', remotePort }: Socket) {
  const tables = await Promise.all(
    ['tcp', 'tcp6'].map((name) => readFile(`/proc/net/${name}`, 'latin1').catch(() => '')),
  );
  return connectionUser(tables.join('\n'), [localAddress, localPort ?? 0], [remoteAddress, remotePort ?? 0]);
}

type End = [address: string, port: number];

/** An id that no user has. */
const nobodysId = -1;

/**
 * The user of a connection's remote end, from lines of /proc/net/tcp and tcp6; undefined if the lines don't have this
 * connection. A closing end no longer has a user.
 */
function connectionUser(tables: string, local: End, remote: End): number | undefined {
  const [here, there] = [written(local), written(remote)];
  let listed = false;
  for (const line of tables.split('\n')) {
    const [, from, to, state, , , , uid] = line.trim().split(/\s+/);
    if (there.includes(from) && here.includes(to)) return state === '01' ? Number(uid) : nobodysId;
    listed ||= here.includes(from) && there.includes(to);
  }
  return listed ? nobodysId : undefined;
}

/** Returns an address as the kernel writes it, for IPv4 also IPv6-mapped: 32-bit words, little-endian. */
function written([address, port]: End): string[] {
  const parsed = ipaddr.process(address);
  const forms = parsed.kind() === 'ipv4' ? [parsed, (parsed as ipaddr.IPv4).toIPv4MappedAddress()] : [parsed];
  const hex = (bytes: number[]) => bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return forms.map((form) => {
    const bytes = form.toByteArray();
    const words = Array.from({ length: bytes.length / 4 }, (_, word) => bytes.slice(4 * word, 4 * word + 4).reverse());
    return `${hex(words.flat())}:${hex([port >> 8, port & 255])}`.toUpperCase();
  });
}
