// How new code reaches the API: a tenth of the requests for five minutes, then all; rolled back at once when an alarm
// goes off.
import type { Alarm } from 'aws-cdk-lib/aws-cloudwatch';
import { LambdaApplication, LambdaDeploymentConfig, LambdaDeploymentGroup } from 'aws-cdk-lib/aws-codedeploy';
import { Alias, type IFunction, type Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import type { ResolvedSettings } from '#settings/schema.ts';
import { explain } from './explain.ts';

export class Rollout<Name extends string = string> extends Construct {
  /** What the API calls: an alias of each function, or the function itself without the setting canary. */
  readonly called: Record<Name, IFunction>;
  readonly #groups = new Map<string, LambdaDeploymentGroup>();

  constructor(
    scope: Construct,
    id: string,
    { canary }: Pick<ResolvedSettings, 'canary'>,
    functions: Record<Name, LambdaFunction>,
  ) {
    super(scope, id);
    this.called = functions;
    if (!canary) return;
    const application = new LambdaApplication(this, 'Application');
    const aliases = Object.entries<LambdaFunction>(functions).map(([name, handler]) => {
      const alias = new Alias(this, `${name}-live`, { aliasName: 'live', version: handler.currentVersion });
      const group = new LambdaDeploymentGroup(this, `${name}-group`, {
        application,
        alias,
        deploymentConfig: LambdaDeploymentConfig.CANARY_10PERCENT_5MINUTES,
      });
      const managed =
        'IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSCodeDeployRoleForLambdaLimited]';
      explain(group, { [managed]: "CodeDeploy's own role: it moves aliases and invokes hooks of its own name" });
      this.#groups.set(name, group);
      return [name, alias] as const;
    });
    this.called = Object.fromEntries(aliases) as unknown as Record<Name, IFunction>;
  }

  /** A deployment of the function is rolled back when the alarm goes off. */
  backOn(name: Name, alarm: Alarm): void {
    this.#groups.get(name)?.addAlarm(alarm);
  }
}
