// Reading a sender's text takes time in proportion to its length: with a regular expression that backtracks, one of
// these texts would take minutes or hours, and the test would time out.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readHits } from '#collect/hits.ts';
import { readWebhook, tokenOf } from '#collect/webhook.ts';
import { withoutAddresses } from '#core/addresses.ts';
import { domainMatcher } from '#core/hits/domain.ts';
import { clientOf } from '#core/registry/classify.ts';
import { clientAddress, forwardedFor, proxyMatcher } from '#http/address.ts';

/** Texts that our patterns look for, repeated, each with endings that make the match fail. */
const seeds = [
  ...['x', '-', '.', 'a.', '1', '1.', '1.1.1.1', '1-1-1-', ':', '::', 'f:f', '0x1.', '12345678', '%31', '%25', '%'],
  ...[
    '\\',
    '\\\\u',
    '\\u0031',
    '\\x',
    '\\xe2\\x80',
    '%e2%80',
    '&#49;',
    '&#',
    '１',
    '٣',
    'é',
    '"',
    '=',
    'for=',
    ',',
    ';',
    ' ',
    '[',
    '(',
    'bot ',
    '1_',
    'a-',
    'f.',
  ],
];
const tails = ['', '!', 'x', '1', '.'];
const texts = (length: number) =>
  seeds.flatMap((seed) => tails.map((tail) => `${seed.repeat(length / seed.length)}${tail}`));
const kib = 1024;

test('hits: a field of many KiB takes linear time, whatever is in it', { timeout: 60_000 }, () => {
  for (const text of texts(64 * kib))
    for (const name of ['domain', 'action', 'id', 'path'])
      assert.throws(
        () => readHits(JSON.stringify({ domain: 'a.example', [name]: text }), '', 0),
        /characters|host name/,
      );
});

test('registry events: a field of many KiB takes linear time, whatever is in it', { timeout: 120_000 }, () => {
  const target = { repository: 'team/app', mediaType: 'manifest' };
  const event = { id: 'e', timestamp: '2026-11-28T12:00:00Z', action: 'pull', target, request: {} };
  for (const text of texts(24 * kib)) {
    const changes = [
      { id: text },
      { target: { ...target, repository: text } },
      { actor: { name: text } },
      { request: { useragent: text, addr: text } },
    ];
    for (const change of changes) {
      const { accepted, quarantined } = readWebhook(JSON.stringify({ events: [{ ...event, ...change }] }), 0);
      assert.equal(accepted + quarantined, 1);
    }
  }
});

test('masked texts and headers take linear time, whatever is in them', { timeout: 60_000 }, () => {
  const isProxy = proxyMatcher(['loopback']);
  for (const text of texts(32 * kib)) for (const strict of [true, false]) assert.ok(withoutAddresses(text, { strict }));
  for (const text of texts(16 * kib)) {
    clientAddress('127.0.0.1', text, isProxy);
    forwardedFor(text);
    clientOf(text);
    for (const scheme of ['Bearer', 'Basic'])
      tokenOf((name) => (name === 'authorization' ? `${scheme} ${text}` : text));
  }
});

test("an owner's pattern of any stars takes linear time, whatever name a stranger chooses", { timeout: 60_000 }, () => {
  const matches = domainMatcher('*a*a*a*a*a*a*a*a*a*a*b');
  for (const text of texts(16 * kib)) matches(text);
  assert.equal(matches('a'.repeat(64 * kib)), false);
  assert.equal(matches(`${'a'.repeat(64 * kib)}b`), true);
});
