import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { SettingError } from '#settings/error.ts';
import { page } from '#settings/page.ts';
import { contextLayer, flagLayer, flags, resolve, resolveLayers, variableLayer, variableOf } from '#settings/read.ts';
import { awsSchema, localDefaults, type Settings, schema } from '#settings/schema.ts';
import { readSettings } from '../../infra/local/settings.ts';
import { dataFolder } from '../support/run.ts';

const certificateArn = 'arn:aws:acm:us-east-1:111111111111:certificate/1';

/** A wrong value for each setting, and the whole error line. */
const wrong: [name: keyof Settings | 'keepDay', value: unknown, line: string | RegExp][] = [
  ['keepDays', 0, 'keepDays is 0: must be an integer from 1 to 365'],
  ['keepDays', '7', 'keepDays is "7": must be an integer from 1 to 365'],
  ['mostDomains', 1, 'mostDomains is 1: must be an integer from 1000 to 20000000'],
  ['points', 'city', 'points is "city": must be one of domain, location'],
  [
    'domains',
    'portal.example',
    `domains is "portal.example": must be a list such as ['portal.example.com', '*.example.com'], [] for any`,
  ],
  ['exportEvery', 45, 'exportEvery is 45: must be 15, 20, 30 or whole minutes in seconds (60, 120, … 14400)'],
  ['exportEvery', 86_400, 'exportEvery is 86400: must be 15, 20, 30 or whole minutes in seconds (60, 120, … 14400)'],
  ['exportEvery', Number.NaN, 'exportEvery is null: must be a number from 0.1 to 86400'],
  ['trainEvery', 0.5, 'trainEvery is 0.5: must be an integer from 1 to 720 on AWS'],
  ['als', { rank: 0 }, 'als.rank is 0: must be an integer from 1 to 4096'],
  ['als', { factors: 10 }, 'als.factors is not a setting: there are rank, iterations, lambda, alpha'],
  ['model', 'svd', 'model is "svd": must be one of auto, als-seed, als, knn, ease, blend, popular, popular-recent'],
  ['trainBudget', 0, 'trainBudget is 0: must be an integer from 1 to 36000'],
  ['pullWindow', -1, 'pullWindow is -1: must be a number from 0 to 60'],
  [
    'classRules',
    7,
    `classRules is 7: must be a list such as [{ name: 'our deployer', class: 'ci', userAgent: '^acme-deployer/' }]`,
  ],
  ['rules', {}, `rules is {}: must be a list such as [{ name: 'pushes', when: 'pushed', repository: '*' }]`],
  ['rules', [{ name: '', when: 'first-pull' }], 'rules.0.name is "": must be a name'],
  ['rules', [{ name: 'a', when: 'pushed' }], 'rules.0.repository is missing: must be a repository, "*" for all'],
  [
    'rules',
    [{ name: 'a', when: 'never' }],
    'rules.0.when is "never": must be one of pushed, first-pull, new-country, hits-per-minute',
  ],
  [
    'rules',
    [{ name: 'a', when: 'hits-per-minute', over: 0 }],
    'rules.0.over is 0: must be a number from 1 to 1000000000',
  ],
  [
    'rules',
    [
      { name: 'a', when: 'first-pull' },
      { name: 'a', when: 'new-country' },
    ],
    'rules.1.name is "a": must not be the name of another rule: alerts that were sent are remembered by it',
  ],
  ['trustedProxies', '10.0.0.1', 'trustedProxies is "10.0.0.1": must be a list such as ["10.0.0.0/8"], [] for none'],
  [
    'trustedProxies',
    ['10.0.0.0/99'],
    'trustedProxies.0 is "10.0.0.0/99": must be an IP address, a CIDR range or "loopback"',
  ],
  [
    'networks',
    { '10.0.0.0/99': { lat: 1, lon: 2, name: 'x' } },
    'networks is {"10.0.0.0/99":{"lat":1,"lon":2,"name":"x"}}: must have IP addresses or CIDR ranges as its names',
  ],
  ['networks', { '10.0.0.0/8': { lat: 91, lon: 2, name: 'x' } }, /lat is 91: must be a number from -90 to 90/],
  ['refuseHits', 'yes', 'refuseHits is "yes": must be true or false'],
  ['privateHosts', 'yes', 'privateHosts is "yes": must be true or false'],
  ['addressHeader', 'a b', 'addressHeader is "a b": must be the name of a header'],
  ['imageRegistry', 'mirror.example', /^imageRegistry is "mirror\.example": must be public\.ecr\.aws, or the prefix/],
  ['reservedConcurrency', { collect: 0 }, 'reservedConcurrency.collect is 0: must be an integer from 1 to 10000'],
  [
    'reservedConcurrency',
    { export: 1 },
    'reservedConcurrency.export is 1: must be at least 2: a run may last until the next begins',
  ],
  ['ecr', 'yes', 'ecr is "yes": must be true or false'],
  ['exportMemory', 100, 'exportMemory is 100: must be an integer from 512 to 10240'],
  ['trainer', 'gpu', 'trainer is "gpu": must be one of lambda, fargate, spark'],
  ['trainMemory', 20_000, 'trainMemory is 20000: must be an integer from 512 to 10240'],
  [
    'trainTask',
    { cpu: 1000, memory: 2048 },
    'trainTask.cpu is 1000: must be one of 256, 512, 1024, 2048, 4096, 8192, 16384',
  ],
  [
    'trainTask',
    { cpu: 256, memory: 1536 },
    'trainTask.memory is 1536: must be one of 512, 1024, 2048 with cpu 256 on Fargate',
  ],
  ['trainSpark', { processors: 4, gigabytes: 64 }, 'trainSpark.processors is 4: must be an integer from 8 to 4000'],
  [
    'trainSpark',
    { processors: 16, gigabytes: 32 },
    'trainSpark.gigabytes is 32: must be an integer from 64 to 30000, 4 a processor',
  ],
  ['collector', 'server', 'collector is "server": must be one of lambda, fargate'],
  [
    'collector',
    'fargate',
    "collectDomain is missing: must be given with collector 'fargate': a host name and its certificate, for TLS",
  ],
  [
    'collectDomain',
    { name: 'hits.example', certificateArn: 'x' },
    `collectDomain.certificateArn is "x": must be the ARN of an ACM certificate in the stack's region`,
  ],
  [
    'collectDomain',
    { name: 'https://hits.example', certificateArn },
    'collectDomain.name is "https://hits.example": must be a host name without https:// and path',
  ],
  [
    'collectTasks',
    { cpu: 2048, memory: 4096, least: 2, most: 3 },
    'collectTasks.cpu is 2048: must be one of 256, 512, 1024',
  ],
  [
    'collectTasks',
    { cpu: 1024, memory: 2048, least: 1, most: 3 },
    'collectTasks.least is 1: must be an integer from 2 to 1000',
  ],
  [
    'collectTasks',
    { cpu: 1024, memory: 2048, least: 4, most: 3 },
    'collectTasks.most is 3: must be an integer from 4 to 1000',
  ],
  ['stream', { shards: 0 }, 'stream.shards is 0: must be an integer from 1 to 500'],
  ['stream', 'on-demand', 'stream is "on-demand": must be "onDemand" or an object such as { shards: 1 }'],
  ['stream', null, 'stream is null: must be "onDemand" or an object such as { shards: 1 }'],
  ['retentionHours', 12, 'retentionHours is 12: must be an integer from 24 to 168'],
  ['batchWindow', 0, 'batchWindow is 0: must be an integer from 1 to 60'],
  [
    'search',
    'https://search.example',
    `search is "https://search.example": must be an object such as { gigabytes: 10 } or { endpoint: 'https://HOST', signed: true }`,
  ],
  [
    'search',
    { endpoint: 'search.example', signed: true },
    'search.endpoint is "search.example": must be a URL of the form https://HOST',
  ],
  ['search', { endpoint: 'https://search.example' }, 'search.signed is missing: must be true or false'],
  [
    'search',
    { instanceType: 't3.small' },
    'search.instanceType is "t3.small": must be an instance type such as t3.small.search',
  ],
  ['search', { gigabytes: 1 }, 'search.gigabytes is 1: must be an integer from 10 to 3000'],
  [
    'domainName',
    { name: 'map.example/x', certificateArn },
    'domainName.name is "map.example/x": must be a host name without https:// and path',
  ],
  [
    'domainName',
    { name: 'a.example', certificateArn: 'arn:aws:acm:eu-west-1:1:x' },
    'domainName.certificateArn is "arn:aws:acm:eu-west-1:1:x": must be the ARN of an ACM certificate in us-east-1, as CloudFront wants',
  ],
  ['ipDatabase', '', 'ipDatabase is "": must be the path of a file made by `node layers/geo/build.ts OUT YOUR.mmdb`'],
  [
    'publicUrl',
    'http://whales.example',
    'publicUrl is "http://whales.example": must be https://NAME or https://NAME/BASE, without a slash at the end (http:// on loopback only)',
  ],
  ['keepEventsDays', 0, 'keepEventsDays is 0: must be an integer from 1 to 36500'],
  [
    'registries',
    [{ name: 'east' }, { name: 'east' }],
    'registries.1.name is "east": must not be the name of another registry: the same repository in two registries stays two',
  ],
  [
    'registries',
    [{ name: 'default' }],
    'registries.0.name is "default": must be a name of a-z, 0-9, "-" and "." (at most 40), not "default"',
  ],
  ['publicUrl', 'https://whales.example/', /^publicUrl is .*: must be https:/],
  ['signIn', { issuer: 'http://id.example', clientId: 'w' }, /^signIn.issuer is "http:\/\/id.example": must be https:/],
  ['signIn', { userHeader: 'X-User' }, /^signIn.proxies is missing/],
  ['signIn', 'google', /^signIn is "google": must be an object such as/],
  ['userClaim', '', 'userClaim is "": must be the name of a claim'],
  ['userPattern', '(', 'userPattern is "(": must be a regular expression'],
  ['roles', { admin: {} }, /^roles.admin is not a setting/],
  ['roles', { team: { groups: 'dev' } }, /^roles.team.groups is "dev": must be an object such as/],
  ['everyone', 'admin', 'everyone is "admin": must be one of public, user, team, owner'],
  ['publicMap', true, 'publicMap is true: must be "names", "anonymous" or false'],
  ['publicMapLeast', 0, 'publicMapLeast is 0: must be an integer from 1 to 1000000'],
  ['sessionHours', 0, 'sessionHours is 0: must be an integer from 1 to 720'],
  ['clientSecretArn', 'x', 'clientSecretArn is "x": must be the ARN of a secret'],
  ['listen', 'a b', 'listen is "a b": must be an address or host name'],
  ['clientSecret', '', 'clientSecret is wrong: must be a text'],
  ['throttle', { hits: 5 }, 'throttle.registryEvents is missing: must be an integer from 1 to 100000'],
  [
    'apiDomain',
    { name: 'api.example', certificateArn: 'x' },
    'apiDomain.certificateArn is "x": must be the ARN of an ACM certificate in the stack\'s region',
  ],
  ['webAclId', 'x', 'webAclId is "x": must be the ARN of a web ACL of scope CLOUDFRONT'],
  ['requestsPerAddress', 9, 'requestsPerAddress is 9: must be an integer from 10 to 2000000000'],
  ['originShield', 'Europe', 'originShield is "Europe": must be a region such as eu-west-1'],
  ['canary', 'no', 'canary is "no": must be true or false'],
  ['existing', { since: 'today' }, 'existing.since is "today": must be a time such as 2026-11-28T12:00:00Z'],
  ['restoreDays', 0, 'restoreDays is 0: must be an integer from 1 to 35'],
  ['tracing', 1, 'tracing is 1: must be true or false'],
  ['tags', 'a', 'tags is "a": must be an object such as { team: \'registry\' }'],
  ['alarmEmail', 'nobody', 'alarmEmail is "nobody": must be an e-mail address'],
  ['monthlyBudget', '100', 'monthlyBudget is "100": must be a number from 1 to 10000000'],
  ['logDays', 8, 'logDays is 8: must be one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731'],
  ['port', 'abc', 'port is "abc": must be an integer from 0 to 65535'],
  ['data', '', 'data is "": must be a folder'],
  ['opensearch', 'nowhere', 'opensearch is "nowhere": must be a URL: http://HOST:PORT or https://HOST/PATH'],
  ['demo', 'yes', 'demo is "yes": must be true or false'],
  ['slackUrl', 'chat', 'slackUrl is wrong: must be a URL: http://HOST:PORT or https://HOST/PATH'],
  ['mailServer', 'mail.example', 'mailServer is wrong: must be smtp://USER:PASSWORD@HOST:587 or smtps://…'],
  ['mailTo', ['team'], 'mailTo.0 is "team": must be an e-mail address'],
  [
    'mailTo',
    ['team@a.example'],
    'mailServer is missing: must be given: mails need mailServer and mailTo (on AWS the secret of receiversSecretArn has it)',
  ],
  ['receiversSecretArn', 'x', 'receiversSecretArn is "x": must be the ARN of a secret'],
  ['mailFrom', 'x', 'mailFrom is "x": must be an e-mail address'],
  ['alertsPerHour', 0, 'alertsPerHour is 0: must be an integer from 1 to 1000'],
  [
    'reportDay',
    'mon',
    'reportDay is "mon": must be one of sunday, monday, tuesday, wednesday, thursday, friday, saturday',
  ],
  ['log', 'xml', 'log is "xml": must be one of text, json'],
  ['yandexMapsKey', 'a key', 'yandexMapsKey is "a key": must be a key of Yandex\'s JavaScript API'],
  ['openMetrics', 'yes', 'openMetrics is "yes": must be true or false'],
  ...[7, 'abc', 'with a space', 'with-ümlauts', 'line\nfeeds'].map((value): (typeof wrong)[number] => [
    'token',
    value,
    'token is wrong: must be 4 or more characters, without spaces and accents',
  ]),
  [
    'notifyUrl',
    'http://a.example',
    'notifySecret is missing: must be given with notifyUrl, because alerts are signed with it',
  ],
  ['notifySecret', '', 'notifySecret is wrong: must be 4 or more characters, without spaces and accents'],
  ['keepDay', 7, 'keepDay is not a setting: did you mean keepDays?'],
];

