import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readBody } from '#http/body.ts';

const limit = 100;
const chunked = (parts: number[]) =>
  new ReadableStream({
    start(controller) {
      for (const length of parts) controller.enqueue(new Uint8Array(length).fill(120));
      controller.close();
    },
  });

for (const [what, body, length, expected] of [
  ['no body', null, undefined, { length: 0, tooLong: false }],
  ['no body but a length', null, '7', { length: 0, tooLong: false }],
  ['a body of the limit', chunked([40, 60]), '100', { length: 100, tooLong: false }],
  ['a body without a length', chunked([40, 60]), undefined, { length: 100, tooLong: false }],
  ['a body that is too long', chunked([40, 61]), '101', { length: 40, tooLong: true }],
  ['a body that is too long, without a Content-Length', chunked([40, 61]), undefined, { length: 40, tooLong: true }],
  ['a body longer than its Content-Length', chunked([60, 60]), '5', { length: 100, tooLong: true }],
  ['a length that is not a number', chunked([40]), 'many', { length: 40, tooLong: false }],
] as const)
  test(`${what} is read up to the limit`, async () => {
    const headers = new Headers(length === undefined ? {} : { 'Content-Length': length });
    const request = new Request('http://a.example', { method: 'POST', body, headers, duplex: 'half' } as RequestInit);
    const { bytes, tooLong } = await readBody(request, limit);
    assert.deepEqual({ length: bytes.length, tooLong }, expected);
  });
