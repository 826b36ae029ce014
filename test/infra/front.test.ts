// The front door of a deployment: the API's stage, CloudFront's caches and headers.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { parse } from 'yaml';
import { tileParameters } from '#serve/map/tiles.ts';
import type { Settings } from '#settings/schema.ts';
import { buildPages } from '../../web/build.ts';
import { type Resource, resourcesOf, synthesise } from '../support/synthesise.ts';

let resources: Record<string, Resource>;
const of = (type: string) => Object.values(resources).filter(({ Type }) => Type === type);
const at = ({ Ref }: { Ref: string }) => resources[Ref].Properties;

interface Behaviour {
  PathPattern?: string;
  CachePolicyId: { Ref: string };
  ResponseHeadersPolicyId?: { Ref: string };
  OriginRequestPolicyId?: string;
  AllowedMethods?: string[];
  FunctionAssociations?: { FunctionARN: { 'Fn::GetAtt': [string] } }[];
}
let behaviours: Map<string, Behaviour>;
const behaviour = (path: string) => {
  const found = behaviours.get(path);
  assert.ok(found, path);
  return found;
};
const key = (path: string) => at(behaviour(path).CachePolicyId).CachePolicyConfig;
const csp = (path: string): string => {
  const policy = behaviour(path).ResponseHeadersPolicyId;
  assert.ok(policy, path);
  return at(policy).ResponseHeadersPolicyConfig.SecurityHeadersConfig.ContentSecurityPolicy?.ContentSecurityPolicy;
};

before(async () => {
  await buildPages();
  resources = resourcesOf(synthesise({ throttle: { hits: 50, registryEvents: 20 } }).stack);
  const [distribution] = of('AWS::CloudFront::Distribution');
  const { DefaultCacheBehavior, CacheBehaviors } = distribution.Properties.DistributionConfig;
  behaviours = new Map([
    ['*', DefaultCacheBehavior],
    ...CacheBehaviors.map((one: Behaviour) => [one.PathPattern, one] as const),
  ]);
});

test('a flood of hits never throttles a registry, and the access log contains no address and no name', () => {
  const [{ Properties }] = of('AWS::ApiGatewayV2::Stage');
  assert.equal(Properties.StageName, '$default');
  assert.equal(Properties.RouteSettings['POST /v1/hits'].ThrottlingRateLimit, 50);
  assert.equal(Properties.RouteSettings['POST /v1/registry-events'].ThrottlingRateLimit, 20);
  assert.ok(Properties.DefaultRouteSettings.ThrottlingRateLimit > 0);
  const routes = of('AWS::ApiGatewayV2::Route').map((route) => route.Properties.RouteKey);
  for (const key of Object.keys(Properties.RouteSettings)) assert.ok(routes.includes(key), key);
  const used = [...Properties.AccessLogSettings.Format.matchAll(/\$context\.(\w+(\.\w+)?)/g)].map(([, name]) => name);
  const harmless = [
    'requestTime',
    'routeKey',
    'status',
    'responseLength',
    'responseLatency',
    'integrationErrorMessage',
    'requestId',
    'integration.requestId',
  ];
  assert.deepEqual(
    used.filter((name) => !harmless.includes(name)),
    [],
  );
});

test('any site may load the beacon and the points, also a site with Cross-Origin-Embedder-Policy', () => {
  for (const path of ['/hit.js', '/points.json']) {
    const policy = behaviour(path).ResponseHeadersPolicyId;
    assert.ok(policy, path);
    const { CorsConfig, CustomHeadersConfig } = at(policy).ResponseHeadersPolicyConfig;
    assert.deepEqual(CorsConfig.AccessControlAllowOrigins.Items, ['*']);
    assert.deepEqual(
      CustomHeadersConfig.Items.map(({ Header, Value }: { Header: string; Value: string }) => [Header, Value]),
      [['Cross-Origin-Resource-Policy', 'cross-origin']],
    );
  }
});

test('no cache keeps a response longer than its origin allows: minimum and default TTL are 0', () => {
  for (const { Properties } of of('AWS::CloudFront::CachePolicy')) {
    const { MinTTL, DefaultTTL, ParametersInCacheKeyAndForwardedToOrigin: parameters } = Properties.CachePolicyConfig;
    assert.equal(MinTTL, 0);
    assert.equal(DefaultTTL, 0);
    assert.ok(parameters.EnableAcceptEncodingGzip && parameters.EnableAcceptEncodingBrotli);
  }
});

test('tiles of a snapshot are cached for a year, with everything that a tile depends on in the cache key', () => {
  const { snapshot: _snapshot, z: _z, x: _x, file: _file, ...query } = tileParameters;
  const { MaxTTL, ParametersInCacheKeyAndForwardedToOrigin: forwarded } = key('/v1/tiles/*');
  assert.equal(MaxTTL, 365 * 86_400);
  assert.deepEqual(new Set(forwarded.QueryStringsConfig.QueryStrings), new Set(Object.keys(query)));
  assert.equal(forwarded.HeadersConfig.HeaderBehavior, 'none');
  assert.equal(forwarded.CookiesConfig.CookieBehavior, 'none');
});

