// The contract of the credential store: one suite for the embedded and the DynamoDB one (stores.test.ts, aws/stores.test.ts).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Credential, CredentialStore } from '#core/stores.ts';

const start = Date.UTC(2026, 10, 28);

const session = (digest: string, more: Partial<Credential> = {}): Credential => ({
  ...{ kind: 'session', digest, name: 'ann', user: 'ann', claims: { groups: ['dev'] }, createdAt: start },
  ...more,
});

export function credentialContract(name: string, make: (clock: () => number) => Promise<CredentialStore>): void {
  test(`${name}: a credential is found only by its kind and digest`, async () => {
    const store = await make(() => start);
    const put = session('d1', { expiresAt: start + 1000 });
    await store.put(put);
    assert.deepEqual(await store.find('session', 'd1'), put);
    assert.equal(await store.find('token', 'd1'), undefined);
    assert.equal(await store.find('session', 'd2'), undefined);
  });

  test(`${name}: find and list return a credential until the moment it expires`, async () => {
    let now = start;
    const store = await make(() => now);
    await store.put(session('d1', { expiresAt: start + 1000 }));
    await store.put(session('d2', { createdAt: start - 1 }));
    now = start + 999;
    assert.ok(await store.find('session', 'd1'));
    assert.deepEqual(
      (await store.list('session')).map(({ digest }) => digest),
      ['d2', 'd1'],
    );
    now = start + 1000;
    assert.equal(await store.find('session', 'd1'), undefined);
    assert.deepEqual(
      (await store.list('session')).map(({ digest }) => digest),
      ['d2'],
    );
  });

  test(`${name}: the time of the last use only grows, and noting it does not bring back a removed credential`, async () => {
    const store = await make(() => start);
    await store.put({ kind: 'token', digest: 'd1', name: 'ci', role: 'team', createdAt: start });
    assert.equal((await store.find('token', 'd1'))?.usedAt, undefined);
    await store.used('token', 'd1', start + 5);
    await store.used('token', 'd1', start + 3);
    assert.equal((await store.find('token', 'd1'))?.usedAt, start + 5);
    await store.remove('token', 'd1');
    await store.used('token', 'd1', start + 9);
    assert.equal(await store.find('token', 'd1'), undefined);
    assert.deepEqual(await store.list('token'), []);
  });

  test(`${name}: removing returns whether the credential existed`, async () => {
    const store = await make(() => start);
    await store.put(session('d1'));
    assert.equal(await store.remove('token', 'd1'), false);
    assert.equal(await store.remove('session', 'd1'), true);
    assert.equal(await store.remove('session', 'd1'), false);
    assert.equal(await store.find('session', 'd1'), undefined);
  });

  test(`${name}: forgetting a user removes every kind of credential that acts for them, and nothing else`, async () => {
    const store = await make(() => start);
    await store.put(session('d1'));
    await store.put(session('d2'));
    await store.put({ kind: 'token', digest: 'd3', name: 'script', role: 'user', user: 'ann', createdAt: start });
    await store.put(session('d4', { name: 'bob', user: 'bob' }));
    await store.put({ kind: 'registry', digest: 'd5', name: 'ann', createdAt: start });
    assert.equal(await store.forget('ann'), 3);
    assert.deepEqual(
      (await store.list('session')).map(({ digest }) => digest),
      ['d4'],
    );
    assert.deepEqual(await store.list('token'), []);
    assert.equal((await store.list('registry')).length, 1);
  });
}
