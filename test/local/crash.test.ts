import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pullOf } from '../support/registry-event.ts';
import { dataFolder, eventually, type Running, startLocal } from '../support/run.ts';

// kill -9 at any moment, under traffic: nothing that got a 2xx response is lost or counted twice. As real senders do,
// these send again, with the same ids, whatever got no response.
const kills = 20;

test(`${kills} times kill -9 under traffic: every hit and pull counts exactly once`, {
  timeout: 300_000,
}, async (t) => {
  const folder = dataFolder(t);
  const args = ['--export-every', '0.3', '--train-every', '2'];
  let running: Running = await startLocal(folder, args);
  let restarted = Promise.withResolvers<void>();
  restarted.resolve();
  let done = false;
  const sent = { hits: 0, pulls: 0 };
  let delivered = 0;

  /** Sends until the response is 2xx, across crashes and restarts. */
  async function deliver(path: string, body: unknown) {
    for (;;) {
      const answer = await running.post(path, body).catch(() => undefined);
      if (answer?.status === 202) {
        delivered++;
        return;
      }
      assert.ok(answer === undefined || answer.status >= 500, `${path}: ${answer?.status} ${await answer?.text()}`);
      await restarted.promise;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  const hits = (async () => {
    for (let n = 0; !done; n++) {
      const batch = Array.from({ length: 50 }, (_, i) => ({
        domain: `d${(n + i) % 97}.example`,
        id: `hit-${n}-${i}`,
        action: i % 2 ? 'view' : 'login',
      }));
      await deliver('/v1/hits', batch);
      sent.hits += batch.length;
    }
  })();
  const pulls = (async () => {
    for (let n = 0; !done; n++) {
      await deliver('/v1/registry-events', { events: [pullEvent(n)] });
      sent.pulls++;
    }
  })();

  for (let n = 0; n < kills; n++) {
    // The kill comes after a number of deliveries that differs each time: a slow machine gets as much traffic as a
    // quick one.
    const enough = delivered + 20 + ((n * 7919) % 60);
    while (delivered < enough) await new Promise((resolve) => setTimeout(resolve, 1));
    await new Promise((resolve) => setTimeout(resolve, (n * 31) % 97));
    restarted = Promise.withResolvers<void>();
    await running.kill();
    running = await startLocal(folder, args);
    restarted.resolve();
  }
  done = true;
  await Promise.all([hits, pulls]);
  t.after(() => running.kill());
  assert.ok(sent.hits > 1000 && sent.pulls > 100, `too little traffic to prove anything: ${JSON.stringify(sent)}`);

  const total = async (by: string) => {
    const { items } = await running.get<{ items: { hits: number }[] }>(`/v1/hits?by=${by}&limit=1000`);
    return items.reduce((sum, item) => sum + item.hits, 0);
  };
  for (const by of ['day', 'domain', 'country', 'action'])
    await eventually(
      20,
      () => total(by),
      (counted) => counted === sent.hits,
    );
  const counts = () => running.get<{ total: { pulls: number; raw: number } }>('/v1/pulls');
  await eventually(20, counts, ({ total }) => total.raw === sent.pulls && total.pulls === sent.pulls);
});

/** Each pull is of another tag, a second after the one before, so that no two merge. */
const pullEvent = (n: number) =>
  pullOf(`user-${n % 7}`, `team/image-${n % 50}`, { n, time: Date.UTC(2026, 0, 1) + n * 1000 });