test('responses are cached by the whole query and the caller; the token is passed to the API, the Host header is not', () => {
  const { MaxTTL, ParametersInCacheKeyAndForwardedToOrigin: forwarded } = key('/v1/*');
  assert.ok(MaxTTL <= 3600);
  assert.equal(forwarded.QueryStringsConfig.QueryStringBehavior, 'all');
  assert.ok(forwarded.HeadersConfig.Headers.includes('Authorization'));
  assert.deepEqual(forwarded.CookiesConfig.Cookies, ['__Host-whalewatch']);
  // ALL_VIEWER_EXCEPT_HOST_HEADER
  for (const path of ['/v1/*', '/v1/tiles/*', '/v1/hits'])
    assert.equal(behaviour(path).OriginRequestPolicyId, 'b689b0a8-53d0-40ab-baf2-68738e2966ac', path);
  assert.ok(behaviour('/v1/*').AllowedMethods?.includes('DELETE'));
  // CloudFront uses the first pattern that matches.
  const order = [...behaviours.keys()];
  for (const path of ['/v1/tiles/*', '/v1/hits']) assert.ok(order.indexOf(path) < order.indexOf('/v1/*'), path);
});

test('the page on Yandex Maps has its own policy, and the key if one is set', () => {
  assert.ok(!behaviours.has('/yandex'), 'without a key, no other site');
  assert.doesNotMatch(csp('*'), /yandex/);
  const keyed = resourcesOf(synthesise({ yandexMapsKey: 'a-key-1' }).stack);
  const [distribution] = Object.values(keyed).filter(({ Type }) => Type === 'AWS::CloudFront::Distribution');
  const { DefaultCacheBehavior, CacheBehaviors } = distribution.Properties.DistributionConfig;
  const policyOf = ({ ResponseHeadersPolicyId }: Behaviour) =>
    keyed[ResponseHeadersPolicyId?.Ref ?? ''].Properties.ResponseHeadersPolicyConfig.SecurityHeadersConfig
      .ContentSecurityPolicy.ContentSecurityPolicy;
  for (const one of [DefaultCacheBehavior, ...CacheBehaviors.filter((one: Behaviour) => one.ResponseHeadersPolicyId)])
    if (one.PathPattern === '/yandex') assert.match(policyOf(one), /script-src 'self' https:\/\/api-maps\.yandex\.ru/);
    else if (one.PathPattern === undefined || one.PathPattern === '/embed')
      assert.doesNotMatch(policyOf(one), /yandex/);
  assert.ok(CacheBehaviors.some((one: Behaviour) => one.PathPattern === '/yandex'));
  const uploads = Object.values(keyed).filter(({ Type }) => Type === 'Custom::CDKBucketDeployment');
  assert.ok(
    uploads.some(({ Properties }) => Properties.SourceBucketNames.length === 2),
    'the file with the key',
  );
});

test('any site may read the points, which are served from the bucket', () => {
  const policy = behaviour('/points.json').ResponseHeadersPolicyId;
  assert.ok(policy);
  const { CorsConfig } = at(policy).ResponseHeadersPolicyConfig;
  assert.deepEqual(CorsConfig.AccessControlAllowOrigins.Items, ['*']);
  assert.equal(key('/points.json').ParametersInCacheKeyAndForwardedToOrigin.HeadersConfig.HeaderBehavior, 'none');
});

test('a page may run its own scripts and draw the map, and only /embed may be framed', () => {
  for (const path of ['*', '/embed']) {
    const rules = new Map(
      csp(path)
        .split('; ')
        .map((rule) => [rule.split(' ')[0], rule.split(' ').slice(1)]),
    );
    assert.deepEqual(rules.get('default-src'), ["'none'"]);
    assert.deepEqual(rules.get('script-src'), ["'self'"]);
    // MapLibre needs: a worker from our own origin (setWorkerUrl), tiles by fetch, sprites and its controls' icons as
    // data URLs.
    assert.ok(rules.get('worker-src')?.includes("'self'"));
    assert.ok(rules.get('connect-src')?.includes("'self'"));
    assert.ok(rules.get('img-src')?.includes('data:'));
    assert.deepEqual(rules.get('frame-ancestors'), [path === '/embed' ? '*' : "'none'"]);
    assert.ok(csp(path).length < 1783, 'CloudFront accepts no longer one');
  }
  const frames = (path: string) =>
    at(behaviour(path).ResponseHeadersPolicyId as { Ref: string }).ResponseHeadersPolicyConfig.SecurityHeadersConfig
      .FrameOptions?.FrameOption;
  assert.equal(frames('*'), 'DENY');
  assert.equal(frames('/embed'), undefined);
});

