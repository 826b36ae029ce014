// Every setting, once: its type, default, range, error text and description. whalewatch.config.ts, CDK's `-c
// NAME=VALUE`, and the flags, environment and `--config FILE` of the local run are all read by this schema.
//
// To add a setting: declare it here, in the group of the wirings that use it, and use it where it takes effect:
// infra/*.ts and infra/local/*.ts get every setting as `settings`. `npm run build:settings` then writes
// docs/settings.md. The flag, the environment variable, the line of --help and the checks come from the declaration;
// test/settings/settings.test.ts needs one wrong value of it.
import { z } from 'zod';
import { addressRange } from '#core/address.ts';
import { alsDefaults } from '#core/recommender/als.ts';
import { candidateNames } from '#core/recommender/model-list.ts';
import type { Rule } from '#core/rules.ts';
import {
  hostName,
  httpUrl,
  integer,
  kind,
  listOf,
  noNameTwice,
  number,
  object,
  oneOf,
  ownSecret,
  proxy,
  text,
  trueOrFalse,
} from './values.ts';

declare module 'zod' {
  interface GlobalMeta {
    /** The placeholder of the flag's value in --help. */
    placeholder?: string;
    /** Read only from the environment or the file, and never quoted in an error. */
    secret?: boolean;
  }
}

const pattern = () =>
  text('a regular expression', /./s).refine(isPattern, { error: 'must be a regular expression' }).optional();

/** An owner's class rule (functions/core/registry/classify.ts): every given field must match. */
const classRule = object(
  {
    name: text('a name'),
    class: oneOf('human', 'ci', 'cluster', 'scanner', 'mirror', 'signature', 'version-check'),
    user: pattern(),
    userAgent: pattern(),
    repository: pattern(),
    tag: pattern(),
  },
  "{ name: 'our deployer', class: 'ci', userAgent: '^acme-deployer/' }",
).refine(({ user, userAgent, repository, tag }) => user ?? userAgent ?? repository ?? tag, {
  error: 'must have at least one of user, userAgent, repository, tag',
});

function isPattern(text: string): boolean {
  try {
    return Boolean(new RegExp(text, 'i'));
  } catch {
    return false;
  }
}

const rule = z.discriminatedUnion(
  'when',
  [
    object(
      {
        name: text('a name'),
        when: z.literal('pushed'),
        repository: text('a repository, "*" for all'),
        registry: text('the name of a registry').optional(),
      },
      "{ name: 'pushes', when: 'pushed', repository: 'team/*' }",
    ),
    object({ name: text('a name'), when: z.literal('first-pull') }, "{ name: 'new people', when: 'first-pull' }"),
    object(
      {
        name: text('a name'),
        when: z.literal('new-country'),
        domain: text('a domain, "*" for any characters').optional(),
      },
      "{ name: 'new countries', when: 'new-country' }",
    ),
    object(
      { name: text('a name'), when: z.literal('hits-per-minute'), over: number(1, 1e9) },
      "{ name: 'rush', when: 'hits-per-minute', over: 6000 }",
    ),
  ],
  {
    error: ({ code }) =>
      code === 'invalid_union'
        ? 'must be one of pushed, first-pull, new-country, hits-per-minute'
        : "must be a rule such as { name: 'pushes', when: 'pushed', repository: '*' }",
  },
) satisfies z.ZodType<Rule>;

const taskSize = {
  cpu: oneOf(256, 512, 1024, 2048, 4096, 8192, 16384),
  memory: integer(512, 122_880),
};

const weekdays = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'] as const;

const certificateArn = (takes: string, region: string) => text(takes, new RegExp(`^arn:aws[\\w-]*:acm:${region}:`));

const headerName = () => text('the name of a header', /^[A-Za-z0-9-]+$/);
const issuerUrl = () =>
  text(
    'https://HOST/PATH (http:// on loopback only)',
    /^(https:\/\/|http:\/\/(127\.0\.0\.1|localhost|\[::1\])[:/])[^\s]+$/,
  );
const signInTakes =
  "an object such as { issuer: 'https://id.example.com', clientId: 'whalewatch' } or { proxies: ['loopback'], userHeader: 'X-Forwarded-User' }";
const claimValues = () =>
  kind("an object such as { groups: ['dev'] }", (error) =>
    z.record(z.string(), z.array(z.string(), { error }), { error }),
  ).optional();

