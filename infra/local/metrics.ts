// GET /metrics on one machine: the metrics that CloudWatch has on AWS, for Prometheus. No label is a name that a
// stranger chose.
import { readdir, statfs } from 'node:fs/promises';
import type { Server } from 'node:http';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type HealthOptions, readHealth } from '#serve/health.ts';
import type { ResolvedSettings } from '#settings/schema.ts';
import type { CounterName } from './stages/count.ts';

export interface MetricsOptions extends Omit<HealthOptions, 'report'> {
  folder: string;
  settings: Pick<ResolvedSettings, 'exportEvery' | 'trainEvery'>;
}

export interface Metrics {
  /** Adds one to a counter of the stages. */
  count(name: CounterName, stage?: string): void;
  /** Counts and times the requests of a server, outside of the app, so that hits do not get slower. */
  watch(server: Pick<Server, 'on'>): void;
  read(): Promise<{ type: string; text: string }>;
}

const stageOf = (method: string, url: string) =>
  method === 'POST' && /\/v1\/(registry-events|hits)\b/.test(url)
    ? 'collect'
    : /\/v1\/tiles\//.test(url)
      ? 'tiles'
      : 'serve';

/** The description of each counter of the stages. */
const help: Record<CounterName, string> = {
  failures: 'Failures of a stage, each of which is retried',
  exports: 'Exports of the map',
  models_refused: 'Models that were trained but not put in service',
  alerts_lost: 'Alerts of the rules that could not be stored',
  alerts_refused: 'Alerts that a receiver did not accept',
};

export function openMetrics(options: MetricsOptions): Metrics {
  const { folder, settings, clock, search } = options;
  const registry = new Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  collectDefaultMetrics({ register: registry as unknown as Registry });
  const registers = [registry];
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name: `whalewatch_${name}`, help, labelNames, registers });
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name: `whalewatch_${name}_total`, help, labelNames, registers });

  const counters = Object.fromEntries(
    Object.entries(help).map(([name, text]) => [name, counter(name, text, name === 'failures' ? ['stage'] : [])]),
  ) as Record<CounterName, Counter>;
  // Starts at 0: for rate(), a counter that appears with its first failure has not increased.
  for (const stage of ['process', 'export', 'training', 'alerts', 'serve']) counters.failures.inc({ stage }, 0);
  const responses = counter('responses', 'Responses by kind of request and first digit of the status', [
    'stage',
    'class',
  ]);
  for (const stage of ['collect', 'serve', 'tiles']) responses.inc({ stage, class: '5xx' }, 0);
  const seconds = new Histogram({
    name: 'whalewatch_response_seconds',
    help: 'Seconds until a response was sent',
    labelNames: ['stage'],
    buckets: [0.005, 0.02, 0.1, 0.5, 2, 10],
    registers,
  });
  const lag = gauge('lag_seconds', 'Age of the oldest record that process has not processed', ['shard']);
  const sums = {
    hits: counter('hits', 'Hits that were summed'),
    registryEvents: counter('registry_events', 'Registry events that were stored'),
    duplicates: counter('duplicates', 'Repeated records that were dropped'),
    quarantined: counter('quarantined', 'Events that could not be understood'),
  };
  const times = {
    points: gauge('points_updated_timestamp_seconds', 'When the map was last updated'),
    model: gauge('model_trained_timestamp_seconds', 'When the model in service was trained'),
    ipTable: gauge('ip_table_built_timestamp_seconds', 'When the IP table was built'),
  };
  const searchUp = gauge('search_up', 'Whether search responds: 1 if so, else 0');
  const givenUp = gauge('given_up_batches', 'Batches in the failure folder');
  const free = gauge('disk_free_bytes', 'Free bytes on the disk of the data folder');
  const size = gauge('disk_size_bytes', 'Size in bytes of the disk of the data folder');
  gauge('export_interval_seconds', 'The setting exportEvery').set(settings.exportEvery);
  gauge('train_interval_seconds', 'The setting trainEvery').set(settings.trainEvery * 3600);
  gauge('processors', 'Processors that this process may use').set(availableParallelism());
  gauge('memory_bytes', 'Memory of this machine').set(totalmem());

  return {
    count: (name, stage) => counters[name].inc(stage === undefined ? {} : { stage }),
    watch(server) {
      server.on('request', (request, response) => {
        const began = performance.now();
        const stage = stageOf(request.method ?? '', request.url ?? '');
        response.once('finish', () => {
          responses.inc({ stage, class: `${Math.floor(response.statusCode / 100)}xx` });
          seconds.observe({ stage }, (performance.now() - began) / 1000);
        });
      });
    },
    async read() {
      const health = await readHealth(options);
      lag.reset();
      for (const { shard, lagSeconds } of health.shards) lag.set({ shard }, lagSeconds);
      for (const name of Object.keys(sums) as (keyof typeof sums)[]) {
        sums[name].reset();
        sums[name].inc(health[name]);
      }
      for (const name of Object.keys(times) as (keyof typeof times)[]) {
        const age = health[name];
        if (age) times[name].set(Date.parse(age.at) / 1000);
      }
      searchUp.set(
        await search.counts({ from: clock() }).then(
          () => 1,
          () => 0,
        ),
      );
      const failed = await readdir(join(folder, 'failures')).catch(() => []);
      givenUp.set(failed.filter((name) => name.endsWith('.failed')).length);
      const { bavail, blocks, bsize } = await statfs(folder);
      free.set(bavail * bsize);
      size.set(blocks * bsize);
      return { type: registry.contentType, text: await registry.metrics() };
    },
  };
}
