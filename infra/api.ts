// The HTTP API, with a throttle for each kind of route, so that a flood of hits never throttles a registry.
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

/** Contains no address (no `$context.identity.sourceIp`) and no names (no query). */
const accessLog = {
  time: '$context.requestTime',
  /** Also in each line of the function's log. */
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
  /** The host name that `apiDomain` must point to. */
  readonly domain?: DomainName;

  constructor(scope: Construct, id: string, { settings, collect, registry, serve, tiles }: ApiProps) {
    super(scope, id);
    // The app sends the CORS headers, as on one machine; API Gateway's own would overwrite them.
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
    // What callers see depends on who they are, unless everyone sees everything: only then can the function without
    // sign-in serve it.
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

  /**
   * The beacon script is stored with the pages but served here, because it sends its hits to its own origin, without
   * CloudFront.
   */
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