for (const [name, value, line] of wrong)
  test(String(line), () => {
    assert.throws(() => resolve({ [name]: value }), { name: 'SettingError', message: line });
  });

test('each setting is tried', () => {
  const tried = new Set<string>(wrong.map(([name]) => name));
  assert.deepEqual(
    Object.keys(schema.shape).filter((name) => !tried.has(name)),
    [],
  );
});

test('every wrong setting is named at once, and a long value is cut', () => {
  assert.throws(
    () => resolve({ keepDays: 0, logDays: 2 as 1, trainer: 'x'.repeat(1000) as 'lambda' }),
    ({ message }: Error) => message.split('\n').length === 3 && message.length < 400,
  );
});

test('a setting that is left out has its default, and the defaults of both wirings are valid', () => {
  assert.equal(resolve({ keepDays: undefined }).keepDays, 7);
  assert.deepEqual(resolve({ als: { rank: 48 } }).als, { rank: 48, iterations: 5, lambda: 0.01, alpha: 1 });
  assert.deepEqual(resolve(resolve({})), resolve({}));
  assert.deepEqual(resolveLayers([{ values: localDefaults }]).trustedProxies, ['loopback']);
});

test("a value means the same in a file, a flag, a variable and CDK's context", () => {
  const given: Settings = {
    keepDays: 14,
    als: { rank: 12, lambda: 0.5 },
    trustedProxies: ['loopback', '10.0.0.0/8'],
    rules: [{ name: 'all', when: 'pushed', repository: '*' }],
    demo: true,
    data: '7',
    opensearch: 'http://127.0.0.1:9200',
  };
  const expected = resolveLayers([{ values: given }]);
  const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
  const texts = Object.entries(given).map(([name, value]) => [name, text(value)] as const);
  const flagOf = (name: string) => flags.find((flag) => flag.name === name)?.flag;
  for (const layer of [
    flagLayer(Object.fromEntries(texts.map(([name, value]) => [flagOf(name), value]))),
    variableLayer(Object.fromEntries(texts.map(([name, value]) => [variableOf(name), value]))),
    contextLayer(Object.fromEntries(texts)),
    contextLayer({ ...Object.fromEntries(texts), '@aws-cdk/core:x': true, 'aws:cdk:y': 1 }),
    flagLayer({
      'keep-days': '14',
      als: 'rank=12,lambda=0.5',
      'trusted-proxies': 'loopback, 10.0.0.0/8',
      rules: text(given.rules),
      ...{ demo: true, data: '7', opensearch: 'http://127.0.0.1:9200' },
    }),
  ])
    assert.deepEqual(resolveLayers([layer]), expected);
  assert.deepEqual(resolveLayers([contextLayer({ stream: 'onDemand', trainer: '"spark"', logDays: '7' })], awsSchema), {
    ...resolve({ stream: 'onDemand', trainer: 'spark', logDays: 7 }),
  });
});