test('an error is not cached: after a recovery the page works at once', () => {
  const [{ Properties }] = of('AWS::CloudFront::Distribution');
  const errors = Properties.DistributionConfig.CustomErrorResponses as {
    ErrorCode: number;
    ErrorCachingMinTTL: number;
  }[];
  for (const status of [404, 405, 500, 502, 503, 504])
    assert.ok((errors.find(({ ErrorCode }) => ErrorCode === status)?.ErrorCachingMinTTL ?? 10) <= 1, String(status));
});

test('the buckets behind CloudFront can be read only with its own signature', () => {
  const [{ Properties }] = of('AWS::CloudFront::Distribution');
  const origins = Properties.DistributionConfig.Origins as {
    S3OriginConfig?: object;
    OriginAccessControlId?: object;
  }[];
  const buckets = origins.filter(({ S3OriginConfig }) => S3OriginConfig);
  assert.equal(buckets.length, 2);
  for (const { OriginAccessControlId } of buckets) assert.ok(OriginAccessControlId);
  for (const { Properties } of of('AWS::S3::Bucket'))
    assert.deepEqual(Properties.PublicAccessBlockConfiguration, {
      BlockPublicAcls: true,
      BlockPublicPolicy: true,
      IgnorePublicAcls: true,
      RestrictPublicBuckets: true,
    });
});

/** Runs a CloudFront function as CloudFront does. */
function edge(path: string, request: { method: string; uri: string }) {
  const [{ FunctionARN }] = behaviour(path).FunctionAssociations ?? [];
  const { FunctionCode } = resources[FunctionARN['Fn::GetAtt'][0]].Properties;
  const code =
    typeof FunctionCode === 'string'
      ? FunctionCode
      : FunctionCode['Fn::Join'][1].map((part: unknown) => (typeof part === 'string' ? part : 'X')).join('');
  return new Function('event', `${code}; return handler(event);`)({ request });
}

test('a page is requested by its name without .html', () => {
  assert.equal(edge('*', { method: 'GET', uri: '/people' }).uri, '/people.html');
  assert.equal(edge('*', { method: 'GET', uri: '/assets/a.js' }).uri, '/assets/a.js');
  assert.equal(edge('/embed', { method: 'GET', uri: '/embed' }).uri, '/embed.html');
});

test("hits sent to CloudFront are redirected to the API, which sees the sender's address; reading sums is not", () => {
  const answer = edge('/v1/hits', { method: 'POST', uri: '/v1/hits' });
  assert.equal(answer.statusCode, 308);
  assert.match(answer.headers.location.value, /^https:\/\/.*execute-api.*\/v1\/hits$/);
  assert.equal(answer.headers['access-control-allow-origin'].value, '*');
  assert.equal(edge('/v1/hits', { method: 'GET', uri: '/v1/hits' }).uri, '/v1/hits');
});

test('requestsPerAddress makes a web ACL in the region where AWS allows it, and elsewhere says which one to deploy', () => {
  const aclsIn = (settings: Settings, region: string) =>
    Object.values(resourcesOf(synthesise(settings, region).stack)).filter(({ Type }) => Type === 'AWS::WAFv2::WebACL');
  const limit = { requestsPerAddress: 1234 };
  const certificateArn = 'arn:aws:acm:eu-west-1:111111111111:certificate/1';
  const fargate: Settings = { collector: 'fargate', collectDomain: { name: 'hits.example', certificateArn } };
  const [acl, ...others] = aclsIn(limit, 'us-east-1');
  assert.equal(others.length, 0);
  assert.equal(acl.Properties.Scope, 'CLOUDFRONT');
  assert.equal(acl.Properties.Rules[0].Statement.RateBasedStatement.Limit, 1234);
  assert.deepEqual(acl.Properties.Rules[0].Action, { Block: {} });
  assert.throws(
    () => aclsIn(limit, 'eu-west-1'),
    /requestsPerAddress is 1234, and the stack is in eu-west-1.*web-acl\.yml/,
  );
  assert.deepEqual(
    aclsIn({ ...limit, ...fargate }, 'eu-west-1').map(({ Properties }) => Properties.Scope),
    ['REGIONAL'],
  );
  // A web ACL given by the owner replaces it.
  const webAclId = 'arn:aws:wafv2:us-east-1:111111111111:global/webacl/one/1';
  assert.deepEqual(aclsIn({ ...limit, webAclId }, 'us-east-1'), []);
});

test('examples/aws/web-acl.yml equals the web ACL that the stack makes', () => {
  const [made] = Object.values(resourcesOf(synthesise({ requestsPerAddress: 2000 }).stack)).filter(
    ({ Type }) => Type === 'AWS::WAFv2::WebACL',
  );
  const text = readFileSync(join(import.meta.dirname, '../../examples/aws/web-acl.yml'), 'utf8');
  const plain = parse(text.replace('!Ref RequestsPerAddress', '2000').replace('!GetAtt WebAcl.Arn', 'arn'));
  assert.deepEqual(plain.Resources.WebAcl.Properties, made.Properties);
});
