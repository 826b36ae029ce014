import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readWebhook } from '#collect/webhook.ts';
import type { RegistryLine, RejectedLine } from '#core/event.ts';

const now = Date.parse('2026-11-21T12:00:00Z');

/** The lines that a body becomes. */
function linesOf(body: string): (RegistryLine | RejectedLine)[] {
  return readWebhook(body, now).records.flatMap(({ data }) =>
    Buffer.from(data)
      .toString()
      .split('\n')
      .map((line) => JSON.parse(line)),
  );
}

const reasonOf = (body: string) => (linesOf(body)[0] as RejectedLine).reason;

test('why a body is no JSON is told by its place, never by its text', () => {
  assert.equal(reasonOf(''), 'the body is no JSON: it ends too soon');
  assert.equal(reasonOf('{"a": 1, "b" 2}'), 'the body is no JSON from letter 13 on');
  for (const body of [
    'alice',
    '{"name": alice}',
    '{"name": "alice" x}',
    '["alice',
    '{"alice": "\n"}',
    'alice\u0000'.repeat(99),
  ])
    assert.match(reasonOf(body), /^the body is no JSON(: it ends too soon| from letter \d+ on)?$/, body);
});
