import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resourcesOf, synthesise } from '../support/synthesise.ts';

test("ECR's events, pulls included, go into the stream as notifications, only if the setting ecr is on", () => {
  const { stack } = synthesise({ ecr: true });
  const rules = Object.values(resourcesOf(stack)).filter(
    ({ Type, Properties }) => Type === 'AWS::Events::Rule' && Properties.EventPattern?.source?.includes('aws.ecr'),
  );
  assert.deepEqual(
    rules.map(({ Properties }) => [Properties.EventPattern['detail-type'][0], Properties.State]),
    [
      ['ECR Image Action', 'ENABLED'],
      ['AWS API Call via CloudTrail', 'ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS'],
    ],
  );
  for (const { Properties } of rules) {
    const [{ InputTransformer, KinesisParameters }] = Properties.Targets;
    assert.equal(InputTransformer.InputTemplate, '{"type":"notification","body":<aws.events.event.json>}\n');
    assert.equal(KinesisParameters.PartitionKeyPath, '$.source');
  }
  const none = Object.values(resourcesOf(synthesise().stack)).filter(({ Properties }) =>
    Properties?.EventPattern?.source?.includes('aws.ecr'),
  );
  assert.deepEqual(none, []);
});
