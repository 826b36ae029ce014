// Facts about the API and CloudFront.
import {
  type Check,
  each,
  isKept,
  ofType,
  type Resource,
  type Resources,
  statementsOf,
  target,
  textOf,
} from './check.ts';

interface Behavior {
  PathPattern?: string;
  CachePolicyId?: unknown;
  OriginRequestPolicyId?: unknown;
  TargetOriginId: string;
}

const cloudFront = 'AmazonCloudFront/latest/DeveloperGuide';
const httpApi = 'apigateway/latest/developerguide';

const behaviors = ({ DistributionConfig }: Resource['Properties']): Behavior[] => [
  DistributionConfig.DefaultCacheBehavior,
  ...(DistributionConfig.CacheBehaviors ?? []),
];
/** Origins that are not buckets: the API. */
const apiOrigins = ({ DistributionConfig }: Resource['Properties']): string[] =>
  DistributionConfig.Origins.filter(
    ({ CustomOriginConfig }: { CustomOriginConfig?: unknown }) => CustomOriginConfig,
  ).map(({ Id }: { Id: string }) => Id);
const toApi = (properties: Resource['Properties']) =>
  behaviors(properties).filter(({ TargetOriginId }) => apiOrigins(properties).includes(TargetOriginId));

const ofCache = (test: (config: Record<string, never>) => unknown) =>
  each('CloudFront::CachePolicy', ({ CachePolicyConfig }) => test(CachePolicyConfig));
const ofDistribution = (test: (config: Record<string, never>, properties: Resource['Properties']) => unknown) =>
  each('CloudFront::Distribution', (properties) => test(properties.DistributionConfig, properties));

/** The functions behind the API. */
const apiFunctions = (resources: Resources) =>
  new Set(
    ofType(resources, 'ApiGatewayV2::Integration')
      .map(([, { Properties }]) => target(Properties.IntegrationUri) ?? '')
      .map((id) =>
        resources[id]?.Type === 'AWS::Lambda::Alias' ? (target(resources[id].Properties.FunctionName) ?? '') : id,
      )
      .filter((id) => resources[id]?.Type === 'AWS::Lambda::Function'),
  );

/** The managed policy that forwards everything of the viewer except Host. */
const exceptHost = 'b689b0a8-53d0-40ab-baf2-68738e2966ac';

