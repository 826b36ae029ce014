// Who somebody is, by the claims of the issuer: the only way to a role.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Claims, callerOf, claimsFor, mapFor, type RoleRules, roles } from '#core/access.ts';

const rules: RoleRules = {
  userClaim: 'preferred_username',
  roles: { team: { groups: ['dev'], 'realm_access.roles': ['dev'] }, owner: { groups: ['ops'] } },
};

test('only claims that the rules name are kept, those with a text, wherever the issuer puts them', () => {
  const kept = (given: Record<string, unknown>, by: RoleRules = rules) => claimsFor(by, given);
  assert.deepEqual(kept({ preferred_username: 'ann', groups: ['dev', 'ops'], phone: '1' }), {
    ...{ preferred_username: ['ann'], groups: ['dev', 'ops'] },
  });
  for (const nothing of ['', [], [''], [7], 7, null, true, { 0: 'ops' }, [['ops']]])
    assert.deepEqual(kept({ groups: nothing, preferred_username: nothing }), {}, JSON.stringify(nothing));
  assert.deepEqual(kept({ groups: ['', 'dev', 7, 'ops'] }), { groups: ['dev', 'ops'] });
  assert.deepEqual(kept({ realm_access: { roles: ['dev'] } }), { 'realm_access.roles': ['dev'] });
  // A claim of that very name comes first.
  assert.deepEqual(kept({ realm_access: { roles: ['a'] }, 'realm_access.roles': 'b' }), {
    'realm_access.roles': ['b'],
  });
  for (const realm_access of [null, 'roles', [], { roles: null }, Object.create({ roles: ['dev'] })])
    assert.deepEqual(kept({ realm_access }), {});
  const byEmail = { userClaim: 'email', roles: {} };
  for (const [email_verified, found] of [
    [false, {}],
    [true, { email: ['ann@id.example'] }],
    [undefined, { email: ['ann@id.example'] }],
  ] as const)
    assert.deepEqual(kept({ email: 'ann@id.example', email_verified }, byEmail), found);
});

test('the greatest role that a claim gives, by its whole value', () => {
  const roleOf = (claims: Claims, by = rules) => callerOf(claims, by).role;
  assert.equal(roleOf({}), 'user');
  assert.equal(roleOf({ groups: ['dev'] }), 'team');
  assert.equal(roleOf({ 'realm_access.roles': ['dev'] }), 'team');
  assert.equal(roleOf({ groups: ['dev', 'ops'] }), 'owner');
  for (const groups of [['op'], ['ops '], ['OPS'], ['dev,ops'], ['owner'], ['*'], ['']])
    assert.equal(roleOf({ groups }), 'user', groups[0]);
  // The same value in another claim gives no role, not even in the user name.
  assert.equal(roleOf({ preferred_username: ['ops'], 'realm_access.roles': ['ops'] }), 'user');
  const closed = { ...rules, roles: { ...rules.roles, user: { groups: ['staff'] } } };
  assert.equal(roleOf({}, closed), 'public');
  assert.equal(roleOf({ groups: ['staff'] }, closed), 'user');
  assert.equal(roleOf({ groups: ['ops'] }, closed), 'owner');
});

test("a user's name is the claim's only value, whole or the part that the pattern matches", () => {
  const userOf = (names: string[] | undefined, userPattern?: string) =>
    callerOf({ ...(names && { preferred_username: names }) }, { ...rules, userPattern }).user;
  assert.equal(userOf(['ann']), 'ann');
  assert.equal(userOf(['ann\nbob']), 'ann\nbob');
  for (const names of [undefined, [], ['ann', 'bob'], ['ann', 'ann']]) assert.equal(userOf(names), undefined);
  const local = '([^@]+)@id\\.example';
  assert.equal(userOf(['ann@id.example'], local), 'ann');
  for (const name of ['ann@id.example.evil', 'x ann@id.example@id.example', 'ann@idxexample', 'ann', '@id.example'])
    assert.equal(userOf([name], local), undefined, name);
  // Of alternatives each is held against the whole.
  assert.equal(userOf(['annex'], 'ann|bob'), undefined);
  assert.equal(userOf(['bob'], 'ann|bob'), 'bob');
});

test('what each role sees of the map', () => {
  const rows = { names: 'names names names names', anonymous: 'anonymous anonymous names names' };
  for (const [publicMap, seen] of Object.entries(rows))
    assert.equal(roles.map((role) => mapFor(role, publicMap as 'names' | 'anonymous')).join(' '), seen);
  assert.deepEqual(
    roles.map((role) => mapFor(role, false)),
    [false, 'anonymous', 'names', 'names'],
  );
});
