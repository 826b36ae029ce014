// What a team monitors a server with: probes, metrics, alert rules, the dashboard and the log.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pullOf } from '../../support/registry-event.ts';
import { dataFolder, eventually, runScript, startLocal } from '../../support/run.ts';
import { resourcesOf, synthesise } from '../../support/synthesise.ts';

const root = join(import.meta.dirname, '../../..');
const read = (name: string) => readFileSync(join(root, name), 'utf8');
const rules = read('examples/team/prometheus-rules.yml');
const names = [...rules.matchAll(/^ +- alert: (\w+)$/gm)].map(([, name]) => name);

test('metrics have all that rules and dashboard use, logs are JSON without names, probes distinguish dead from not ready', async (t) => {
  const folder = dataFolder(t);
  const running = await startLocal(folder, ['--log', 'json', '--open-metrics', '--export-every', '0.2']);
  t.after(() => running.kill());
  await running.post(
    '/v1/registry-events',
    {
      events: [
        pullOf('ann-secret', 'team/app', { request: { id: '1', useragent: 'docker/27', addr: '192.0.2.77:5000' } }),
      ],
    },
    { 'X-Request-Id': 'from-the-proxy' },
  );
  await running.post('/v1/registry-events', 'no JSON');
  await running.post('/v1/hits', { domain: 'portal-secret.example' }, { 'X-Forwarded-For': '192.0.2.78' });
  await fetch(`${running.origin}/v1/history?user=ann-secret`);
  await fetch(`${running.origin}/ann-secret/192.0.2.77`);

  const scrape = async () => {
    const response = await fetch(`${running.origin}/metrics`);
    assert.match(response.headers.get('content-type') ?? '', /^application\/openmetrics-text; version=1\.0\.0/);
    return response.text();
  };
  const metrics = await eventually(
    30,
    scrape,
    (text) => /^whalewatch_hits_total 1$/m.test(text) && /^whalewatch_quarantined_total 1$/m.test(text),
  );
  assert.match(metrics, /# EOF\n$/);
  assert.match(metrics, /^whalewatch_responses_total\{stage="collect",class="2xx"\} 3$/m);
  assert.doesNotMatch(metrics, /secret|192\.0\.2/);
  const dashboard = JSON.parse(read('examples/team/grafana.json'));
  const asked = [
    rules,
    ...dashboard.panels.flatMap(({ targets }: { targets: { expr: string }[] }) => targets.map(({ expr }) => expr)),
  ].flatMap((text) => text.match(/\b(whalewatch|process|nodejs)_[a-z0-9_]+\b/g) ?? []);
  // There are no metrics of a model before the first training.
  for (const name of new Set(asked))
    assert.match(metrics, new RegExp(`^${name.replace(/_bucket$/, '')}(_bucket)?[ {]|^# TYPE ${name} `, 'm'), name);

  const probe = (kind: string) =>
    fetch(`${running.origin}/v1/health/${kind}`, { headers: { Host: 'a.probe.example', Via: '1.1 proxy' } });
  for (const kind of ['live', 'ready']) assert.equal((await probe(kind)).status, 200, kind);
  // Nothing can be stored any more: live, but not ready.
  rmSync(folder, { recursive: true });
  await eventually(
    20,
    () => probe('ready'),
    ({ status }) => status === 503,
  );
  assert.equal((await probe('live')).status, 200);

  await running.kill();
  const lines = running
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
  const given = lines.find(({ requestId }) => requestId === 'from-the-proxy');
  assert.equal(given.path, '/v1/registry-events');
  assert.equal(given.level, 'info');
  assert.ok(!Number.isNaN(Date.parse(given.time)), given.time);
  assert.ok(lines.some(({ path, status }) => path === '/v1/history' && status === 200));
  assert.ok(lines.some(({ path, status }) => path === 'other' && status === 404));
  assert.ok(lines.some(({ level, requestId, message }) => level === 'error' && requestId && message));
  assert.doesNotMatch(JSON.stringify(lines), /secret|192\.0\.2\.7/);
});

test('without the setting, metrics are for the owner only, with a token even where nobody signs in', async (t) => {
  const folder = dataFolder(t);
  const running = await startLocal(folder);
  t.after(() => running.kill());
  const make = async (role: string) =>
    (await runScript('local/commands/token.ts', ['--data', folder, '--name', role, '--role', role])).output.trim();
  // A Prometheus behind a proxy: not the user of this machine.
  const scrape = async (token?: string) =>
    (
      await fetch(`${running.origin}/metrics`, {
        headers: { Via: '1.1 proxy', ...(token ? { Authorization: `Bearer ${token}` } : {}) },
      })
    ).status;
  assert.equal(await scrape(), 421);
  assert.equal(await scrape('ww_wrong'), 401);
  assert.equal(await scrape(await make('team')), 403);
  assert.equal(await scrape(await make('owner')), 200);
});

test('every alarm on AWS has an alert rule of its name, and the runbook a section for both', () => {
  const certificateArn = 'arn:aws:acm:eu-west-1:111111111111:certificate/1';
  const { stack } = synthesise({ collector: 'fargate', collectDomain: { name: 'hits.example', certificateArn } });
  const alarms = Object.values(resourcesOf(stack)).filter(({ Type }) => Type === 'AWS::CloudWatch::Alarm');
  const sections = alarms.map(({ Properties }) => /runbook\.md#(\w+)$/.exec(Properties.AlarmDescription)?.[1]);
  // Only AWS has CPU credits of burstable instances and hourly snapshots by the service.
  const onAwsOnly = ['searchcredits', 'searchsnapshot'];
  assert.deepEqual(
    names
      .map((name) => name.toLowerCase())
      .concat(onAwsOnly)
      .sort(),
    sections.sort(),
  );
  const runbook = read('docs/runbook.md').split(/^## /m);
  for (const name of names)
    assert.match(runbook.find((text) => text.startsWith(`${name}\n`)) ?? '', /^\*\*One machine\*\* \S/m, name);
});

/** Series that make each rule fire after half an hour, beside those of a healthy server. */
const ringing: Record<string, string> = {
  ProcessBehind: 'whalewatch_lag_seconds{shard="0"} 301x30',
  ProcessFails: 'whalewatch_failures_total{stage="process"} 0+1x30',
  RecordsGivenUp: 'whalewatch_given_up_batches 1x30',
  RecordsLost: 'whalewatch_failures_total{stage="processor"} 0+1x30',
  Quarantine: 'whalewatch_quarantined_total 0+5x30',
  StreamFull: 'whalewatch_responses_total{stage="collect",class="5xx"} 0+1x30; whalewatch_disk_free_bytes 9e8x30',
  CollectFails: 'whalewatch_responses_total{stage="collect",class="5xx"} 0+1x30',
  CollectThrottled: 'nodejs_eventloop_lag_p99_seconds 1.5x30',
  Throttled: 'process_cpu_seconds_total 0+115x30',
  CollectorFails: 'whalewatch_responses_total{stage="collect",class="5xx"} 0+60x30',
  CollectorMissing: 'up{job="whalewatch"} 0x30',
  CollectorBusy:
    'whalewatch_response_seconds_bucket{stage="collect",le="0.5"} 0+1x30; whalewatch_response_seconds_bucket{stage="collect",le="2"} 0+60x30; whalewatch_response_seconds_bucket{stage="collect",le="+Inf"} 0+60x30',
  ServeFails: 'whalewatch_responses_total{stage="serve",class="5xx"} 0+1x30',
  TilesFail: 'whalewatch_responses_total{stage="tiles",class="5xx"} 0+1x30',
  ApiFails: 'whalewatch_responses_total{stage="serve",class="5xx"} 0+2x30',
  ExportFails: 'whalewatch_failures_total{stage="export"} 0+1x30',
  PointsStale: 'whalewatch_exports_total 5x30',
  ExportMissed: 'whalewatch_failures_total{stage="exporter"} 0+1x30',
  TrainMissed: 'whalewatch_failures_total{stage="trainer"} 0+1x30',
  TrainFails: 'whalewatch_failures_total{stage="training"} 0+1x30',
  ModelStale: 'whalewatch_model_trained_timestamp_seconds -9000x30',
  ModelRefused: 'whalewatch_models_refused_total 0+1x30',
  AlertsLost: 'whalewatch_alerts_lost_total 0+1x30',
  AlertsFail: 'whalewatch_failures_total{stage="alerts"} 0+1x30',
  AlertsRefused: 'whalewatch_alerts_refused_total 0+1x30',
  SearchFull: 'whalewatch_disk_free_bytes 5e9x30',
  SearchBlocked: 'whalewatch_disk_free_bytes 4e8x30',
  SearchRed: 'whalewatch_search_up 0x30',
  SearchMemory: 'process_resident_memory_bytes 7.5e9x30',
};
const well =
  'whalewatch_lag_seconds{shard="0"} 1x30; whalewatch_failures_total{stage="process"} 0x30; whalewatch_given_up_batches 0x30; whalewatch_quarantined_total 3x30; whalewatch_responses_total{stage="collect",class="5xx"} 0x30; whalewatch_responses_total{stage="collect",class="2xx"} 0+60x30; whalewatch_responses_total{stage="serve",class="5xx"} 0x30; nodejs_eventloop_lag_p99_seconds 0.01x30; process_cpu_seconds_total 0+10x30; whalewatch_processors 2x30; up{job="whalewatch"} 1x30; whalewatch_exports_total 0+6x30; whalewatch_export_interval_seconds 5x30; whalewatch_model_trained_timestamp_seconds 0x30; whalewatch_train_interval_seconds 300x30; whalewatch_models_refused_total 0x30; whalewatch_alerts_lost_total 0x30; whalewatch_disk_free_bytes 9e10x30; whalewatch_disk_size_bytes 1e11x30; whalewatch_search_up 1x30; process_resident_memory_bytes 4e8x30; whalewatch_memory_bytes 8e9x30';

test('promtool: the rules are valid, silent on a healthy server, and each fires', {
  skip: spawnSync('promtool', ['--version']).error && 'promtool is not installed',
}, (t) => {
  const folder = dataFolder(t);
  const parse = (text: string) =>
    text.split('; ').map((one) => {
      const at = one.lastIndexOf(' ');
      const name = one.slice(0, at);
      const labels = name.includes('{')
        ? name.replace('{', '{instance="a",').replace('instance="a",job="whalewatch"', 'job="whalewatch",instance="a"')
        : `${name}{instance="a"}`;
      return { series: labels, values: one.slice(at + 1) };
    });
  const case_ = (more: string, expressions: object[]) => {
    const own = more === '' ? [] : parse(more);
    const others = parse(well).filter(({ series }) => !own.some((each) => each.series === series));
    return { interval: '1m', input_series: [...others, ...own], promql_expr_test: expressions };
  };
  const firing = (name: string) => `count(ALERTS{alertname="${name}",alertstate="firing"})`;
  const rung = (name: string) => ({ expr: firing(name), eval_time: '29m', exp_samples: [{ labels: '{}', value: 1 }] });
  assert.deepEqual(Object.keys(ringing).sort(), [...names].sort());
  const tests = [
    case_('', [{ expr: 'count(ALERTS)', eval_time: '29m', exp_samples: [] }]),
    ...names.map((name) => case_(ringing[name], [rung(name)])),
  ];
  // JSON is YAML.
  const file = join(folder, 'test.yml');
  writeFileSync(
    file,
    JSON.stringify({
      rule_files: [join(root, 'examples/team/prometheus-rules.yml')],
      evaluation_interval: '1m',
      tests,
    }),
  );
  for (const args of [
    ['check', 'rules', join(root, 'examples/team/prometheus-rules.yml')],
    ['test', 'rules', file],
  ]) {
    const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
    assert.equal(status, 0, stdout + stderr);
  }
});
