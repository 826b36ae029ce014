// Read this first: each stage passes on what the next one needs.
import { CfnOutput, Tags } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { accessOf } from '#settings/access.ts';
import { resolve } from '#settings/read.ts';
import type { Settings } from '#settings/schema.ts';
import { Alerts } from './alerts.ts';
import { Api } from './api.ts';
import { checkAtSynthesis } from './checks/all.ts';
import { Collect } from './collect.ts';
import { Ecr } from './ecr.ts';
import { Network } from './fargate/network.ts';
import { Process } from './process.ts';
import { Rollout } from './rollout.ts';
import { Serve } from './serve.ts';
import { SignIn } from './sign-in.ts';
import { Stores } from './stores.ts';
import { Train } from './train.ts';
import { Watch } from './watch.ts';
import { Web } from './web.ts';

export type { Settings } from '#settings/schema.ts';

/** The whole system, also for your own app: `new Whalewatch(stack, 'Whalewatch', { keepDays: 14 })`. */
export class Whalewatch extends Construct {
  /** Where the pages are. */
  readonly site: string;
  /** The URL that registries notify. */
  readonly webhook: string;
  /** The stack's outputs, by name (the last part of each one's path): Site, Webhook, WebhookToken, OwnerToken, … */
  readonly outputs: CfnOutput[] = [];

  constructor(scope: Construct, id: string, props: Settings = {}) {
    super(scope, id);
    const settings = resolve(props);

    // Only Fargate needs a network.
    const onFargate = settings.trainer === 'fargate' || settings.collector === 'fargate';
    const network = onFargate ? new Network(this, 'Network') : undefined;
    const stores = new Stores(this, 'Stores', settings);
    const collect = new Collect(this, 'Collect', { settings, stores, network });
    if (settings.ecr) new Ecr(this, 'Ecr', { stream: collect.registryStream });
    const streams = { hits: collect.hitsStream, registry: collect.registryStream };
    const process = new Process(this, 'Process', { settings, stores, streams });
    const alerts = new Alerts(this, 'Alerts', { settings, stores, topic: process.messages });
    const train = new Train(this, 'Train', { settings, stores, network });
    const serve = new Serve(this, 'Serve', { settings, stores });
    const rollout = new Rollout(this, 'Rollout', settings, {
      collect: collect.handler,
      registry: collect.registry,
      serve: serve.handler,
      tiles: serve.tiles,
    });
    const api = new Api(this, 'Api', { settings, ...rollout.called });
    const hits = collect.servers?.url ?? api.url;
    const web = new Web(this, 'Web', { settings, stores, api, hits });
    collect.servers?.serveBeacon(web.host);
    new Watch(this, 'Watch', { settings, stores, collect, process, alerts, train, serve, api, web, rollout });

    this.site = settings.publicUrl ?? web.url;
    const access = { ...accessOf(settings, true), publicUrl: this.site };
    serve.opens(settings.signIn ? access : new SignIn(this, 'SignIn', { site: this.site, access }).access);
    for (const [name, value] of Object.entries(settings.tags)) Tags.of(this).add(name, value);
    checkAtSynthesis(this);
    this.webhook = `${api.url}/v1/registry-events`;
    const outputs = new Construct(this, 'Outputs');
    const output = (name: string, value: string, description: string) =>
      this.outputs.push(new CfnOutput(outputs, name, { value, description }));
    output('Site', this.site, 'The map');
    output('Webhook', this.webhook, 'URL of the registry notification endpoint');
    output('WebhookToken', collect.token.secretArn, 'The secret with the webhook token');
    output('OwnerToken', serve.token.secretArn, "The secret with the owner's API token");
    if (collect.servers)
      output(
        'Balancer',
        collect.servers.balancer.loadBalancerDnsName,
        'The host name that collectDomain must point to',
      );
    output('Beacon', `${hits}/hit.js`, 'The beacon script: <script defer src="...">');
    output('Api', api.url, 'Hits, notifications and the API, without CloudFront');
    if (api.domain) output('ApiAlias', api.domain.regionalDomainName, 'The host name that apiDomain must point to');
    output('Data', stores.bucket.bucketName, 'The bucket of points, sums and models');
    output('Pages', web.bucket.bucketName, 'The bucket of the pages');
    output('Stream', collect.hitsStream.streamName, 'The stream of hits');
    output('RegistryStream', collect.registryStream.streamName, 'The stream of registry events');
    output('ExportFunction', process.export.functionName, 'Updates the map when invoked');
    const { name, value, description } = train.trainer.byHand;
    output(name, value, description);
  }
}
