import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Card } from '#core/recommender/model-list.ts';

const entry = join(import.meta.dirname, '../../functions/train/task.ts');

/** Runs the task against servers for search and S3 that give this response to every call. */
async function run(status: number, type: string): Promise<{ code: number | null; output: string }> {
  const server = createServer((request, response) => {
    request.resume();
    const body = request.url?.includes('_search') ? JSON.stringify({ error: { type } }) : '<Error/>';
    response.writeHead(status).end(body);
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.on('listening', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const child = spawn(process.execPath, [entry], {
    env: {
      ...process.env,
      ...{
        BUCKET: 'data',
        SEARCH_ENDPOINT: url,
        SEARCH_SIGNED: 'false',
        SEED: '1',
        ALS: '{}',
        MODEL: 'auto',
        TRAIN_BUDGET: '5',
        METRICS: 'Test',
      },
      ...{ AWS_ENDPOINT_URL: url, AWS_REGION: 'eu-west-1', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' },
    },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output += chunk;
    });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  server.close();
  return { code, output };
}

test('without anything to learn from yet, the task succeeds and raises no alarm', async () => {
  const { code, output } = await run(404, 'index_not_found_exception');
  assert.equal(code, 0, output);
  assert.match(output, /"ModelRefused":0/);
  assert.match(output, /no pulls to learn from yet/);
});

test('the task fails with the reason when training fails', async () => {
  const { code, output } = await run(400, 'parsing_exception');
  assert.equal(code, 1, output);
  assert.match(output, /"level":"error".*_search.*400/);
});

test('a published model and a refused one are counted in metrics', async (t) => {
  Object.assign(process.env, {
    ...{
      BUCKET: 'data',
      SEARCH_ENDPOINT: 'http://127.0.0.1:9',
      SEARCH_SIGNED: 'false',
      SEED: '1',
      ALS: '{}',
      MODEL: 'auto',
      TRAIN_BUDGET: '5',
    },
    ...{ METRICS: 'Test', AWS_REGION: 'eu-west-1' },
  });
  const { countOutcome } = await import('#train/options.ts');
  const lines: string[] = [];
  t.mock.method(console, 'log', (line: string) => lines.push(line));
  const card = { id: 'm', images: 3 } as Card;
  assert.deepEqual(countOutcome(card), { id: 'm' });
  assert.deepEqual(countOutcome({ ...card, refused: 'worse' }), { id: 'm', refused: 'worse' });
  t.mock.restoreAll();
  const counted = lines.map((line) => JSON.parse(line)).map((one) => [one.ModelPublished, one.ModelRefused]);
  assert.deepEqual(counted, [
    [1, undefined],
    [undefined, 1],
  ]);
});
