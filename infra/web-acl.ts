// A web ACL (WAF) with a rate rule: a limit of requests per address.
import { CfnWebACL } from 'aws-cdk-lib/aws-wafv2';
import { Construct } from 'constructs';

/** Seconds that requests are counted over. */
const windowSeconds = 300;

export interface WebAclProps {
  /** CLOUDFRONT only works in us-east-1, REGIONAL in the stack's region. */
  scope: 'CLOUDFRONT' | 'REGIONAL';
  requestsPerAddress: number;
}

export class WebAcl extends Construct {
  readonly arn: string;

  constructor(parent: Construct, id: string, { scope, requestsPerAddress }: WebAclProps) {
    super(parent, id);
    // Samples of requests, kept for three hours, hold addresses.
    const visible = (metricName: string) => ({
      ...{ metricName, cloudWatchMetricsEnabled: true, sampledRequestsEnabled: false },
    });
    const acl = new CfnWebACL(this, 'Acl', {
      scope,
      description: 'Whalewatch: requests of one address in five minutes',
      defaultAction: { allow: {} },
      visibilityConfig: visible('Requests'),
      rules: [
        {
          name: 'Rate',
          priority: 0,
          action: { block: {} },
          visibilityConfig: visible('RefusedByRate'),
          statement: {
            rateBasedStatement: {
              limit: requestsPerAddress,
              evaluationWindowSec: windowSeconds,
              aggregateKeyType: 'IP',
              // A registry that sends its backlog has one address.
              scopeDownStatement: {
                notStatement: {
                  statement: {
                    byteMatchStatement: {
                      fieldToMatch: { uriPath: {} },
                      positionalConstraint: 'EXACTLY',
                      searchString: '/v1/registry-events',
                      textTransformations: [{ priority: 0, type: 'NONE' }],
                    },
                  },
                },
              },
            },
          },
        },
      ],
    });
    this.arn = acl.attrArn;
  }
}