test('the flag of trainEvery is in seconds, like its variable', () => {
  for (const layer of [flagLayer({ 'train-every': '1800' }), variableLayer({ WHALEWATCH_TRAIN_EVERY: '1800' })])
    assert.equal(resolveLayers([layer]).trainEvery, 0.5);
  assert.throws(() => flagLayer({ 'train-every': '0' }), {
    message: '--train-every is 0: must be a number of seconds from 1 to 2592000',
  });
});

test('any text for a setting is either read or refused with a message', () => {
  const texts = fc.oneof(
    fc.string(),
    fc.double().map(String),
    fc.json(),
    fc.constantFrom('', 'true', 'a=1', 'a=1,a=2'),
  );
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(schema.shape)), texts, (name, text) => {
      try {
        resolveLayers([contextLayer({ [name]: text })], awsSchema);
      } catch (cause) {
        assert.ok(cause instanceof SettingError, String(cause));
        for (const line of cause.message.split('\n')) assert.match(line, / is .+: \S/s);
      }
    }),
  );
});

test('flags win over variables, variables over the file of --config, the file over defaults; errors name the place', async (t) => {
  const folder = dataFolder(t);
  const file = join(folder, 'whalewatch.config.ts');
  writeFileSync(file, 'export default { keepDays: 3, port: 1, pullWindow: 1 } as object;');
  const settings = await readSettings(['--config', file, '--port', '3'], {
    WHALEWATCH_PORT: '2',
    WHALEWATCH_PULL_WINDOW: '5',
  });
  assert.deepEqual([settings?.keepDays, settings?.port, settings?.pullWindow], [3, 3, 5]);

  const json = join(folder, 'settings.json');
  writeFileSync(json, '{"keepDays": 0, "colour": "red"}');
  const list = join(folder, 'list.json');
  writeFileSync(list, '[{"keepDays": 3}]');
  const marked = join(folder, 'marked.json');
  writeFileSync(marked, '\uFEFF{"keepDays": 3}');
  assert.equal((await readSettings(['--config', marked], {}))?.keepDays, 3, 'a byte order mark is skipped');
  const rows: [string[], Record<string, string>, RegExp][] = [
    [['--port', 'abc'], {}, /^--port is "abc": must be an integer from 0 to 65535$/],
    [[], { WHALEWATCH_PORT: '70000' }, /^WHALEWATCH_PORT is 70000: must be an integer from 0 to 65535$/],
    [
      ['--config', json],
      {},
      /^keepDays is 0: must be an integer from 1 to 365 \(.*settings\.json\)\ncolour is not a setting: docs\/settings.md lists them \(.*settings\.json\)$/,
    ],
    [['--config', join(folder, 'none.ts')], {}, /^--config .*none.ts can't be read: /],
    [['--config', folder], {}, /^--config .* can't be read: /],
    [['--config', list], {}, /^--config .*list\.json has no settings: /],
  ];
  for (const [argv, environment, message] of rows)
    await assert.rejects(readSettings(argv, environment), { name: 'SettingError', message });
});

test('docs/settings.md is what the schema says', () => {
  // The formatter aligns tables.
  const plain = (text: string) => text.replaceAll(/ +/g, ' ').replaceAll(/-{3,}/g, '---');
  const written = readFileSync(join(import.meta.dirname, '../../docs/settings.md'), 'utf8');
  assert.equal(plain(written), plain(page()), 'npm run build:settings');
});
