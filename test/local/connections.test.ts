// Which connections are closed when there are too many.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { capConnections, holderOf } from '#local/connections.ts';
import { eventually } from '../support/run.ts';

async function world(t: TestContext, caps: { ofAddress: number; all: number }) {
  const held: (() => void)[] = [];
  const server = createServer((request, response) => {
    if (request.url === '/hold') held.push(() => response.end('held'));
    else response.end('ok');
  });
  capConnections(server, caps);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.closeAllConnections();
    server.close();
  });
  const open = async (localAddress: string) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress });
    sockets.push(socket);
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
    return socket;
  };
  /** Sends a request over a connection; returns undefined if it was closed. */
  const ask = (socket: Socket, path = '/') =>
    new Promise<string | undefined>((resolve) => {
      if (socket.destroyed) return resolve(undefined);
      socket.once('data', (chunk) => resolve(String(chunk)));
      socket.once('close', () => resolve(undefined));
      socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    });
  return { open, ask, held };
}

test("the connection beyond an address's limit is closed, and all others go on", async (t) => {
  const { open, ask } = await world(t, { ofAddress: 3, all: 100 });
  const own = [await open('127.0.0.2'), await open('127.0.0.2'), await open('127.0.0.2')];
  assert.equal(await ask(await open('127.0.0.2')), undefined);
  for (const socket of own) assert.match((await ask(socket)) ?? '', /200 OK/);
  assert.match((await ask(await open('127.0.0.3'))) ?? '', /200 OK/);
  own[0].destroy();
  await eventually(
    5,
    async () => ask(await open('127.0.0.2')),
    (answer) => answer !== undefined,
  );
});

test('beyond the total limit, the address with the most connections loses its oldest idle one, and the newcomer is served', async (t) => {
  const { open, ask, held } = await world(t, { ofAddress: 100, all: 6 });
  const crowd: Socket[] = [];
  for (let n = 0; n < 4; n++) crowd.push(await open('127.0.0.2'));
  const others = [await open('127.0.0.3'), await open('127.0.0.3')];
  const held0 = ask(crowd[0], '/hold');
  await eventually(
    5,
    async () => held.length,
    (count) => count === 1,
  );
  // A connection with a request in progress is not idle: the next oldest is closed.
  assert.match((await ask(await open('127.0.0.4'))) ?? '', /200 OK/);
  await eventually(5, async () => crowd[1].destroyed, Boolean);
  assert.deepEqual(
    crowd.map(({ destroyed }) => destroyed),
    [false, true, false, false],
  );
  held[0]();
  assert.match((await held0) ?? '', /held/);
  // It is idle again, and so it is the oldest.
  assert.match((await ask(await open('127.0.0.5'))) ?? '', /200 OK/);
  await eventually(5, async () => crowd[0].destroyed, Boolean);
  for (const socket of others) assert.match((await ask(socket)) ?? '', /200 OK/);
});

test('if every address has one connection, a newcomer is refused', async (t) => {
  const { open, ask } = await world(t, { ofAddress: 100, all: 3 });
  const own = [await open('127.0.0.2'), await open('127.0.0.3'), await open('127.0.0.4')];
  assert.equal(await ask(await open('127.0.0.5')), undefined);
  for (const socket of own) assert.match((await ask(socket)) ?? '', /200 OK/);
});

test('an IPv6 address counts by its /64 network, and an IPv4 address by itself, in any notation', () => {
  assert.equal(holderOf('192.0.2.7'), '192.0.2.7');
  assert.equal(holderOf('::ffff:192.0.2.7'), '192.0.2.7');
  assert.equal(holderOf('2001:db8:1:2:3:4:5:6'), holderOf('2001:db8:1:2:ffff::1'));
  assert.notEqual(holderOf('2001:db8:1:2::1'), holderOf('2001:db8:1:3::1'));
  assert.equal(holderOf('fe80::1%eth0'), holderOf('fe80::2%eth0'));
});
