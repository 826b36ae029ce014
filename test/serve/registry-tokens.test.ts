import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openCredentials } from '#local/stores/credentials.ts';
import { addToken, endToken, rotateToken, TokenRefused, tokenId, tokensOf } from '#serve/registry-tokens.ts';

const minute = 60_000;
const start = 1000 * minute;

test('a registry has at most two tokens, and a third is refused with their ids; each registry has its own', async () => {
  const store = openCredentials(':memory:', () => start);
  const [one, two] = [await addToken(store, 'east', start), await addToken(store, 'east', start + 1)];
  assert.match(one.token, /^wr_[\w-]{43}$/);
  await assert.rejects(addToken(store, 'east', start + 2), (cause: Error) => {
    assert.ok(cause instanceof TokenRefused);
    for (const { credential } of [one, two]) assert.ok(cause.message.includes(tokenId(credential)));
    return true;
  });
  await addToken(store, 'west', start);
  assert.deepEqual(
    (await tokensOf(store, 'east')).map(tokenId),
    [one, two].map(({ credential }) => tokenId(credential)),
  );
  assert.equal(
    await endToken(store, 'west', tokenId(one.credential)),
    undefined,
    "another registry's token can't be ended",
  );
  assert.equal(await endToken(store, 'east', 'none'), undefined);
  assert.deepEqual(await endToken(store, 'east', tokenId(one.credential)), one.credential);
  assert.equal((await tokensOf(store, 'east')).length, 1);
});

test('the older token can be ended only after the newer one was used; uses are recorded by the minute', async () => {
  const rows: [older: number | undefined, newer: number | undefined, rotates: boolean][] = [
    [undefined, undefined, false],
    [start, undefined, false],
    [undefined, start, true],
    [start + 10 * minute, start + 9 * minute, true],
    [start + 10 * minute, start + 9 * minute - 1, false],
    [start, start + 1, true],
  ];
  for (const [olderUsed, newerUsed, rotates] of rows) {
    const store = openCredentials(':memory:', () => start);
    const older = (await rotateToken(store, 'east', start)).credential;
    const newer = (await rotateToken(store, 'east', start + 1)).credential;
    if (olderUsed) await store.used('registry', older.digest, olderUsed);
    if (newerUsed) await store.used('registry', newer.digest, newerUsed);
    if (rotates) {
      const { credential } = await rotateToken(store, 'east', start + 2);
      assert.deepEqual((await tokensOf(store, 'east')).map(tokenId), [tokenId(newer), tokenId(credential)]);
    } else await assert.rejects(rotateToken(store, 'east', start + 2), /still sends its token/);
  }
});
