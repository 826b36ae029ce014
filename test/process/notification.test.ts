import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classifier } from '#core/registry/classify.ts';
import { openCheckpoints } from '#local/stores/checkpoints.ts';
import { openEvents } from '#local/stores/events.ts';
import { openSearch } from '#local/stores/search/search.ts';
import { processBatch } from '#process/process.ts';
import { readFixture } from '../support/captured.ts';
import { memoryObjects, open } from '../support/memory-stores.ts';

test("notifications put into the stream without collect become events; those that can't be understood are quarantined", async () => {
  const now = Date.parse('2024-10-28T00:00:00Z');
  const clock = () => now;
  const events = openEvents(':memory:', clock);
  const bodies = [
    ...readFixture('ecr.json').examples.map(({ body }: { body: object }) => body),
    { source: 'aws.ecr', 'detail-type': 'ECR Tea', detail: {} },
  ];
  let id = 0;
  const records = bodies.map((body, at) => ({
    sequenceNumber: String(at + 1),
    data: Buffer.from(`${JSON.stringify({ type: 'notification', body })}\n`),
    arrivedAt: now,
  }));
  const user = 'arn:aws:sts::111122223333:assumed-role/dev/alice';
  await processBatch('s', records, {
    ...{ events, search: openSearch(':memory:'), checkpoints: openCheckpoints(':memory:') },
    objects: memoryObjects(clock).through(open),
    ...{ locator: { locate: () => undefined }, classify: classifier(), pullWindowSeconds: 2, clock },
    newId: () => String(++id),
  });
  const [pull] = await events.pulls(user, 'acme/api', 0, now);
  assert.deepEqual([pull.tag, pull.class, pull.client], ['latest', 'ci', 'docker']);
  const { items } = await events.quarantined({ limit: 10 });
  assert.deepEqual(
    items.map(({ reason }) => reason),
    ['ecr: detail-type "ECR Tea" is unknown'],
  );
});