/** Used by both wirings. */
export const shared = {
  keepDays: integer(1, 365).default(7).meta({
    description:
      'The number of days after its newest hit at which a domain leaves the map. The maps of the last days are kept for the same time.',
  }),
  mostDomains: integer(1000, 20_000_000).default(500_000).meta({
    description:
      "The most domains on the map and in a day's sums. Domains with the oldest hits leave the map first, and hits of a day's further domains are counted as `other`. During export a million domains take half a gigabyte of memory.",
  }),
  points: oneOf('domain', 'location').default('domain').meta({
    description:
      "What a point of the map is: `domain` (a domain at its newest visitor's location), or `location` (a domain in each city-sized cell that hits come from, for a portal with one host name). Limited by mostDomains.",
  }),
  domains: listOf(
    text('a domain, "*" for any characters', /^[\p{L}\p{M}\p{N}*._:[\]-]{1,253}$/u),
    "['portal.example.com', '*.example.com'], [] for any",
  )
    .default([])
    .meta({
      placeholder: 'NAME,…',
      description:
        "Your portals' domains, `*` for any characters: hits of other domains are ignored. Anybody may send hits: name yours if others can reach the server.",
    }),
  refuseHits: trueOrFalse().default(false).meta({
    description:
      'Refuses all hits, to stop a flood of them or its cost; senders drop their hits. Registry events are still accepted.',
  }),
  keepEventsDays: integer(1, 36_500).optional().meta({
    placeholder: 'DAYS',
    description:
      'Days that registry events, pulls and quarantined entries are kept; default: forever. On AWS, events stored before it was set stay.',
  }),
  exportEvery: number(0.1, 86_400).default(60).meta({
    placeholder: 'SECONDS',
    description:
      'Seconds between two exports of the map. On AWS 15, 20, 30 or whole minutes up to four hours; every 15 adds about $6 a month.',
  }),
  trainEvery: number(0.0002, 720).default(24).meta({
    placeholder: 'SECONDS',
    description: 'Time between two trainings, in hours; as a flag or variable, in seconds. On AWS whole hours.',
  }),
  als: object(
    {
      rank: integer(1, 4096).default(alsDefaults.rank),
      iterations: integer(1, 4096).default(alsDefaults.iterations),
      lambda: number(1e-12, 1e12).default(alsDefaults.lambda),
      alpha: number(0, 1e12).default(alsDefaults.alpha),
    },
    '{ rank: 10, lambda: 0.01 } (as a flag rank=10,lambda=0.01)',
  )
    .prefault({})
    .meta({
      placeholder: 'NAME=VALUE,…',
      description:
        'Options of the ALS model that every training fits and judges beside the other models (rank, iterations, lambda, alpha).',
    }),
  model: oneOf('auto', ...candidateNames)
    .default('auto')
    .meta({
      placeholder: 'NAME',
      description:
        'The model to put in service: the best of each competition (auto), or always this candidate. `npm run tune` compares them.',
    }),
  trainBudget: integer(1, 36_000).default(60).meta({
    placeholder: 'SECONDS',
    description: 'About how many seconds the competition of models may take; two fifths are for trying settings.',
  }),
  pullWindow: number(0, 60).default(2).meta({
    placeholder: 'SECONDS',
    description: 'Identical events of a tag within this many seconds are one pull; 0 turns merging off.',
  }),
  classRules: listOf(classRule, "[{ name: 'our deployer', class: 'ci', userAgent: '^acme-deployer/' }]")
    .default([])
    .meta({
      placeholder: 'JSON',
      description:
        'Which class of client an account or user agent is, tried before the built-in rules; patterns ignore case. GET /v1/health lists clients that no rule knows.',
    }),
  rules: listOf(rule, "[{ name: 'pushes', when: 'pushed', repository: '*' }]")
    .check(noNameTwice('must not be the name of another rule: alerts that were sent are remembered by it'))
    .default([])
    .meta({ placeholder: 'JSON', description: 'Rules that send alerts (docs/alerts.md).' }),
  trustedProxies: listOf(proxy(), '["10.0.0.0/8"], [] for none').default([]).meta({
    placeholder: 'RANGE,…',
    description: 'Proxies in front of collect whose forwarded addresses are trusted: addresses, ranges or "loopback".',
  }),
  addressHeader: headerName().default('X-Forwarded-For').meta({
    placeholder: 'NAME',
    description:
      'The header in which trusted proxies name the client: X-Forwarded-For, Forwarded (RFC 7239), or one such as CF-Connecting-IP or X-Real-IP.',
  }),
  networks: kind("an object such as { '10.0.0.0/8': { lat: 52.52, lon: 13.4, name: 'Berlin' } }", (error) =>
    z.record(
      z.string(),
      object(
        {
          lat: number(-90, 90),
          lon: number(-180, 180),
          name: text('a name'),
          country: text('a two-letter country code', /^[A-Z]{2}$/)
            .or(z.literal(''))
            .default(''),
        },
        "{ lat: 52.52, lon: 13.4, name: 'Berlin', country: 'DE' }",
      ),
      { error },
    ),
  )
    .check(({ value, issues }) => {
      for (const range of Object.keys(value))
        if (addressRange(range) === undefined)
          issues.push({
            code: 'custom',
            path: [],
            input: range,
            message: 'must have IP addresses or CIDR ranges as its names',
          });
    })
    .default({})
    .meta({
      placeholder: 'JSON',
      description:
        'Locations of your own networks, which no database knows: offices and VPNs. The narrowest range that contains an address is used.',
    }),
  privateHosts: trueOrFalse().default(false).meta({
    description:
      'Whether hosts that only your own network resolves (localhost, one label, *.local, *.internal, private addresses) are on a map that everybody sees. Their hits are counted in any case.',
  }),
  registries: listOf(
    object(
      {
        name: text(
          'a name of a-z, 0-9, "-" and "." (at most 40), not "default"',
          /^(?!default$)[a-z0-9]([a-z0-9.-]{0,38}[a-z0-9])?$/,
        ),
        hosts: listOf(text('a host name', /^[\w.:[\]-]+$/), "['registry.example.com']").optional(),
      },
      "{ name: 'east', hosts: ['registry-east.example.com'] }",
    ),
    "[{ name: 'east' }, { name: 'west' }]",
  )
    .check(noNameTwice('must not be the name of another registry: the same repository in two registries stays two'))
    .default([])
    .meta({
      placeholder: 'JSON',
      description:
        'Further registries with their own names and webhook tokens (docs/team.md). With `hosts`, events that name another host are quarantined. The registry without a name is `default`.',
    }),
  publicUrl: text(
    'https://NAME or https://NAME/BASE, without a slash at the end (http:// on loopback only)',
    /^(https:\/\/[a-z0-9.-]+|http:\/\/(127\.0\.0\.1|localhost|\[::1\]))(:\d+)?(\/[\w.~-]+)*$/,
  )
    .optional()
    .meta({
      placeholder: 'URL',
      description:
        'The URL of this server for browsers; host names, links, cookies and the base path are derived from it.',
    }),
  mailTo: listOf(text('an e-mail address', /^[^@\s<>,]+@[^@\s<>,]+$/), "['team@example.com']")
    .default([])
    .meta({
      placeholder: 'ADDRESS,…',
      description: 'Who gets alerts by mail; needs a mail server.',
    }),
  mailFrom: text('an e-mail address', /^[^@\s<>,]+@[^@\s<>,]+$/)
    .optional()
    .meta({
      placeholder: 'ADDRESS',
      description: 'The sender of mails. Default: the first of mailTo.',
    }),
  alertsPerHour: integer(1, 1000).default(20).meta({
    placeholder: 'NUMBER',
    description: 'The most alerts of one rule that are sent within an hour; the rest is sent as one digest.',
  }),
  reportDay: oneOf(...weekdays)
    .optional()
    .meta({
      placeholder: 'WEEKDAY',
      description:
        'The weekday on which, from 08:00 UTC, the weekly report is sent to the receivers of alerts; default: no report.',
    }),
  signIn: z
    .union(
      [
        object(
          {
            issuer: issuerUrl(),
            clientId: text('a client id'),
            scopes: listOf(text('a scope'), "['openid']").default(['openid', 'profile', 'email']),
          },
          "{ issuer: 'https://id.example.com', clientId: 'whalewatch' }",
        ),
        object(
          {
            proxies: listOf(proxy(), "['loopback']").refine((list) => list.length > 0, 'must name a proxy'),
            userHeader: headerName(),
            groupsHeader: headerName().optional(),
          },
          "{ proxies: ['loopback'], userHeader: 'X-Forwarded-User', groupsHeader: 'X-Forwarded-Groups' }",
        ),
      ],
      { error: `must be ${signInTakes}` },
    )
    .optional()
    .meta({
      takes: signInTakes,
      placeholder: 'JSON',
      description:
        'How people sign in (docs/team.md): at an OpenID Connect issuer, or at a proxy in front that names them in headers. On AWS the default is a new Cognito user pool.',
    }),
  userClaim: text('the name of a claim').optional().meta({
    placeholder: 'CLAIM',
    description:
      "The claim with a person's user name at the registry. Default preferred_username; user if a proxy signs people in.",
  }),
  userPattern: kind('a regular expression', (error) => z.string({ error }).refine(isPattern, { error }))
    .optional()
    .meta({
      placeholder: 'REGEXP',
      description:
        'What the whole claim must match; its first group is the user name. For alice@example.com: (.+)@example\\.com',
    }),
  roles: object(
    { user: claimValues(), team: claimValues(), owner: claimValues() },
    "{ owner: { groups: ['platform'] }, team: { groups: ['dev'] } }",
  )
    .default({})
    .meta({
      placeholder: 'JSON',
      description:
        'Which values of which claims give a role; the headers of a proxy are the claims user and groups. A person who signs in without any of them is a user, unless user is listed too.',
    }),
  everyone: oneOf('public', 'user', 'team', 'owner').optional().meta({
    placeholder: 'ROLE',
    description:
      'The role of callers who are not signed in. Default public. Must be set explicitly to open a server without sign-in.',
  }),
  publicMap: z
    .union([oneOf('names', 'anonymous'), z.literal(false)], { error: 'must be "names", "anonymous" or false' })
    .optional()
    .meta({
      takes: '"names", "anonymous" or false',
      placeholder: 'names|anonymous|false',
      description:
        'What callers who are not signed in see of the map. Default anonymous if others can reach the server: no names, rounded locations, times by the hour, no domain with fewer than publicMapLeast hits a day.',
    }),
  publicMapLeast: integer(1, 1_000_000)
    .default(5)
    .meta({ description: 'Hits within a day below which a domain is left out of the anonymous map.' }),
  yandexMapsKey: text("a key of Yandex's JavaScript API", /^[\w-]{1,100}$/)
    .optional()
    .meta({
      placeholder: 'KEY',
      description:
        'A key for the JavaScript API 2.1 of Yandex Maps, with which the page /yandex shows the domains on their map. It is the only page that loads anything from another site. Everybody who sees the page can read the key, so limit it to your host at Yandex.',
    }),
  sessionHours: integer(1, 720).default(12).meta({ placeholder: 'HOURS', description: 'Hours that a sign-in lasts.' }),
};

