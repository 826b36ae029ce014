import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dataFolder } from '../support/run.ts';
import { soak } from './soak.ts';

test('the short soak: 300,000 hits and 2,000 events across 4 kills, with every sum exact', {
  timeout: 300_000,
}, async (t) => {
  const result = await soak({ hits: 300_000, events: 2000, kills: 4, seed: 7 }, dataFolder(t));
  assert.ok(result.hits >= 300_000 - result.unanswered * 5000);
  assert.equal(result.events, 2000);
});

test('the short hostile soak: strangers, odd bodies, pauses and kills beside the traffic, with every sum exact', {
  timeout: 300_000,
}, async (t) => {
  const result = await soak({ hits: 100_000, events: 500, kills: 2, seed: 16, hostile: true }, dataFolder(t));
  assert.ok(result.hits >= 100_000 - result.unanswered * 5000);
  assert.equal(result.events, 500);
});