export const edgeChecks: Check[] = [
  {
    id: 'api-timeout',
    fact: 'An HTTP API waits at most 30 s for a function: every function behind it must end earlier',
    document: `${httpApi}/http-api-quotas.html`,
    faults: (resources) => [...apiFunctions(resources)].filter((id) => !(resources[id].Properties.Timeout < 30)),
  },
  {
    id: 'api-cors',
    fact: "If CORS is set on the API, the gateway responds to preflight requests itself and ignores the function's headers",
    document: `${httpApi}/http-api-cors.html`,
    faults: each('ApiGatewayV2::Api', ({ CorsConfiguration }) => CorsConfiguration === undefined),
  },
  {
    id: 'api-payload',
    fact: 'The functions read payload 2.0: in 1.0 the source address is elsewhere',
    document: `${httpApi}/http-api-develop-integrations-lambda.html`,
    faults: each(
      'ApiGatewayV2::Integration',
      ({ IntegrationType, PayloadFormatVersion }) => IntegrationType !== 'AWS_PROXY' || PayloadFormatVersion === '2.0',
    ),
  },
  {
    id: 'api-routes',
    fact: 'An HTTP API has 300 routes at most',
    document: `${httpApi}/http-api-quotas.html`,
    faults: (resources) => (ofType(resources, 'ApiGatewayV2::Route').length > 300 ? ['more than 300 routes'] : []),
  },
  {
    id: 'api-throttle',
    fact: 'A route without its own throttle shares that of its stage and account: hits, webhook and tiles each have one',
    document: `${httpApi}/http-api-throttling.html`,
    faults: each(
      'ApiGatewayV2::Stage',
      ({ RouteSettings = {}, DefaultRouteSettings }) =>
        DefaultRouteSettings?.ThrottlingRateLimit > 0 &&
        [/\/v1\/hits$/, /registry-events$/].every((route) =>
          Object.entries(RouteSettings as Record<string, { ThrottlingRateLimit?: number }>).some(
            ([name, { ThrottlingRateLimit = 0 }]) => route.test(name) && ThrottlingRateLimit > 0,
          ),
        ),
    ),
  },
  {
    id: 'api-route-settings',
    fact: 'A route setting names a route that exists, or the stage is not made',
    document: 'AWSCloudFormation/latest/TemplateReference/aws-resource-apigatewayv2-stage.html',
    faults: (resources) => {
      const keys = ofType(resources, 'ApiGatewayV2::Route').map(([, { Properties }]) => Properties.RouteKey);
      return ofType(resources, 'ApiGatewayV2::Stage').flatMap(([, { Properties }]) =>
        Object.keys(Properties.RouteSettings ?? {}).filter((name) => !keys.includes(name)),
      );
    },
  },
  {
    id: 'api-log-address',
    fact: 'An access log holds what its format lists: no address and no query, which can name people',
    document: `${httpApi}/http-api-logging-variables.html`,
    faults: each(
      'ApiGatewayV2::Stage',
      ({ AccessLogSettings }) =>
        AccessLogSettings && !/sourceIp|\$context\.path|userAgent|querystring/i.test(AccessLogSettings.Format),
    ),
  },
  {
    id: 'api-log-request',
    fact: "$context.integration.requestId is the request ID of the function's own log lines",
    document: `${httpApi}/http-api-logging-variables.html`,
    faults: each('ApiGatewayV2::Stage', ({ AccessLogSettings }) =>
      AccessLogSettings?.Format.includes('$context.integration.requestId'),
    ),
  },
  {
    id: 'api-metrics',
    fact: "Metrics of each route are billed as custom ones: the alarms need the API's own",
    document: `${httpApi}/http-api-metrics.html`,
    faults: each(
      'ApiGatewayV2::Stage',
      ({ DefaultRouteSettings }) => DefaultRouteSettings.DetailedMetricsEnabled === false,
    ),
  },
  {
    id: 'api-endpoint',
    fact: "With a custom domain, the API's default endpoint goes on working and bypasses every rule on the domain, unless it is disabled",
    document: `${httpApi}/http-api-disable-default-endpoint.html`,
    faults: (resources) =>
      ofType(resources, 'ApiGatewayV2::ApiMapping')
        .map(([, { Properties }]) => target(Properties.ApiId) ?? '')
        .filter((id) => resources[id].Properties.DisableExecuteApiEndpoint !== true),
  },
  {
    id: 'acl-samples',
    fact: 'A web ACL keeps samples of requests, with address and query, for three hours unless that is off for the ACL and each rule',
    document: 'waf/latest/developerguide/web-acl-testing-view-sample.html',
    faults: each('WAFv2::WebACL', ({ VisibilityConfig, Rules }) =>
      [VisibilityConfig, ...Rules.map((rule: Resource['Properties']) => rule.VisibilityConfig)].every(
        ({ SampledRequestsEnabled }) => SampledRequestsEnabled === false,
      ),
    ),
  },
  {
    id: 'acl-rate',
    fact: 'A rate rule counts every request of an address that its scope-down statement lets through: not those of a registry, which sends its backlog from one',
    document: 'waf/latest/developerguide/waf-rule-statement-type-rate-based.html',
    faults: each('WAFv2::WebACL', ({ Rules }) =>
      Rules.every(({ Statement }: Resource['Properties']) =>
        JSON.stringify(Statement.RateBasedStatement.ScopeDownStatement?.NotStatement)?.includes(
          '"/v1/registry-events"',
        ),
      ),
    ),
  },
  {
    id: 'acl-scope',
    fact: 'CloudFront takes a web ACL of scope CLOUDFRONT only, a load balancer a REGIONAL one; an HTTP API takes none',
    document: 'waf/latest/developerguide/how-aws-waf-works-resources.html',
    faults: (resources) => {
      const scopeOf = (value: unknown) => resources[target(value) ?? '']?.Properties.Scope;
      const misplaced = (type: string, of: (properties: Resource['Properties']) => unknown, scope: string) =>
        ofType(resources, type)
          .filter(([, { Properties }]) => ![undefined, scope].includes(scopeOf(of(Properties))))
          .map(([id]) => id);
      return [
        ...misplaced('CloudFront::Distribution', ({ DistributionConfig }) => DistributionConfig.WebACLId, 'CLOUDFRONT'),
        ...misplaced('WAFv2::WebACLAssociation', ({ WebACLArn }) => WebACLArn, 'REGIONAL'),
      ];
    },
  },
  {
    id: 'cache-minimum',
    fact: 'With a minimum TTL above 0, CloudFront caches even responses with no-store',
    document: `${cloudFront}/cache-key-understand-cache-policy.html`,
    faults: ofCache(({ MinTTL }) => MinTTL === 0),
  },
  {
    id: 'cache-default',
    fact: 'A response without caching headers is cached for a day unless the default TTL is 0',
    document: `${cloudFront}/cache-key-understand-cache-policy.html`,
    faults: ofCache(({ DefaultTTL }) => DefaultTTL === 0),
  },
  {
    id: 'cache-compression',
    fact: 'CloudFront compresses only if the cache policy enables gzip and Brotli and the behavior enables compression',
    document: `${cloudFront}/ServingCompressedFiles.html`,
    faults: (resources) => [
      ...ofCache(
        ({
          ParametersInCacheKeyAndForwardedToOrigin: key,
        }: Record<string, { EnableAcceptEncodingGzip: boolean; EnableAcceptEncodingBrotli: boolean }>) =>
          key.EnableAcceptEncodingGzip && key.EnableAcceptEncodingBrotli,
      )(resources),
      ...ofDistribution((_, properties) =>
        behaviors(properties).every((one) => (one as { Compress?: boolean }).Compress),
      )(resources),
    ],
  },
  {
    id: 'cache-query',
    fact: 'CloudFront drops the query unless the cache policy names it: all that a tile depends on is part of its key',
    document: `${cloudFront}/QueryStringParameters.html`,
    faults: (resources) =>
      ofDistribution((_, properties) =>
        toApi(properties).every(({ CachePolicyId }) => {
          const policy = resources[target(CachePolicyId) ?? '']?.Properties.CachePolicyConfig;
          return policy?.ParametersInCacheKeyAndForwardedToOrigin.QueryStringsConfig.QueryStringBehavior !== 'none';
        }),
      )(resources),
  },
  {
    id: 'cache-people',
    fact: "A reader must not get another reader's response: token and cookie are part of the key",
    document: `${cloudFront}/add-origin-custom-headers.html#add-origin-custom-headers-forward-authorization`,
    faults: (resources) =>
      ofDistribution((_, properties) =>
        toApi(properties)
          .filter(({ PathPattern = '' }) => PathPattern === '/v1/*')
          .every(({ CachePolicyId }) => {
            const key = JSON.stringify(resources[target(CachePolicyId) ?? '']?.Properties.CachePolicyConfig);
            return key.includes('"Authorization"') && /"CookieBehavior":"(whitelist|all)"/.test(key);
          }),
      )(resources),
  },
  {
    id: 'cache-errors',
    fact: 'CloudFront caches 404, 405 and 5xx for ten seconds, whatever their headers say, unless the distribution sets less',
    document: `${cloudFront}/custom-error-pages-expiration.html`,
    faults: ofDistribution(({ CustomErrorResponses = [] }) =>
      [404, 405, 500, 502, 503, 504].every((status) =>
        (CustomErrorResponses as { ErrorCode: number; ErrorCachingMinTTL: number }[]).some(
          ({ ErrorCode, ErrorCachingMinTTL }) => ErrorCode === status && ErrorCachingMinTTL <= 1,
        ),
      ),
    ),
  },
  {
    id: 'error-pages',
    fact: "An error page of the distribution would also replace the API's JSON: it must have none",
    document: `${cloudFront}/GeneratingCustomErrorResponses.html`,
    faults: ofDistribution(({ CustomErrorResponses = [] }) =>
      (CustomErrorResponses as { ResponsePagePath?: string }[]).every(({ ResponsePagePath }) => !ResponsePagePath),
    ),
  },
  {
    id: 'origin-host',
    fact: "API Gateway responds 403 to a foreign Host: everything of the viewer's request is forwarded except Host",
    document: `${cloudFront}/using-managed-origin-request-policies.html#managed-origin-request-policy-all-viewer-except-host-header`,
    faults: ofDistribution((_, properties) =>
      toApi(properties).every(({ OriginRequestPolicyId }) => OriginRequestPolicyId === exceptHost),
    ),
  },
  {
    id: 'origin-tls',
    fact: 'CloudFront speaks plain HTTP to an origin by default',
    document: `${cloudFront}/using-https-cloudfront-to-custom-origin.html`,
    faults: ofDistribution(({ Origins }) =>
      (Origins as { CustomOriginConfig?: { OriginProtocolPolicy: string } }[]).every(
        ({ CustomOriginConfig }) => !CustomOriginConfig || CustomOriginConfig.OriginProtocolPolicy === 'https-only',
      ),
    ),
  },
  {
    id: 'origin-control',
    fact: 'A private bucket responds to CloudFront only if the origin has an access control that signs',
    document: `${cloudFront}/private-content-restricting-access-to-s3.html`,
    faults: ofDistribution(({ Origins }) =>
      (Origins as { S3OriginConfig?: object; OriginAccessControlId?: unknown }[]).every(
        ({ S3OriginConfig, OriginAccessControlId }) => !S3OriginConfig || OriginAccessControlId,
      ),
    ),
  },
  {
    id: 'origin-points',
    fact: 'CloudFront reads only what the bucket policy allows: of the data bucket, only the export of points',
    document: `${cloudFront}/private-content-restricting-access-to-s3.html#create-oac-permission-to-s3`,
    faults: (resources) =>
      ofType(resources, 'S3::BucketPolicy')
        .filter(([, { Properties }]) => {
          const bucket = resources[target(Properties.Bucket) ?? ''];
          return !bucket || isKept(bucket);
        })
        .filter(([, { Properties }]) =>
          statementsOf(Properties.PolicyDocument).some(
            ({ Effect, Principal, Resource }) =>
              Effect === 'Allow' &&
              JSON.stringify(Principal).includes('cloudfront') &&
              Resource.some((of) => !/\/points(\.json|\/anonymous\.json)$/.test(of)),
          ),
        )
        .map(([id]) => id),
  },
  {
    id: 'origin-account',
    fact: "CloudFront's principal acts for every distribution: a condition names this one",
    document: `${cloudFront}/private-content-restricting-access-to-s3.html#create-oac-permission-to-s3`,
    faults: each('S3::BucketPolicy', ({ PolicyDocument }) =>
      statementsOf(PolicyDocument).every(
        ({ Principal, Condition }) =>
          !JSON.stringify(Principal)?.includes('cloudfront') || JSON.stringify(Condition)?.includes('AWS:SourceArn'),
      ),
    ),
  },
  {
    id: 'viewer-tls',
    fact: 'A distribution takes plain HTTP unless each behavior says otherwise',
    document: `${cloudFront}/using-https-viewers-to-cloudfront.html`,
    faults: ofDistribution((_, properties) =>
      behaviors(properties).every(
        (one) => (one as { ViewerProtocolPolicy?: string }).ViewerProtocolPolicy === 'redirect-to-https',
      ),
    ),
  },
  {
    id: 'viewer-certificate',
    fact: 'A certificate of CloudFront must be in us-east-1',
    document: `${cloudFront}/cnames-and-https-requirements.html`,
    faults: ofDistribution(({ ViewerCertificate }) => {
      const { AcmCertificateArn: arn } = (ViewerCertificate ?? {}) as { AcmCertificateArn?: unknown };
      return typeof arn !== 'string' || /:acm:us-east-1:/.test(arn);
    }),
  },
  {
    id: 'viewer-http3',
    fact: 'HTTP/3 saves a phone a round trip; HTTP/2 is the default',
    document: `${cloudFront}/DownloadDistValuesGeneral.html#DownloadDistValuesSupportedHTTPVersions`,
    faults: ofDistribution(({ HttpVersion }) => HttpVersion === 'http2and3'),
  },
  {
    id: 'viewer-ipv6',
    fact: 'A distribution responds over IPv6 only if that is enabled',
    document: `${cloudFront}/cloudfront-enable-ipv6.html`,
    faults: ofDistribution(({ IPV6Enabled }) => IPV6Enabled),
  },
  {
    id: 'viewer-log',
    fact: 'Standard logs always hold the address: they are off',
    document: `${cloudFront}/AccessLogs.html`,
    faults: ofDistribution(({ Logging }) => Logging === undefined),
  },
  {
    id: 'headers-length',
    fact: 'A Content-Security-Policy of a response headers policy has 1,783 characters at most',
    document: `${cloudFront}/cloudfront-limits.html`,
    faults: each('CloudFront::ResponseHeadersPolicy', ({ ResponseHeadersPolicyConfig }) => {
      const policy =
        ResponseHeadersPolicyConfig.SecurityHeadersConfig?.ContentSecurityPolicy?.ContentSecurityPolicy ?? '';
      return policy.length <= 1783;
    }),
  },
  {
    id: 'names-region',
    fact: 'Names of CloudFront policies are unique in the whole account: a second stack would collide with fixed ones',
    document: `${cloudFront}/controlling-the-cache-key.html`,
    faults: (resources) =>
      Object.entries(resources)
        .filter(([, { Type }]) => /^AWS::CloudFront::(?!Distribution)/.test(Type))
        .filter(([, { Properties }]) => {
          const name =
            Properties.Name ?? Object.values(Properties).flatMap((one) => (one as { Name?: unknown }).Name ?? [])[0];
          return !/<AWS::Region>|[a-z]{2}(-[a-z]+)+-\d/.test(textOf(name));
        })
        .map(([id]) => id),
  },
  {
    id: 'edge-function',
    fact: 'A CloudFront function has 10 KB of code',
    document: `${cloudFront}/cloudfront-function-restrictions.html`,
    faults: each('CloudFront::Function', ({ FunctionCode }) => textOf(FunctionCode).length <= 10_000),
  },
];
