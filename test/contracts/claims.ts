// The contract of the claim store: what every stage relies on, whichever way it is made. `make` gives a test an empty one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AlertFeed, ClaimStore } from '#core/stores.ts';

export function claimContract(name: string, make: () => Promise<ClaimStore & Pick<AlertFeed, 'forget'>>): void {
  test(`${name}: a key is claimed by the first, for good, and the first may ask again`, async () => {
    const claims = await make();
    assert.equal(await claims.claim('k', 'a'), 'a');
    assert.equal(await claims.claim('k', 'b'), 'a');
    assert.equal(await claims.claim('k', 'a'), 'a');
    assert.equal(await claims.claim('["Zoë","k"]', 'b'), 'b');
  });

  test(`${name}: of many that claim a key at once, one has it`, async () => {
    const claims = await make();
    const names = Array.from({ length: 20 }, (_, index) => `claimant ${index}`);
    const holders = new Set(await Promise.all(names.map((by) => claims.claim('k', by))));
    assert.equal(holders.size, 1);
    assert.ok(names.includes([...holders][0]));
  });

  test(`${name}: parts of a sum count once each, whoever sets them`, async () => {
    const claims = await make();
    assert.equal(await claims.tally('k', 'shard-0:0', 5), 5);
    assert.equal(await claims.tally('k', 'shard-1:0', 2), 7);
    assert.equal(await claims.tally('k', 'shard-0:0', 5), 7);
    assert.equal(await claims.tally('other', 'shard-0:0', 1), 1);
    assert.equal(await claims.claim('k', 'a'), 'a');
  });

  test(`${name}: a claim that names a person is theirs, and free again when they are forgotten`, async () => {
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
