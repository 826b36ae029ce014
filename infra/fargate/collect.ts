// The collector as servers: an Application Load Balancer in front of tasks on Fargate, without CloudFront and API
// Gateway. Both are billed by the request ($1 a million), which is what this saves.
import { Duration } from 'aws-cdk-lib';
import { type IMetric, MathExpression, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { Peer, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { type CfnService, FargateService } from 'aws-cdk-lib/aws-ecs';
import {
  type ApplicationListener,
  ApplicationLoadBalancer,
  ApplicationProtocol,
  HttpCodeElb,
  HttpCodeTarget,
  IpAddressType,
  ListenerAction,
  ListenerCertificate,
  ListenerCondition,
  SslPolicy,
  TargetGroupLoadBalancingAlgorithmType,
} from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { CfnWebACLAssociation } from 'aws-cdk-lib/aws-wafv2';
import { Construct } from 'constructs';
import type { ServerVariables } from '#collect/env.ts';
import type { ResolvedSettings } from '#settings/schema.ts';
import { explain } from '../explain.ts';
import { WebAcl } from '../web-acl.ts';
import type { Network } from './network.ts';
import { StageTask } from './task.ts';

const port = 8080;
const minute = Duration.minutes(1);

export interface CollectServersProps {
  settings: ResolvedSettings;
  network: Network;
  environment: Omit<ServerVariables, 'PORT'>;
}

export class CollectServers extends Construct {
  /** `https://…`, without a slash at the end. */
  readonly url: string;
  readonly balancer: ApplicationLoadBalancer;
  readonly task: StageTask<ServerVariables>;
  /** Responses of 5xx, including the load balancer's own. */
  readonly failures: IMetric;
  readonly healthy: IMetric;
  readonly processor: IMetric;
  readonly #listener: ApplicationListener;

  constructor(scope: Construct, id: string, { settings, network, environment }: CollectServersProps) {
    super(scope, id);
    const { collectDomain, collectTasks, logDays } = settings;
    if (!collectDomain) throw new Error('a collector on Fargate needs collectDomain');
    const { least, most, ...size } = collectTasks;
    this.task = new StageTask<ServerVariables>(this, 'Task', {
      name: 'collect-server',
      does: 'Collect: takes notifications and hits into the stream',
      // Only the load balancer can call from within the network; its entry in X-Forwarded-For is the last.
      environment: {
        ...environment,
        TRUSTED_PROXIES: [network.cidr, environment.TRUSTED_PROXIES].filter(Boolean).join(),
        PORT: String(port),
      },
      size,
      logDays,
      imageRegistry: settings.imageRegistry,
      port,
    });
    const service = new FargateService(this, 'Service', {
      cluster: network.cluster,
      taskDefinition: this.task.definition,
      vpcSubnets: network.subnets,
      assignPublicIp: true,
      securityGroups: [network.group(this, 'Group', 'The servers of collect')],
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
      circuitBreaker: { rollback: true },
      healthCheckGracePeriod: minute,
    });
    // No desired count: an update under load must keep the current number, not reset it to the minimum.
    (service.node.defaultChild as CfnService).desiredCount = undefined;
    service
      .autoScaleTaskCount({ minCapacity: least, maxCapacity: most })
      .scaleOnCpuUtilization('Processor', { targetUtilizationPercent: 50, scaleOutCooldown: minute });

    const open = new SecurityGroup(this, 'Open', {
      vpc: network.vpc,
      description: 'The load balancer of collect',
      allowAllOutbound: false,
    });
    for (const anybody of [Peer.anyIpv4(), Peer.anyIpv6()])
      open.addIngressRule(anybody, Port.tcp(443), 'Anybody may send hits');
    explain(open, { EC23: 'Beacons run in the browsers of everybody' });
    this.balancer = new ApplicationLoadBalancer(this, 'Balancer', {
      vpc: network.vpc,
      vpcSubnets: network.subnets,
      internetFacing: true,
      ipAddressType: IpAddressType.DUAL_STACK,
      securityGroup: open,
      dropInvalidHeaderFields: true,
      idleTimeout: minute,
    });
    explain(this.balancer, { ELB2: 'An access log holds addresses, against the privacy rule' });
    const { requestsPerAddress } = settings;
    if (requestsPerAddress !== undefined)
      new CfnWebACLAssociation(this, 'Rate', {
        resourceArn: this.balancer.loadBalancerArn,
        webAclArn: new WebAcl(this, 'WebAcl', { scope: 'REGIONAL', requestsPerAddress }).arn,
      });
    this.#listener = this.balancer.addListener('Https', {
      port: 443,
      certificates: [ListenerCertificate.fromArn(collectDomain.certificateArn)],
      sslPolicy: SslPolicy.RECOMMENDED_TLS,
      defaultAction: ListenerAction.fixedResponse(404),
      open: false,
    });
    const targets = this.#listener.addTargets('Servers', {
      priority: 1,
      conditions: [ListenerCondition.pathPatterns(['/v1/hits', '/v1/registry-events'])],
      port,
      protocol: ApplicationProtocol.HTTP,
      targets: [service],
      loadBalancingAlgorithmType: TargetGroupLoadBalancingAlgorithmType.LEAST_OUTSTANDING_REQUESTS,
      deregistrationDelay: Duration.seconds(20),
      healthCheck: {
        path: '/ready',
        interval: Duration.seconds(10),
        timeout: Duration.seconds(5),
        healthyThresholdCount: 2,
        unhealthyThresholdCount: 3,
      },
    });
    this.url = `https://${collectDomain.name}`;

    const sum = { period: Duration.minutes(5), statistic: Stats.SUM };
    this.failures = new MathExpression({
      expression: 'FILL(answered, 0) + FILL(unanswered, 0)',
      usingMetrics: {
        answered: targets.metrics.httpCodeTarget(HttpCodeTarget.TARGET_5XX_COUNT, sum),
        unanswered: this.balancer.metrics.httpCodeElb(HttpCodeElb.ELB_5XX_COUNT, sum),
      },
      period: sum.period,
      label: '5xx',
    });
    this.healthy = targets.metrics.healthyHostCount({ period: minute, statistic: Stats.MINIMUM });
    this.processor = service.metricCpuUtilization({ period: Duration.minutes(5) });
  }

  /** The beacon script is stored with the pages, but served here, because it sends its hits to its own origin. */
  serveBeacon(site: string): void {
    this.#listener.addAction('Beacon', {
      priority: 2,
      conditions: [ListenerCondition.pathPatterns(['/hit.js'])],
      action: ListenerAction.redirect({ protocol: 'HTTPS', host: site, port: '443' }),
    });
  }
}
