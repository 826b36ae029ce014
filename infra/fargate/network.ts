// Where Fargate's tasks run: two public subnets and no NAT gateway ($33 a month each), so that nothing is paid while
// nothing runs. Tasks reach S3 through a gateway endpoint, which is free.
import {
  GatewayVpcEndpointAwsService,
  IpAddresses,
  IpProtocol,
  type ISecurityGroup,
  Peer,
  Port,
  SecurityGroup,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import { Cluster, ContainerInsights } from 'aws-cdk-lib/aws-ecs';
import { Construct } from 'constructs';
import { explain } from '../explain.ts';

const cidr = '10.76.0.0/20';

export class Network extends Construct {
  /** The address ranges of the network. */
  readonly cidr = cidr;
  readonly vpc: Vpc;
  readonly cluster: Cluster;
  readonly subnets = { subnetType: SubnetType.PUBLIC };

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.vpc = new Vpc(this, 'Vpc', {
      ipAddresses: IpAddresses.cidr(cidr),
      // The load balancer uses both; IPv6 addresses are free.
      ipProtocol: IpProtocol.DUAL_STACK,
      maxAzs: 2,
      natGateways: 0,
      subnetConfiguration: [{ name: 'Public', subnetType: SubnetType.PUBLIC, cidrMask: 24 }],
      // Nothing uses the default group, and closing it would need one of CDK's own functions.
      restrictDefaultSecurityGroup: false,
      gatewayEndpoints: { S3: { service: GatewayVpcEndpointAwsService.S3 } },
    });
    explain(this.vpc, { VPC7: 'A flow log holds addresses, against the privacy rule' });
    this.cluster = new Cluster(this, 'Cluster', { vpc: this.vpc, containerInsightsV2: ContainerInsights.DISABLED });
    explain(this.cluster, {
      ECS4: 'Billed by the metric; the alarms on failed tasks and processor time work without it',
    });
  }

  /**
   * A security group without inbound rules that may call these ports anywhere: AWS and search have no fixed addresses.
   */
  group(scope: Construct, id: string, description: string, ports: number[] = [443]): ISecurityGroup {
    const group = new SecurityGroup(scope, id, { vpc: this.vpc, description, allowAllOutbound: false });
    for (const port of new Set(ports)) group.addEgressRule(Peer.anyIpv4(), Port.tcp(port), 'AWS and search');
    return group;
  }
}
