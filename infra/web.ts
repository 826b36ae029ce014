// web: CloudFront in front of the pages, the points, the tiles and the API; each with its own caching.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Duration, Names, RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import {
  AllowedMethods,
  CacheCookieBehavior,
  CacheHeaderBehavior,
  CachePolicy,
  CacheQueryStringBehavior,
  Distribution,
  Function as EdgeFunction,
  FunctionCode,
  FunctionEventType,
  FunctionRuntime,
  HeadersFrameOption,
  HeadersReferrerPolicy,
  HttpVersion,
  OriginRequestPolicy,
  PriceClass,
  ResponseHeadersPolicy,
  S3OriginAccessControl,
  SecurityPolicyProtocol,
  ViewerProtocolPolicy,
} from 'aws-cdk-lib/aws-cloudfront';
import { HttpOrigin, S3BucketOrigin } from 'aws-cdk-lib/aws-cloudfront-origins';
import { Effect, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { BlockPublicAccess, Bucket, BucketEncryption } from 'aws-cdk-lib/aws-s3';
import { BucketDeployment, CacheControl, Source } from 'aws-cdk-lib/aws-s3-deployment';
import { Construct } from 'constructs';
import { anonymousDocumentKey } from '#core/map/pointer.ts';
import { cookieName } from '#serve/session.ts';
import { accessOf } from '#settings/access.ts';
import { SettingError } from '#settings/error.ts';
import type { ResolvedSettings } from '#settings/schema.ts';
import { contentSecurityPolicy, yandexFile } from '../web/policy.ts';
import type { Api } from './api.ts';
import { explain, wildcard } from './explain.ts';
import type { Stores } from './stores.ts';
import { WebAcl } from './web-acl.ts';

export interface WebProps {
  settings: ResolvedSettings;
  stores: Stores;
  api: Api;
  /** Where hits come in: `https://…`. */
  hits: string;
}

const regionName = (scope: Construct) => {
  const { region } = Stack.of(scope);
  return Token.isUnresolved(region) ? 'a region that is not named' : region;
};
const pagesFolder = join(import.meta.dirname, '../build/web');

export class Web extends Construct {
  readonly bucket: Bucket;
  readonly distribution: Distribution;
  readonly host: string;
  readonly url: string;

  constructor(scope: Construct, id: string, { settings, stores, api, hits }: WebProps) {
    super(scope, id);
    this.bucket = new Bucket(this, 'Pages', {
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      removalPolicy: RemovalPolicy.DESTROY,
      // CloudFormation cannot delete a bucket that holds objects.
      autoDeleteObjects: true,
    });
    explain(this.bucket, { S1: 'Public files; an access log would hold addresses' });

    const caching = (name: string, maxAge: Duration, more: object = {}) =>
      new CachePolicy(this, name, {
        // A minimum above 0 would cache even responses with no-store.
        ...{ minTtl: Duration.seconds(0), defaultTtl: Duration.seconds(0), maxTtl: maxAge },
        ...{ enableAcceptEncodingGzip: true, enableAcceptEncodingBrotli: true },
        ...more,
      });
    const pages = caching('PageCache', Duration.days(365));
    // Everything a tile depends on is part of its key, or a filtered tile would be served as the whole.
    const tiles = caching('TileCache', Duration.days(365), {
      queryStringBehavior: CacheQueryStringBehavior.allowList(
        'hours',
        'since',
        'country',
        'theme',
        'size',
        'background',
      ),
    });
    // Responses about people have no-store; the caller is part of the key in any case.
    const responses = caching('AnswerCache', Duration.hours(1), {
      queryStringBehavior: CacheQueryStringBehavior.all(),
      headerBehavior: CacheHeaderBehavior.allowList('Authorization', 'Origin'),
      cookieBehavior: CacheCookieBehavior.allowList(cookieName('https://any.example', 'whalewatch')),
    });
    const { publicMap } = accessOf(settings, true);
    const originAccessControl = new S3OriginAccessControl(this, 'Access', {
      originAccessControlName: this.#named('Access'),
    });
    const apiOrigin = new HttpOrigin(api.host, {
      originShieldEnabled: settings.originShield !== undefined,
      originShieldRegion: settings.originShield,
    });
    const { REDIRECT_TO_HTTPS: viewerProtocolPolicy } = ViewerProtocolPolicy;
    const toApi = {
      origin: apiOrigin,
      viewerProtocolPolicy,
      // API Gateway responds 403 to a foreign Host.
      originRequestPolicy: OriginRequestPolicy.ALL_VIEWER_EXCEPT_HOST_HEADER,
    };
    const toPages = {
      origin: S3BucketOrigin.withOriginAccessControl(this.bucket, { originAccessControl }),
      viewerProtocolPolicy,
      cachePolicy: pages,
      functionAssociations: [{ function: this.#pageFile(), eventType: FunctionEventType.VIEWER_REQUEST }],
    };
    const webAclId = settings.webAclId ?? this.#rateAcl(settings);
    this.distribution = new Distribution(this, 'Distribution', {
      comment: 'Whalewatch',
      defaultRootObject: 'index.html',
      priceClass: PriceClass.PRICE_CLASS_100,
      httpVersion: HttpVersion.HTTP2_AND_3,
      webAclId,
      ...(settings.domainName
        ? {
            domainNames: [settings.domainName.name],
            minimumProtocolVersion: SecurityPolicyProtocol.TLS_V1_2_2021,
            certificate: Certificate.fromCertificateArn(this, 'Certificate', settings.domainName.certificateArn),
          }
        : {}),
      defaultBehavior: { ...toPages, responseHeadersPolicy: this.#headers('Headers') },
      additionalBehaviors: {
        // Only the map, which other sites may frame.
        '/embed': { ...toPages, responseHeadersPolicy: this.#headers('EmbedHeaders', { framed: true }) },
        ...(settings.yandexMapsKey
          ? { '/yandex': { ...toPages, responseHeadersPolicy: this.#headers('YandexHeaders', { withYandex: true }) } }
          : {}),
        '/hit.js': { ...toPages, responseHeadersPolicy: this.#open('BeaconHeaders') },
        '/v1/tiles/*': { ...toApi, cachePolicy: tiles },
        '/v1/hits': {
          ...toApi,
          cachePolicy: responses,
          allowedMethods: AllowedMethods.ALLOW_ALL,
          functionAssociations: [{ function: this.#hitsElsewhere(hits), eventType: FunctionEventType.VIEWER_REQUEST }],
        },
        '/v1/*': { ...toApi, cachePolicy: responses, allowedMethods: AllowedMethods.ALLOW_ALL },
        '/points.json':
          publicMap === false
            ? { ...toApi, cachePolicy: responses }
            : {
                // Without CDK's grant, which is on every key.
                origin: S3BucketOrigin.withBucketDefaults(stores.bucket, {
                  originAccessControlId: originAccessControl.originAccessControlId,
                }),
                viewerProtocolPolicy,
                cachePolicy: pages,
                responseHeadersPolicy: this.#open('PointsHeaders'),
                ...(publicMap === 'anonymous' ? { functionAssociations: [this.#anonymousDocument()] } : {}),
              },
      },
      // By default CloudFront caches errors for 10 s whatever their headers; after a recovery a page must work at once.
      errorResponses: [404, 405, 500, 502, 503, 504].map((httpStatus) => ({ httpStatus, ttl: Duration.seconds(1) })),
    });
    stores.allowData(
      new PolicyStatement({
        effect: Effect.ALLOW,
        principals: [new ServicePrincipal('cloudfront.amazonaws.com')],
        actions: ['s3:GetObject'],
        resources: [stores.bucket.arnForObjects(publicMap === 'names' ? 'points.json' : anonymousDocumentKey)],
        conditions: { StringEquals: { 'AWS:SourceArn': this.distribution.distributionArn } },
      }),
    );
    const reasons = {
      CFR1: 'The map is for everybody',
      CFR2: 'A web ACL costs $6 a month and $0.60 a million requests: set requestsPerAddress or webAclId for one',
      CFR3: 'Standard logs hold addresses and cannot leave them out; the API has a log without',
      CFR4: "CloudFront's own certificate: with domainName set TLS 1.2 is the least",
      CFR7: 'Both buckets have origin access control; the API origin is not a bucket',
    };
    explain(this.distribution, reasons);
    this.host = settings.domainName?.name ?? this.distribution.distributionDomainName;
    this.url = `https://${this.host}`;
    api.serveBeacon(this.url);
    this.#upload(settings);
  }

  /** Undefined if the load balancer has its own, and the region allows none for CloudFront. */
  #rateAcl({ requestsPerAddress, collector }: ResolvedSettings): string | undefined {
    if (requestsPerAddress === undefined) return undefined;
    if (Stack.of(this).region === 'us-east-1')
      return new WebAcl(this, 'WebAcl', { scope: 'CLOUDFRONT', requestsPerAddress }).arn;
    if (collector === 'fargate') return undefined;
    throw new SettingError(
      `requestsPerAddress is ${requestsPerAddress}, and the stack is in ${regionName(this)}: AWS makes web ACLs of CloudFront in us-east-1 only. Deploy examples/aws/web-acl.yml there, and give its output as webAclId`,
    );
  }

  /** Names in CloudFront must be unique in the account: the same stack may exist in another region. */
  #named(id: string): string {
    return `${Names.uniqueResourceName(this, { maxLength: 30 })}-${id}-${Stack.of(this).region}`;
  }

  #headers(id: string, { framed = false, withYandex = false } = {}) {
    return new ResponseHeadersPolicy(this, id, {
      responseHeadersPolicyName: this.#named(id),
      securityHeadersBehavior: {
        contentSecurityPolicy: { contentSecurityPolicy: contentSecurityPolicy({ framed, withYandex }), override: true },
        contentTypeOptions: { override: true },
        ...(framed ? {} : { frameOptions: { frameOption: HeadersFrameOption.DENY, override: false } }),
        referrerPolicy: { referrerPolicy: HeadersReferrerPolicy.STRICT_ORIGIN_WHEN_CROSS_ORIGIN, override: true },
        strictTransportSecurity: { accessControlMaxAge: Duration.days(365), includeSubdomains: false, override: true },
      },
    });
  }

  /** Everyone gets the points without names; with names the team asks the API for them. */
  #anonymousDocument() {
    const code = `function handler(event) {
  event.request.uri = '/${anonymousDocumentKey}';
  return event.request;
}`;
    const rewrite = new EdgeFunction(this, 'AnonymousDocument', {
      code: FunctionCode.fromInline(code),
      runtime: FunctionRuntime.JS_2_0,
    });
    return { function: rewrite, eventType: FunctionEventType.VIEWER_REQUEST };
  }

  /** Any site may read the points, as through the API, and load the beacon, also under Cross-Origin-Embedder-Policy. */
  #open(id: string) {
    return new ResponseHeadersPolicy(this, id, {
      responseHeadersPolicyName: this.#named(id),
      corsBehavior: {
        accessControlAllowOrigins: ['*'],
        accessControlAllowMethods: ['GET', 'HEAD'],
        accessControlAllowHeaders: ['*'],
        accessControlAllowCredentials: false,
        originOverride: true,
      },
      customHeadersBehavior: {
        customHeaders: [{ header: 'Cross-Origin-Resource-Policy', value: 'cross-origin', override: true }],
      },
      securityHeadersBehavior: { contentTypeOptions: { override: true } },
    });
  }

  /**
   * A hit that comes here is redirected to the API: through CloudFront it would cost twice and have CloudFront's
   * address. A browser repeats a POST after 308.
   */
  #hitsElsewhere(url: string) {
    const code = `function handler(event) {
  if (event.request.method !== 'POST') return event.request;
  return {
    statusCode: 308,
    statusDescription: 'Permanent Redirect',
    headers: { location: { value: '${url}/v1/hits' }, 'access-control-allow-origin': { value: '*' } },
  };
}`;
    return new EdgeFunction(this, 'HitsElsewhere', {
      code: FunctionCode.fromInline(code),
      runtime: FunctionRuntime.JS_2_0,
    });
  }

  /**
   * Maps a page's address to its file: `/people` is `/people.html` (web/policy.ts). A path without a file gets a 404
   * page: S3 would respond with XML, and an error page of the distribution would replace the API's JSON too.
   */
  #pageFile() {
    const files = existsSync(pagesFolder) ? readdirSync(pagesFolder).filter((name) => /\.\w+$/.test(name)) : [];
    const code = `var files = ${JSON.stringify(files)};
function handler(event) {
  var request = event.request;
  if (/\\/[^/.]+$/.test(request.uri)) request.uri += '.html';
  var uri = request.uri;
  if (files.length === 0 || uri === '/' || uri.indexOf('/assets/') === 0 || files.indexOf(uri.slice(1)) >= 0) return request;
  return {
    statusCode: 404,
    statusDescription: 'Not Found',
    headers: { 'content-type': { value: 'text/html; charset=utf-8' } },
    body: {
      encoding: 'text',
      data: '<!doctype html><html lang="en"><title>Not found</title><p>There is no such page. <a href="/">To the map</a></p></html>',
    },
  };
}`;
    return new EdgeFunction(this, 'PageFile', { code: FunctionCode.fromInline(code), runtime: FunctionRuntime.JS_2_0 });
  }

  #upload(settings: ResolvedSettings) {
    if (!existsSync(join(pagesFolder, 'index.html')))
      throw new Error(`${pagesFolder} is empty: run node web/build.ts first`);
    const logGroup = new LogGroup(this, 'UploadLog', {
      retention: settings.logDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const common = {
      destinationBucket: this.bucket,
      // Pages are revalidated at each view and assets have unique names, so no invalidation is needed.
      prune: false,
      memoryLimit: 512,
      logGroup,
    };
    const assets = new BucketDeployment(this, 'Assets', {
      ...common,
      sources: [Source.asset(pagesFolder, { exclude: ['*', '!assets', '!assets/**'] })],
      cacheControl: [CacheControl.fromString('public, max-age=31536000, immutable')],
    });
    const files = new BucketDeployment(this, 'Files', {
      ...common,
      sources: [
        Source.asset(pagesFolder, { exclude: ['assets', '.inputs'] }),
        // Replaces the built one.
        ...(settings.yandexMapsKey ? [Source.jsonData(yandexFile.slice(1), { key: settings.yandexMapsKey })] : []),
      ],
      cacheControl: [CacheControl.fromString('public, max-age=0, must-revalidate')],
    });
    // Uploaded after the assets: a page without its assets would be broken.
    files.node.addDependency(assets);
    const stack = Stack.of(this);
    const uploader = stack.node.children.find(({ node }) => node.id.startsWith('Custom::CDKBucketDeployment'));
    if (uploader)
      for (const found of [
        'L1',
        'IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole]',
        ...['s3:GetBucket*', 's3:GetObject*', 's3:List*', 's3:Abort*', 's3:DeleteObject*'].map(
          (of) => `IAM5[Action::${of}]`,
        ),
        wildcard(this, `arn:${stack.partition}:s3:::cdk-hnb659fds-assets-${stack.account}-${stack.region}/*`),
        wildcard(this, this.bucket.arnForObjects('*')),
      ])
        explain(uploader, { [found]: "CDK's own uploader of assets, which runs while deploying only" });
  }
}
