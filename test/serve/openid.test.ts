import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { openOpenId } from '#serve/openid.ts';
import { IssuerDown } from '#serve/session.ts';

const rules = { userClaim: 'sub', roles: {} };

test('an issuer that is away, or is not an OpenID provider, is named with the reason', async (t) => {
  const server = createServer((_, response) => response.end('{}'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const issuer = `http://127.0.0.1:${port}`;
  const reasonOf = async () => {
    const opened = openOpenId({ issuer, clientId: 'whalewatch', scopes: ['openid'], rules });
    const cause: unknown = await opened.reach().then(
      () => undefined,
      (found) => found,
    );
    assert.ok(cause instanceof IssuerDown);
    return cause.message;
  };
  const begins = `the issuer ${issuer} does not respond as an OpenID provider: `;
  const odd = await reasonOf();
  assert.ok(odd.startsWith(begins) && odd.length > begins.length, odd);
  await new Promise((resolve) => server.close(resolve).closeAllConnections());
  t.after(() => server.close());
  assert.equal(await reasonOf(), `${begins}connect ECONNREFUSED 127.0.0.1:${port}`);
});
