// Alarms, logs and the dashboard of a deployment.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { counter } from '#aws/log.ts';
import { buildPages } from '../../web/build.ts';
import { type Resource, resourcesOf, synthesise } from '../support/synthesise.ts';

const runbook = readFileSync(join(import.meta.dirname, '../../docs/runbook.md'), 'utf8');
let resources: Record<string, Resource>;
const of = (type: string) => Object.entries(resources).filter(([, { Type }]) => Type === type);

before(async () => {
  await buildPages();
  const alarmEmail = 'team@example.com';
  resources = resourcesOf(synthesise({ alarmEmail, rules: [{ name: 'people', when: 'first-pull' }] }).stack);
});

test('every failure has an alarm, which names a runbook section with means, look and fix', () => {
  const sections = new Map(
    runbook
      .split(/^## /m)
      .slice(1)
      .map((text) => [text.split('\n')[0].toLowerCase(), text]),
  );
  const names = of('AWS::CloudWatch::Alarm').map(([, { Properties }]) => {
    const [, section] = /^.+\. What to do: docs\/runbook\.md#(\w+)$/.exec(Properties.AlarmDescription) ?? [];
    const text = sections.get(section ?? '') ?? '';
    for (const part of [/^\*\*Means\*\* \w/m, /\*\*Look\*\* /, /\*\*Fix\*\* /])
      assert.match(text, part, Properties.AlarmDescription);
    assert.equal(Properties.AlarmActions.length, 1, section);
    return section;
  });
  assert.match(sections.get('budget') ?? '', /\*\*Fix\*\*/);
  assert.deepEqual(
    names.sort(),
    [
      ...[
        'ProcessBehind',
        'ProcessFails',
        'RecordsGivenUp',
        'RecordsLost',
        'Quarantine',
        'StreamFull',
        'CollectFails',
        'ServeFails',
      ],
      ...[
        'CollectThrottled',
        'Throttled',
        'TilesFail',
        'ApiFails',
        'ExportFails',
        'PointsStale',
        'ExportMissed',
        'TrainMissed',
        'TrainFails',
      ],
      ...['ModelStale', 'ModelRefused', 'AlertsLost', 'AlertsFail', 'AlertsRefused', 'SearchFull', 'SearchRed'],
      ...['SearchBlocked', 'SearchMemory', 'SearchSnapshot', 'SearchCredits'],
    ]
      .map((name) => name.toLowerCase())
      .sort(),
  );
  assert.equal(of('AWS::Budgets::Budget').length, 1);
});

test('discarded records are counted by the event source mappings: nothing else knows them', () => {
  const mappings = of('AWS::Lambda::EventSourceMapping').filter(([, { Properties }]) => Properties.StartingPosition);
  assert.equal(mappings.length, 2);
  const alarm = of('AWS::CloudWatch::Alarm').find(([id]) => id.includes('RecordsGivenUp'))?.[1].Properties;
  for (const [mapping, { Properties }] of mappings) {
    assert.deepEqual(Properties.MetricsConfig, { Metrics: ['EventCount'] });
    assert.match(
      JSON.stringify(alarm?.Metrics),
      new RegExp(`"EventSourceMappingUUID","Value":\\{"Ref":"${mapping}"\\}`),
    );
  }
});

test("the alarms use the metrics that the functions emit, in the deployment's namespace", () => {
  const lines: string[] = [];
  const log = console.log;
  console.log = (line: string) => lines.push(line);
  try {
    counter('Test/Whalewatch', () => 5)({ Exported: 1, Folded: 2 });
  } finally {
    console.log = log;
  }
  const { _aws, ...values } = JSON.parse(lines[0]);
  assert.deepEqual(values, { Exported: 1, Folded: 2 });
  assert.deepEqual(_aws, {
    Timestamp: 5,
    CloudWatchMetrics: [
      { Namespace: 'Test/Whalewatch', Dimensions: [[]], Metrics: [{ Name: 'Exported' }, { Name: 'Folded' }] },
    ],
  });
  const given = of('AWS::Lambda::Function').flatMap(
    ([, { Properties }]) => Properties.Environment?.Variables?.METRICS ?? [],
  );
  assert.deepEqual(new Set(given), new Set(['Test/Whalewatch']));
  assert.match(JSON.stringify(of('AWS::CloudWatch::Alarm')), /"Namespace":"Test\/Whalewatch"/);
});

test('there is one dashboard', () => {
  assert.equal(of('AWS::CloudWatch::Dashboard').length, 1);
});

test('each function writes to its own log group, and each log group expires', () => {
  const groups = of('AWS::Logs::LogGroup');
  for (const [id, { Properties }] of groups) assert.equal(Properties.RetentionInDays, 30, id);
  // CDK's own function that empties the pages' bucket uses the log group that Lambda makes.
  const ours = of('AWS::Lambda::Function').filter(([id]) => !id.startsWith('CustomS3AutoDelete'));
  const written = ours.map(([id, { Properties }]) => {
    assert.ok(Properties.LoggingConfig?.LogGroup, id);
    return JSON.stringify(Properties.LoggingConfig.LogGroup);
  });
  assert.equal(new Set(written).size, written.length);
});
