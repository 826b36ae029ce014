import assert from 'node:assert/strict';
import { test } from 'node:test';
import { senders } from '#collect/senders.ts';
import { digestOf } from '#http/bearer.ts';
import { openCredentials } from '#local/stores/credentials.ts';
import { addToken } from '#serve/registry-tokens.ts';

const minute = 60_000;
const start = 1000 * minute;

test('a token identifies its registry; its last use is noted once a minute; a registry that is not in the settings is only named', async () => {
  let now = start;
  const store = openCredentials(':memory:', () => now);
  const [east, gone] = [await addToken(store, 'east', now), await addToken(store, 'gone', now)];
  const uses: number[] = [];
  const credentials = {
    ...store,
    used: async (kind: 'registry', digest: string, at: number) => {
      uses.push(at);
      await store.used(kind, digest, at);
    },
  };
  const senderOf = senders({
    ...{ token: async () => 'first', registries: [{ name: 'east', hosts: ['e.example'] }], clock: () => now },
    credentials: credentials as never,
  });
  assert.deepEqual(await senderOf('first'), { name: 'default', registry: { name: 'default' } });
  assert.equal(await senderOf(''), undefined);
  assert.equal(await senderOf('wrong'), undefined);
  assert.deepEqual(await senderOf(gone.token), { name: 'gone', registry: undefined });
  assert.equal(await senderOf(digestOf(east.token)), undefined, 'a stored digest does not work as a token');
  for (const [after, noted] of [
    [0, 1],
    [minute - 1, 1],
    [minute, 2],
    [minute + 1, 2],
  ]) {
    now = start + after;
    assert.deepEqual((await senderOf(east.token))?.registry, { name: 'east', hosts: ['e.example'] });
    assert.equal(uses.length, noted, String(after));
  }
});
