// The contract of the claim store: what every stage relies on in each implementation. `make` returns an empty store for
// a test.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AlertFeed, ClaimStore } from '#core/stores.ts';

export function claimContract(name: string, make: () => Promise<ClaimStore & Pick<AlertFeed, 'forget'>>): void {
  test(`${name}: the first to claim a key keeps it, and may claim it again`, async () => {
    const claims = await make();
    assert.equal(await claims.claim('k', 'a'), 'a');
    assert.equal(await claims.claim('k', 'b'), 'a');
    assert.equal(await claims.claim('k', 'a'), 'a');
    assert.equal(await claims.claim('["Zoë","k"]', 'b'), 'b');
  });

  test(`${name}: of many concurrent claims of a key, one wins`, async () => {
    const claims = await make();
    const names = Array.from({ length: 20 }, (_, index) => `claimant ${index}`);
    const holders = new Set(await Promise.all(names.map((by) => claims.claim('k', by))));
    assert.equal(holders.size, 1);
    assert.ok(names.includes([...holders][0]));
  });

  test(`${name}: each part of a sum counts once, whoever sets it`, async () => {
    const claims = await make();
    assert.equal(await claims.tally('k', 'shard-0:0', 5), 5);
    assert.equal(await claims.tally('k', 'shard-1:0', 2), 7);
    assert.equal(await claims.tally('k', 'shard-0:0', 5), 7);
    assert.equal(await claims.tally('other', 'shard-0:0', 1), 1);
    assert.equal(await claims.claim('k', 'a'), 'a');
  });

  test(`${name}: a claim that names a user is free again when the user is forgotten`, async () => {
    const claims = await make();
    const people = ['ann', 'annette', 'zoë "z"', 'x'.repeat(255), '🐳'.repeat(255)];
    const key = (rule: string, person: string) => JSON.stringify([rule, `person ${person}`]);
    for (const person of people) {
      assert.equal(await claims.claim(key('first', person), 'a', person), 'a');
      assert.equal(await claims.claim(key('first', person), 'b', person), 'a');
      assert.equal(await claims.claim(key('second', person), 'c', person), 'c');
    }
    assert.equal(await claims.claim('ann', 'd'), 'd');
    assert.equal(await claims.forget('ann'), 2);
    assert.equal(await claims.forget('nobody'), 0);
    assert.equal(await claims.claim(key('first', 'ann'), 'e', 'ann'), 'e');
    assert.equal(await claims.claim(key('second', 'annette'), 'e', 'annette'), 'c');
    assert.equal(await claims.claim('ann', 'e'), 'd');
  });
}