/** Used on AWS only. */
export const aws = {
  ecr: trueOrFalse().default(false).meta({
    description:
      'Whether EventBridge puts the pulls, pushes and deletes of Amazon ECR in this account and region into the stream. For pulls, CloudTrail must record management events.',
  }),
  exportMemory: integer(512, 10_240).default(1769).meta({
    description:
      'Megabytes of memory for export: 1769 are enough for about 4 million domains, 10 million need about 4200 (docs/cost.md).',
  }),
  trainer: oneOf('lambda', 'fargate', 'spark').default('lambda').meta({
    description:
      'Where training runs. `lambda`: up to 15 minutes and 10 GB. `fargate`: the same code for as long as it takes, on up to 16 processors and 120 GB, paid by the second. `spark`: Spark MLlib on EMR Serverless, where one machine is not enough.',
  }),
  trainMemory: integer(512, 10_240).default(3008).meta({
    description:
      'Megabytes of the trainer on Lambda, and of the functions before and after Spark. A new account allows up to 3008.',
  }),
  trainTask: object(taskSize, '{ cpu: 4096, memory: 16384 }').default({ cpu: 4096, memory: 16_384 }).meta({
    description:
      'Size of the trainer on Fargate: `cpu` 1024 is one vCPU, `memory` in megabytes. The default costs $0.19 an hour.',
  }),
  trainSpark: object(
    { processors: integer(8, 4000), gigabytes: integer(32, 30_000) },
    '{ processors: 16, gigabytes: 64 }',
  )
    .default({ processors: 16, gigabytes: 64 })
    .meta({
      description: "The most that Spark may use at once. The default is a new account's quota and costs $1.20 an hour.",
    }),
  collector: oneOf('lambda', 'fargate').default('lambda').meta({
    description:
      'What receives hits. `lambda`: the HTTP API, paid by the request. `fargate`: a load balancer and servers beside it, from $95 a month; cheaper from about 30 requests a second. Needs `collectDomain`.',
  }),
  collectDomain: object(
    {
      name: hostName(),
      certificateArn: certificateArn("the ARN of an ACM certificate in the stack's region", '[\\w-]+'),
    },
    "{ name: 'hits.example.com', certificateArn: 'arn:aws:acm:…' }",
  )
    .optional()
    .meta({ description: "Host name of the collector on Fargate, with its certificate's ARN in the stack's region." }),
  collectTasks: object(
    {
      ...taskSize,
      // One server keeps one processor busy.
      cpu: oneOf(256, 512, 1024),
      least: integer(2, 1000),
      most: integer(2, 1000),
    },
    '{ cpu: 1024, memory: 2048, least: 2, most: 10 }',
  )
    .default({ cpu: 1024, memory: 2048, least: 2, most: 10 })
    .meta({
      description:
        'Servers of the collector on Fargate: their size, and the least and greatest number to which the load scales them.',
    }),
  imageRegistry: text(
    'public.ecr.aws, or the prefix of a pull-through cache such as 111111111111.dkr.ecr.eu-west-1.amazonaws.com/ecr-public',
    /^(public\.ecr\.aws|\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com\/[a-z0-9._/-]+)$/,
  )
    .default('public.ecr.aws')
    .meta({
      description:
        "Where tasks on Fargate pull their two public images from, pinned by digest: AWS's public registry, or a pull-through cache of it in your private registry.",
    }),
  stream: z
    .union([oneOf('onDemand'), object({ shards: integer(1, 500) }, '{ shards: 1 }')], {
      error: 'must be "onDemand" or an object such as { shards: 1 }',
    })
    .default({ shards: 1 })
    .meta({
      takes: '"onDemand" or an object such as { shards: 1 }',
      description:
        'The stream of hits: a number of shards (1 MB or 1000 records a second and $11 a month each; one deployment can at most double or halve it) or on demand ($29 plus usage). Registry events have a separate shard.',
    }),
  retentionHours: integer(24, 168).default(24).meta({ description: 'Hours that the stream keeps records.' }),
  batchWindow: integer(1, 60)
    .default(5)
    .meta({ description: 'Seconds that process waits to fill a batch; 60 saves a few dollars with little traffic.' }),
  search: z
    .union(
      [
        object(
          {
            instanceType: text('an instance type such as t3.small.search', /^[a-z0-9]+\.[a-z0-9]+\.search$/).optional(),
            gigabytes: integer(10, 3000).optional(),
          },
          "{ instanceType: 't3.small.search', gigabytes: 10 }",
        ),
        object(
          { endpoint: text('a URL of the form https://HOST', /^https?:\/\/[^/]+\/?$/), signed: trueOrFalse() },
          "{ endpoint: 'https://HOST', signed: true }",
        ),
      ],
      { error: "must be an object such as { gigabytes: 10 } or { endpoint: 'https://HOST', signed: true }" },
    )
    .default({})
    .meta({
      takes: "an object such as { gigabytes: 10 } or { endpoint: 'https://HOST', signed: true }",
      description:
        'Search: a new OpenSearch Service domain (default: one t3.small.search with 10 GiB, $27 a month), or an existing one: `signed` if it needs AWS signatures.',
    }),
  domainName: object(
    {
      name: hostName(),
      certificateArn: certificateArn('the ARN of an ACM certificate in us-east-1, as CloudFront wants', 'us-east-1'),
    },
    "{ name: 'map.example.com', certificateArn: 'arn:aws:acm:us-east-1:…' }",
  )
    .optional()
    .meta({
      description: "Host name of the pages, with its certificate's ARN in us-east-1. Default: CloudFront's own name.",
    }),
  ipDatabase: text('the path of a file made by `node layers/geo/build.ts OUT YOUR.mmdb`').optional().meta({
    description: 'An IP table made by `node layers/geo/build.ts OUT YOUR.mmdb`. Default: DB-IP City Lite, CC-BY-4.0.',
  }),
  clientSecretArn: text('the ARN of a secret', /^arn:aws[\w-]*:secretsmanager:/)
    .optional()
    .meta({
      description: "The secret of Secrets Manager that holds the issuer's client secret, if it gave one.",
    }),
  receiversSecretArn: text('the ARN of a secret', /^arn:aws[\w-]*:secretsmanager:/)
    .optional()
    .meta({
      description:
        'The secret in Secrets Manager with further receivers of alerts beside the topic: a JSON object of `slackUrl`, `notifyUrl` with `notifySecret`, and `mailServer`, as on one machine.',
    }),
  throttle: object(
    {
      hits: integer(1, 100_000),
      registryEvents: integer(1, 100_000),
      tiles: integer(1, 100_000).default(500),
    },
    '{ hits: 1000, registryEvents: 200, tiles: 500 }',
  )
    .default({ hits: 1000, registryEvents: 200, tiles: 500 })
    .meta({ description: 'Requests a second that each endpoint accepts in the steady state.' }),
  alarmEmail: text('an e-mail address', /^[^@\s]+@[^@\s]+$/)
    .optional()
    .meta({ description: 'The e-mail address for alarms and alerts. Without it, subscribe to the topics yourself.' }),
  monthlyBudget: number(1, 10_000_000)
    .default(100)
    .meta({ description: "Dollars a month above which the budget's alarm goes off; needs `alarmEmail`." }),
  apiDomain: object(
    {
      name: hostName(),
      certificateArn: certificateArn("the ARN of an ACM certificate in the stack's region", '[\\w-]+'),
    },
    "{ name: 'api.example.com', certificateArn: 'arn:aws:acm:…' }",
  )
    .optional()
    .meta({
      description:
        "Host name of the API, webhook and beacon, with its certificate's ARN in the stack's region. The API's default host name is then switched off.",
    }),
  webAclId: text('the ARN of a web ACL of scope CLOUDFRONT', /^arn:aws[\w-]*:wafv2:us-east-1:\d+:global\/webacl\//)
    .optional()
    .meta({
      description:
        'Your own web ACL (WAF) in front of the pages and reads: $5 a month, $1 a rule, $0.60 a million requests. examples/aws/web-acl.yml makes one.',
    }),
  requestsPerAddress: integer(10, 2_000_000_000).optional().meta({
    description:
      "The most requests of one address in five minutes; further ones get 403 from a web ACL (WAF) that the stack makes: in front of the pages and reads if it is in us-east-1 (elsewhere `webAclId`), and of hits with `collector: 'fargate'`. $6 a month each, $0.60 a million requests. An office or a portal's back end is one address; registries' posts are not counted.",
  }),
  originShield: text('a region such as eu-west-1', /^[a-z]{2}(-[a-z]+)+-\d$/)
    .optional()
    .meta({
      description:
        "CloudFront's Origin Shield, in this region: one cache before the API for readers of all continents, $0.75 to $0.90 a million requests.",
    }),
  reservedConcurrency: object(
    {
      ...{ collect: integer(1, 10_000).optional(), process: integer(1, 10_000).optional() },
      ...{ export: integer(1, 10_000).optional(), train: integer(1, 10_000).optional() },
      ...{ serve: integer(1, 10_000).optional(), tiles: integer(1, 10_000).optional() },
    },
    '{ collect: 50, process: 10 }',
  )
    .default({})
    .meta({
      takes: 'an object such as { collect: 50, process: 10 }',
      description:
        "Reserved concurrency of functions: how often each may run at once, reserved for it in the account. Together at most the account's quota minus 100, so a new account with its quota of 10 can't use it. `process` needs one per shard, `export` two.",
    }),
  canary: trueOrFalse().default(true).meta({
    description:
      'New code of collect, serve and tiles gets a tenth of the requests for five minutes, and is rolled back when one of their alarms goes off. If false, new code gets all requests at once.',
  }),
  existing: object(
    {
      events: text('the name of a table').optional(),
      checkpoints: text('the name of a table').optional(),
      bucket: text('the name of a bucket').optional(),
      since: text('a time such as 2026-11-28T12:00:00Z', /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/).optional(),
    },
    "{ events: 'TABLE', checkpoints: 'TABLE', bucket: 'BUCKET', since: '2026-11-28T12:00:00Z' }",
  )
    .default({})
    .meta({
      description:
        'Existing tables and data bucket to use: from an earlier deployment, or restored (`npm run restore:aws`). With `since` the stream is read again from that time.',
    }),
  restoreDays: integer(1, 35).default(7).meta({
    description:
      'Days that the data bucket keeps overwritten and removed objects; with 10 million domains each day costs about $7 a month.',
  }),
  tracing: trueOrFalse().default(false).meta({
    description: 'Traces of the functions in X-Ray: $5 a million, 100,000 a month free.',
  }),
  tags: z.record(z.string(), z.string(), { error: "must be an object such as { team: 'registry' }" }).default({}).meta({
    takes: "an object such as { team: 'registry' }",
    description:
      'Tags of every resource. The first one limits the budget to this deployment, once it is activated as a cost allocation tag.',
  }),
  logDays: oneOf(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731)
    .default(30)
    .meta({ description: 'Days that logs are kept.' }),
};

/** Used by the local run only. */
export const local = {
  port: integer(0, 65_535)
    .default(8080)
    .meta({ placeholder: 'PORT', description: 'Port to listen on; 0 takes any free one.' }),
  listen: text('an address or host name', /^[\w.:-]+$/)
    .default('127.0.0.1')
    .meta({
      placeholder: 'HOST',
      description: 'Address to listen on. Any other than loopback needs signIn or everyone (docs/team.md).',
    }),
  clientSecret: text('a text')
    .optional()
    .meta({ secret: true, description: 'The client secret of the issuer in signIn, if it gave one.' }),
  data: text('a folder')
    .default('.data')
    .meta({ placeholder: 'DIR', description: 'Data folder; it survives a stop or a crash.' }),
  opensearch: httpUrl().optional().meta({
    placeholder: 'URL',
    description: 'Keep search documents in this OpenSearch instead of the data folder.',
  }),
  log: oneOf('text', 'json').default('text').meta({
    placeholder: 'text|json',
    description:
      'Format of the log: text for people, or JSON lines with level, time and request id, and a line for each request.',
  }),
  openMetrics: trueOrFalse().default(false).meta({
    description:
      'Whether GET /metrics works without a role, for Prometheus: only if nobody else can reach the port. Otherwise it needs the role owner.',
  }),
  demo: trueOrFalse().default(false).meta({ description: 'Send seeded demo traffic, marked as such, to the system.' }),
  token: ownSecret().optional().meta({
    secret: true,
    description: "The webhook's token. Default: one is made, stored in the data folder and printed.",
  }),
  notifyUrl: httpUrl().optional().meta({
    placeholder: 'URL',
    description: 'Where alerts (a push, a new user, a new country, a rush) are posted as JSON.',
  }),
  notifySecret: ownSecret()
    .optional()
    .meta({ secret: true, description: 'The shared secret that alerts are signed with.' }),
  slackUrl: httpUrl().optional().meta({
    secret: true,
    description:
      'An incoming webhook of Slack or Mattermost for alerts, or of Discord with /slack appended. Whoever has the URL may post.',
  }),
  mailServer: text('smtp://USER:PASSWORD@HOST:587 or smtps://…', /^smtps?:\/\/\S+$/)
    .optional()
    .meta({
      secret: true,
      description: 'The mail server for alerts, with user and password if it needs them.',
    }),
};

/** How to read flags and variables whose unit differs from the setting's. */
export const flagSchemas: Partial<Record<keyof Settings, z.ZodType>> = {
  trainEvery: number(1, 720 * 3600, ' of seconds').transform((seconds) => seconds / 3600),
};

/** The local run's defaults: frequent on one machine, so that a first look shows something. */
export const localDefaults: Settings = {
  exportEvery: 5,
  trainEvery: 300 / 3600,
  rules: [
    { name: 'pushes', when: 'pushed', repository: '*' },
    { name: 'new people', when: 'first-pull' },
    { name: 'new countries', when: 'new-country' },
    { name: 'rush', when: 'hits-per-minute', over: 6000 },
  ],
  trustedProxies: ['loopback'],
};

export const schema = z.strictObject({ ...shared, ...aws, ...local }).check(({ value, issues }) => {
  const wrong = wrongIn(issues);
  if (value.notifyUrl && !value.notifySecret)
    wrong(['notifySecret'], undefined, 'must be given with notifyUrl, because alerts are signed with it');
  const { mailTo, mailServer, receiversSecretArn } = value;
  if (issues.length === 0 && mailServer && mailTo.length === 0)
    wrong(['mailTo'], undefined, 'must be given: mails need mailServer and mailTo');
  if (issues.length === 0 && mailTo.length > 0 && !mailServer && !receiversSecretArn)
    wrong(
      ['mailServer'],
      undefined,
      'must be given: mails need mailServer and mailTo (on AWS the secret of receiversSecretArn has it)',
    );
});

/** AWS's further requirements for settings. */
export const awsSchema = schema.check(({ value, issues }) => {
  const wrong = wrongIn(issues);
  const { exportEvery, trainEvery, trainTask, trainSpark, collector, collectDomain, collectTasks } = value;
  if (![15, 20, 30].includes(exportEvery) && (exportEvery % 60 !== 0 || exportEvery > 14_400 || exportEvery === 0))
    wrong(['exportEvery'], exportEvery, 'must be 15, 20, 30 or whole minutes in seconds (60, 120, … 14400)');
  if (!Number.isInteger(trainEvery)) wrong(['trainEvery'], trainEvery, 'must be an integer from 1 to 720 on AWS');
  for (const [name, { cpu, memory }] of Object.entries({ trainTask, collectTasks })) {
    const sizes = fargateMemory[cpu];
    if (!sizes.includes(memory))
      wrong([name, 'memory'], memory, `must be one of ${sizes.join(', ')} with cpu ${cpu} on Fargate`);
  }
  // The driver and an executor in EMR's default size have 4 processors and 16 GB each.
  if (trainSpark.gigabytes < 4 * trainSpark.processors)
    wrong(
      ['trainSpark', 'gigabytes'],
      trainSpark.gigabytes,
      `must be an integer from ${4 * trainSpark.processors} to 30000, 4 a processor`,
    );
  const { process: processes = Number.POSITIVE_INFINITY, export: exports = 2 } = value.reservedConcurrency;
  const shards = value.stream === 'onDemand' ? 4 : value.stream.shards;
  if (processes < shards)
    wrong(
      ['reservedConcurrency', 'process'],
      processes,
      `must be at least ${shards}, the shards of the stream: a batch of each runs at once`,
    );
  if (exports < 2)
    wrong(['reservedConcurrency', 'export'], exports, 'must be at least 2: a run may last until the next begins');
  if (collectTasks.most < collectTasks.least)
    wrong(['collectTasks', 'most'], collectTasks.most, `must be an integer from ${collectTasks.least} to 1000`);
  if (collector === 'fargate' && !collectDomain)
    wrong(
      ['collectDomain'],
      undefined,
      "must be given with collector 'fargate': a host name and its certificate, for TLS",
    );
});

type Issues = z.core.ParsePayload['issues'];
const wrongIn = (issues: Issues) => (path: string[], input: unknown, message: string) =>
  issues.push({ code: 'custom', path, input, message });

const steps = (from: number, to: number, step: number) =>
  Array.from({ length: (to - from) / step + 1 }, (_, n) => from + n * step);

/** Megabytes of memory that Fargate offers, by vCPU in units of 1/1024. */
const fargateMemory: Record<number, number[]> = {
  256: [512, 1024, 2048],
  512: steps(1024, 4096, 1024),
  1024: steps(2048, 8192, 1024),
  2048: steps(4096, 16_384, 1024),
  4096: steps(8192, 30_720, 1024),
  8192: steps(16_384, 61_440, 4096),
  16384: steps(32_768, 122_880, 8192),
};

/** Settings as an owner writes them: `{}` deploys. docs/settings.md describes each. */
export type Settings = z.input<typeof schema>;
/** Settings with their defaults. */
export type ResolvedSettings = z.output<typeof schema>;
/** Size of a task on Fargate. */
export type TaskSize = Pick<ResolvedSettings['trainTask'], 'cpu' | 'memory'>;
