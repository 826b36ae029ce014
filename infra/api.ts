// The one way in: an HTTP API, with a throttle for each way so that a flood of hits never throttles a registry.
import { RemovalPolicy, Stack } from 'aws-cdk-lib';
import {
  CfnApiMapping,
  CfnStage,
  DomainName,
  HttpApi,
  HttpMethod,
  HttpNoneAuthorizer,
  IpAddressType,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration, HttpUrlIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { accessOf } from '#settings/access.ts';
import type { ResolvedSettings } from '#settings/schema.ts';
import { explain } from './explain.ts';

/** No address: `$context.identity.sourceIp` is left out, and so are names in the query. */
const accessLog = {
  time: '$context.requestTime',
  /** First in each line of the function's log. */
  functionRequest: '$context.integration.requestId',
  request: '$context.requestId',
  route: '$context.routeKey',
  status: '$context.status',
  bytes: '$context.responseLength',
  milliseconds: '$context.responseLatency',
  error: '$context.integrationErrorMessage',
};

export interface ApiProps {
  settings: ResolvedSettings;
  collect: IFunction;
  registry: IFunction;
  serve: IFunction;
  tiles: IFunction;
}

export class Api extends Construct {
  readonly api: HttpApi;
  /** `https://…`, without a slash at the end. */
  readonly url: string;
  readonly host: string;
  /** The name that `apiDomain` must be an alias of. */
  readonly domain?: DomainName;

  constructor(scope: Construct, id: string, { settings, collect, registry, serve, tiles }: ApiProps) {
    super(scope, id);
    // CORS is the app's, the same as on one machine; API Gateway would overwrite it.
    const { apiDomain } = settings;
    this.api = new HttpApi(this, 'Api', {
      createDefaultStage: false,
      description: 'Whalewatch',
      ipAddressType: IpAddressType.DUAL_STACK,
      disableExecuteApiEndpoint: apiDomain !== undefined,
    });
    const toCollect = new HttpLambdaIntegration('Collect', collect);
    const toRegistry = new HttpLambdaIntegration('Registry', registry);
    const toServe = new HttpLambdaIntegration('Serve', serve);
    // What a caller sees depends on who they are, unless everyone sees all: only then can the function that knows nobody
    // serve it.
    const toTiles =
      accessOf(settings, true).publicMap === 'names' ? new HttpLambdaIntegration('Tiles', tiles) : toServe;
    const add = (path: string, methods: HttpMethod[], integration: HttpLambdaIntegration) =>
      this.api.addRoutes({ path, methods, integration, authorizer: new HttpNoneAuthorizer() });
    const routes = [
      // ANY: a path without a route gets the app's own 404 or 405, not the gateway's.
      ...add('/v1/registry-events', [HttpMethod.POST, HttpMethod.ANY], toRegistry),
      ...add('/v1/hits', [HttpMethod.POST, HttpMethod.OPTIONS], toCollect),
      ...add('/v1/tiles/{proxy+}', [HttpMethod.GET, HttpMethod.HEAD], toTiles),
      ...add('/v1/points/latest', [HttpMethod.GET, HttpMethod.HEAD], toTiles),
      ...add('/{proxy+}', [HttpMethod.ANY], toServe),
    ];
    for (const route of routes)
      explain(route, {
        APIG4: 'The webhook and people compare a token in the function; the map and the beacon are public',
      });

    const log = new LogGroup(this, 'Log', { retention: settings.logDays, removalPolicy: RemovalPolicy.DESTROY });
    const { hits, registryEvents, tiles: tilesThrottle } = settings.throttle;
    const rate = (perSecond: number) => ({
      ThrottlingRateLimit: perSecond,
      ThrottlingBurstLimit: Math.min(5000, 2 * perSecond),
    });
    const stage = new CfnStage(this, 'Stage', {
      apiId: this.api.apiId,
      stageName: '$default',
      autoDeploy: true,
      accessLogSettings: { destinationArn: log.logGroupArn, format: JSON.stringify(accessLog) },
      defaultRouteSettings: { throttlingRateLimit: 500, throttlingBurstLimit: 1000, detailedMetricsEnabled: false },
      routeSettings: {
        'POST /v1/hits': rate(hits),
        'POST /v1/registry-events': rate(registryEvents),
        'GET /v1/tiles/{proxy+}': rate(tilesThrottle),
      },
    });
    for (const route of routes) stage.node.addDependency(route);
    const { region, urlSuffix } = Stack.of(this);
    this.host = apiDomain?.name ?? `${this.api.apiId}.execute-api.${region}.${urlSuffix}`;
    if (apiDomain) {
      this.domain = new DomainName(this, 'Domain', {
        domainName: apiDomain.name,
        certificate: Certificate.fromCertificateArn(this, 'Certificate', apiDomain.certificateArn),
      });
      new CfnApiMapping(this, 'Mapping', {
        apiId: this.api.apiId,
        domainName: this.domain.name,
        stage: stage.ref,
      });
    }
    this.url = `https://${this.host}`;
  }

  /** The beacon script lies with the pages and is asked for here: it sends its hits to where it came from, past CloudFront. */
  serveBeacon(site: string): void {
    const routes = this.api.addRoutes({
      path: '/hit.js',
      methods: [HttpMethod.GET, HttpMethod.HEAD],
      integration: new HttpUrlIntegration('Beacon', `${site}/hit.js`),
      authorizer: new HttpNoneAuthorizer(),
    });
    for (const route of routes) explain(route, { APIG4: 'A public script' });
  }
}
