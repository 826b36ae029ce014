import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Card, latestKey } from '#core/recommender/model-list.ts';
import type { EventStore } from '#core/stores.ts';
import { healthRoutes } from '#serve/health.ts';
import { modelSource } from '#serve/recommender/models.ts';
import { memoryCheckpoints, memoryObjects, open } from '../support/memory-stores.ts';

const hour = 3_600_000;

test('a model is as old as its training, also when it was put back in service just now', async () => {
  let now = 10 * hour;
  const clock = () => now;
  const objects = memoryObjects(clock).through(open);
  const app = healthRoutes({
    ...{ objects, clock, events: {} as EventStore, checkpoints: memoryCheckpoints().through(open) },
    ...{ lag: async () => [], ipTableBuiltAt: async () => undefined, unhealthyAfterSeconds: 60 },
  });
  const model = async () => {
    const answer = await app.request('/v1/health');
    assert.equal(answer.status, 200);
    return ((await answer.json()) as { model: unknown }).model;
  };
  const ofHour = (at: number) => ({ at: new Date(at * hour).toISOString(), seconds: (now - at * hour) / 1000 });
  assert.equal(await model(), null);

  const cards = [9, 4].map((at) => ({ id: `m${at}`, trainedAt: at * hour }) as Card);
  await objects.put(latestKey, JSON.stringify({ current: 'm9', cards }));
  now = 12 * hour;
  assert.deepEqual(await model(), ofHour(9));
  await modelSource(objects, clock, (cause) => assert.fail(String(cause))).rollback();
  assert.deepEqual(await model(), ofHour(4));
});
