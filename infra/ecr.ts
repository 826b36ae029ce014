// Amazon ECR, which has no webhook: EventBridge puts the events of ECR and CloudTrail into the stream, as lines of the
// type `notification`; process normalises them with the dialect `ecr`.
import { Duration } from 'aws-cdk-lib';
import { CfnRule } from 'aws-cdk-lib/aws-events';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Stream } from 'aws-cdk-lib/aws-kinesis';
import { Construct } from 'constructs';

/** Pushes and deletes. */
const actions = { source: ['aws.ecr'], 'detail-type': ['ECR Image Action'] };
/**
 * Pulls. CloudTrail must record management events; its read events reach EventBridge only with the rule's state below.
 */
const pulls = {
  source: ['aws.ecr'],
  'detail-type': ['AWS API Call via CloudTrail'],
  detail: { eventSource: ['ecr.amazonaws.com'], eventName: ['BatchGetImage'] },
};

export class Ecr extends Construct {
  constructor(scope: Construct, id: string, { stream }: { stream: Stream }) {
    super(scope, id);
    const role = new Role(this, 'Role', { assumedBy: new ServicePrincipal('events.amazonaws.com') });
    const grant = stream.grant(role, 'kinesis:PutRecord', 'kinesis:PutRecords');
    const rule = (name: string, eventPattern: object, state: string) => {
      const made = new CfnRule(this, name, {
        ...{ eventPattern, state },
        targets: [
          {
            ...{ id: 'Stream', arn: stream.streamArn, roleArn: role.roleArn },
            // A line of a stream record. All have the same key, so that ECR's events stay in order in one shard.
            inputTransformer: { inputTemplate: '{"type":"notification","body":<aws.events.event.json>}\n' },
            kinesisParameters: { partitionKeyPath: '$.source' },
            retryPolicy: { maximumEventAgeInSeconds: Duration.days(1).toSeconds(), maximumRetryAttempts: 185 },
          },
        ],
      });
      made.node.addDependency(grant);
    };
    rule('Actions', actions, 'ENABLED');
    rule('Pulls', pulls, 'ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS');
  }
}
