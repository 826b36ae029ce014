// A portal's back end that tells Whalewatch of each sign-in itself:
//   WHALEWATCH_URL=http://127.0.0.1:8080 PORT=3000 node examples/portal/server.mjs
import { createServer } from 'node:http';

const hits = new URL('/v1/hits', process.env.WHALEWATCH_URL ?? 'http://127.0.0.1:8080');

createServer((request, response) => {
  response.end('signed in\n');
  if (request.url === '/login') hit(request.headers.host, 'login', request.socket.remoteAddress);
}).listen(Number(process.env.PORT ?? 3000), '127.0.0.1', function () {
  console.log(`portal http://127.0.0.1:${this.address().port}`);
});

/** The visitor does not wait for this, and does not fail when this fails. */
async function hit(domain, action, address) {
  try {
    const response = await fetch(hits, {
      method: 'POST',
      signal: AbortSignal.timeout(5000),
      // Whalewatch trusts this header only from the proxies in its setting trustedProxies, here loopback.
      headers: { 'Content-Type': 'application/json', 'X-Forwarded-For': address },
      // The id makes a repeated send harmless.
      body: JSON.stringify({ domain, action, id: crypto.randomUUID() }),
    });
    if (!response.ok) console.error(`Whalewatch responded ${response.status}: ${await response.text()}`);
  } catch (cause) {
    console.error('Whalewatch was not reached:', cause.message);
  }
}
