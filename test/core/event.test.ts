import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseStoredEvent } from '#core/event.ts';
import { namesPerson } from '#core/registry/quarantine.ts';
import { storedEvent } from '../contracts/samples.ts';

const aside = (body: string, reason = 'the body is not JSON') => ({ id: '1', time: 0, reason, position: '1', body });

test('a quarantined entry that names a user is recognised however the sender spelled the name', () => {
  const rows: [string, string][] = [
    ['PlainQPerson', '{"actor": {"name": "PlainQPerson"}, "action": 5}'],
    ['PlainQPerson', 'PlainQPerson pulled lib/a'],
    ['PlainQPerson', '?account=PlainQPerson&service=x'],
    ['PlainQPerson', '{"message": "user PlainQPerson denied"'],
    ['PlainQPerson', '"denied\\nPlainQPerson'],
    ['Zoë', '{"actor": {"name": "Zo\\u00EB"'],
    ['Zoë', '?account=Zo%C3%AB&service=x'],
    ['R&D', '{"name": "R\\u0026D"'],
    ['R&D', '"{\\"name\\": \\"R\\\\u0026D\\"}"'],
    ['Ann Lee', 'account=Ann+Lee'],
    ['🐳 whale', '{"name": "\\ud83d\\udc33 whale"'],
    ['Zoë "Z"', '{"name": "Zoë \\"Z\\""}'],
    ['corp\\ann', '{"name": "corp\\\\ann"}'],
    ['a.b+c(d', 'user a.b+c(d denied'],
    ['bob@192.0.2.1', 'user bob@[address] denied'],
    ['PlainQPerson', '{"actor": {"name": "Plai'],
    ['Zoë the second', '{"actor": {"name": "Zo\\u00eb t\\u00'],
    ['an', 'an pulled lib/a'],
  ];
  for (const [user, body] of rows) assert.ok(namesPerson(aside(body), user), `${user}: ${body}`);
  assert.ok(namesPerson(aside('{', 'Unexpected token, "PlainQPerson pulled" is not valid JSON'), 'PlainQPerson'));
});

test('a word that merely contains a name, or a word of our own reasons, names nobody', () => {
  const rows: [string, string][] = [
    ['an', 'another man pulled an_image and can'],
    ['ann', '{"name": "annette"}'],
    ['é', 'café'],
    ['a.b', 'user aXb denied'],
    ['annette', 'cut here: an'],
    ['annette', 'cut here: Hann'],
    ['192.0.2.1', 'no JSON from [address]'],
    ['JSON', '{"n": 1'],
  ];
  for (const [user, body] of rows) assert.ok(!namesPerson(aside(body), user), `${user}: ${body}`);
});

test('an event stored before 0.2.0 keeps its address digests, which were called places then', () => {
  const { addressDigests, ...event } = storedEvent('1', 0, { addressDigests: ['p', 'q'] });
  assert.deepEqual(parseStoredEvent(JSON.stringify({ ...event, places: ['p', 'q'] })), { ...event, addressDigests });
  assert.deepEqual(parseStoredEvent(JSON.stringify({ ...event, addressDigests })), { ...event, addressDigests });
});
