// npm run cost [-- --hits 1000 --domains 20000 --per-request 20 …]: dollars a month from list prices of us-east-1, free
// tiers aside. All prices, measured figures and assumptions are listed here. Replace them with your own.
// npm run cost -- --tables: the tables of docs/cost.md; a test keeps them equal.
import { parseArgs } from 'node:util';

/** List prices, dollars; us-east-1, as believed in November 2026. */
const price = {
  /** HTTP API, a request: up to 300 million a month, then more. */
  httpApi: [
    [300e6, 1.0e-6],
    [Infinity, 0.9e-6],
  ] as Tiers,
  lambdaRequest: 0.2e-6,
  /** A GB-second on arm64. */
  lambdaGBSecond: 0.0000133334,
  /** A GB out to the internet. */
  egressGB: [
    [10_240, 0.09],
    [40_960, 0.085],
    [102_400, 0.07],
    [Infinity, 0.05],
  ] as Tiers,
  onDemandStreamHour: 0.04,
  onDemandGiBIn: 0.08,
  onDemandGiBOut: 0.04,
  shardHour: 0.015,
  /** A unit of 25 KB put to a shard. */
  putUnit: 0.014e-6,
  s3Put: 5e-6,
  s3Get: 0.4e-6,
  s3GBMonth: 0.023,
  /** DynamoDB on demand: a write of 1 KB, a read of 4 KB. */
  write: 0.625e-6,
  read: 0.125e-6,
  searchNodeHour: 0.036,
  searchGBMonth: 0.122,
  /** Fargate on arm64, and EMR Serverless on arm64: a processor and a GB for an hour. */
  fargate: { processorHour: 0.03238, GBHour: 0.00356 },
  emr: { processorHour: 0.0421, GBHour: 0.00463 },
  /** Application Load Balancer, and a unit of its load: 25 new connections a second, or 1 GB an hour. */
  balancerHour: 0.0225,
  balancerUnitHour: 0.008,
  /** A public IPv4 address: one a task, one a zone of the load balancer. */
  addressHour: 0.005,
  /** CloudFront, an HTTPS request and a GB out, in its cheapest regions. */
  edgeRequest: 1.0e-6,
  edgeGB: 0.085,
  /** A web ACL with one rule, and a request it looks at. */
  webAclMonth: 6,
  webAclRequest: 0.6e-6,
  secretMonth: 0.4,
  alarmMonth: 0.1,
};

/** Figures from this repository's benches, measured on a busy x86 machine; each names its command. */
export const measured = {
  /** npm run bench -- cost: bytes of a hit's line in the stream, including its line feed. */
  hitBytes: 117,
  /** npm run bench -- cost: processor time of collect for a request, and more for each hit in it. */
  collectCpuMs: 1.5,
  collectHitCpuMs: 0.005,
  /** npm run bench -- collect: requests of one hit that keep one processor of the collector on Fargate half busy. */
  serverRequests: 6000,
  /** npm run bench -- process: parse, locate, fold. */
  processHitUs: 0.31,
  /** npm run bench -- cost: processor time to read, draw and gzip a tile, and its bytes, gzipped. */
  tileCpuMs: 0.3,
  tileBytes: 460,
  /**
   * npm run bench -- export --alone --domains N: processor seconds of folding and publishing, 0.32 at 20,000; and for
   * each domain; the bytes of a domain in a snapshot and points.json.
   */
  exportCpuSeconds: 0.27,
  exportDomainUs: 2.4,
  snapshotBytes: 146,
  pointsJsonBytes: 28,
  /** Bytes of memory at the peak for each domain: 451 MB at a million. */
  exportDomainMemory: 400,
};

/** Assumptions about what can't be measured here: waiting for AWS, and what people do. */
export const assumed = {
  /** How many times longer than the measuring machine an arm64 processor of Lambda takes. */
  armFactor: 1,
  /** How long a request to collect waits for PutRecords. */
  collectWaitMs: 8,
  collectGB: 0.25,
  /** The response to a request, with its headers. */
  responseBytes: 350,
  processGB: 1.728,
  /** How long a batch waits: delta, checkpoint, commit. */
  batchMs: 60,
  /** Bytes of a record in a Lambda event without its data. */
  envelopeBytes: 590,
  /** How long an export waits for its dozen reads and writes. */
  exportWaitMs: 300,
  /** How many requests' hits share a record on a server: those that come in the milliseconds of a call. */
  gatherMs: 15,
  /** Requests per connection to the load balancer: one from a beacon, many from a portal. */
  perConnection: 1,
  /** Seconds of a training, once a day; plus waiting for machines, a minute on Fargate and two on Spark. */
  trainSeconds: 60,
  /** Bytes per domain of the state that each export writes anew, and how many days S3 keeps replaced objects. */
  stateDomainBytes: 40,
  restoreDays: 7,
  /** Tiles a month that readers request, and the share that CloudFront has cached. */
  tiles: 4e6,
  tileHit: 0.85,
  /** How long a tile that CloudFront does not have waits for S3. */
  tileWaitMs: 20,
  /** Bytes of the headers of a CloudFront response. */
  edgeHeaderBytes: 500,
};

const snapshotDomainBytes = measured.snapshotBytes + measured.pointsJsonBytes;

/** By the number of domains on the map: seconds of an export, megabytes that it writes, and gigabytes of memory. */
const exportOf = (domains: number) => ({
  seconds:
    assumed.exportWaitMs / 1000 +
    assumed.armFactor * (measured.exportCpuSeconds + measured.exportDomainUs * 1e-6 * domains),
  megabytes: (snapshotDomainBytes * domains) / 1e6,
  /** Memory of the function: the default, or what so many domains need. */
  gigabytes: Math.max(1769, 60 + measured.exportDomainMemory * 1e-6 * domains) / 1024,
});

/** Bytes of overwritten objects that the data bucket keeps: the state for `restoreDays`, snapshots for a day. */
const versionsGB = (domains: number, exportEvery: number) =>
  ((86_400 / exportEvery) * domains * (assumed.restoreDays * assumed.stateDomainBytes + snapshotDomainBytes)) / GiB;

/** An alarm is billed by its metrics: most watch two streams or functions at once. */
const alarmMetrics = 49;

/** The function that sends alerts, called once a minute: 0.1 s of half a gigabyte, and two reads if no alert waits. */
const alertCalls = () => (monthSeconds / 60) * (price.lambdaRequest + 0.05 * price.lambdaGBSecond + 2 * price.read);

/** Lambda gives a function its share of a processor: 1769 MB is a whole one. */
const shareOf = (gigabytes: number) => Math.min(1, (gigabytes * 1024) / 1769);

export interface Load {
  /** Hits a second, all month. */
  hits: number;
  /** Domains on the map. */
  domains: number;
  /** Hits that one request carries. */
  perRequest: number;
  stream: 'provisioned' | 'onDemand';
  exportEvery: number;
  batchWindow: number;
  collector: 'lambda' | 'fargate';
  trainer: 'lambda' | 'fargate' | 'spark';
  /** Whether OpenSearch is the deployment's own, or paid for elsewhere. */
  search: boolean;
  /** The web ACLs of `requestsPerAddress`, in us-east-1. */
  webAcl: boolean;
}

export const defaults: Load = {
  hits: 1,
  domains: 20_000,
  perRequest: 1,
  stream: 'provisioned',
  exportEvery: 60,
  batchWindow: 5,
  collector: 'lambda',
  trainer: 'lambda',
  search: true,
  webAcl: false,
};

type Tiers = [number, number][];
const monthSeconds = 2_628_000;
const monthHours = 730;
const GiB = 2 ** 30;

function tiered(amount: number, tiers: Tiers): number {
  let [sum, from] = [0, 0];
  for (const [until, each] of tiers) {
    sum += Math.max(0, Math.min(amount, until) - from) * each;
    from = until;
  }
  return sum;
}

/** Dollars a month by part; `shards` is how many a provisioned stream needs, with half as many again in reserve. */
export function cost(given: Partial<Load> = {}): { parts: Record<string, number>; total: number; shards: number } {
  const load = { ...defaults, ...given };
  const { hits, domains, perRequest, stream, exportEvery, batchWindow, search, webAcl, collector, trainer } = load;
  const all = hits * monthSeconds;
  const requests = all / perRequest;
  const parts: Record<string, number> = {};

  // On Fargate several requests share a record.
  let records = requests;
  if (collector === 'fargate') {
    const { servers, dollars } = serversFor(requests / monthSeconds);
    parts['load balancer, servers'] = dollars;
    records = Math.min(requests, (servers * monthSeconds * 1000) / assumed.gatherMs);
  } else {
    parts['HTTP API'] = tiered(requests, price.httpApi);
    const cpuMs = assumed.armFactor * (requests * measured.collectCpuMs + all * measured.collectHitCpuMs);
    const collectSeconds = (requests * assumed.collectWaitMs + cpuMs / shareOf(assumed.collectGB)) / 1000;
    parts.collect = requests * price.lambdaRequest + collectSeconds * assumed.collectGB * price.lambdaGBSecond;
  }
  const recordBytes = (all / records) * measured.hitBytes;
  const perSecond = records / monthSeconds;
  const shards = Math.max(1, Math.ceil(1.5 * Math.max(perSecond / 1000, (perSecond * recordBytes) / 2 ** 20)));
  parts['responses out'] = tiered((requests * assumed.responseBytes) / GiB, price.egressGB);
  // One more shard is for registry events.
  const hitsStream =
    stream === 'onDemand'
      ? // Each record is billed in whole KiB.
        monthHours * price.onDemandStreamHour +
        ((records * Math.ceil(recordBytes / 1024)) / 2 ** 20) * price.onDemandGiBIn +
        ((all * measured.hitBytes) / GiB) * price.onDemandGiBOut
      : shards * monthHours * price.shardHour + records * Math.ceil(recordBytes / 25_600) * price.putUnit;
  parts.streams = monthHours * price.shardHour + hitsStream;

  // A batch ends with its window, or when it is full: 6 MB of event, base64, or 10,000 records.
  const readers = stream === 'onDemand' ? Math.max(4, 2 * shards) : shards;
  const full = Math.max(perSecond / 10_000, (perSecond * (recordBytes * 1.34 + assumed.envelopeBytes)) / 5.5e6);
  const batches = Math.min(records, Math.max(readers / batchWindow, full) * monthSeconds);
  const processSeconds = (batches * assumed.batchMs) / 1000 + (assumed.armFactor * all * measured.processHitUs) / 1e6;
  parts.process = batches * price.lambdaRequest + processSeconds * assumed.processGB * price.lambdaGBSecond;
  parts['deltas and checkpoints'] =
    batches * (price.s3Put + price.s3Get) + batches * (2 * price.write + 3 * price.read);

  const { seconds, megabytes, gigabytes } = exportOf(domains);
  const exports = monthSeconds / exportEvery;
  parts.export =
    exports * (price.lambdaRequest + seconds * gigabytes * price.lambdaGBSecond + 6 * price.s3Put) +
    ((12 * megabytes) / 1024) * price.s3GBMonth +
    versionsGB(domains, exportEvery) * price.s3GBMonth;
  const misses = assumed.tiles * (1 - assumed.tileHit);
  const tileSeconds = (assumed.tileWaitMs + assumed.armFactor * measured.tileCpuMs) / 1000;
  parts.tiles = misses * (price.lambdaRequest + price.httpApi[0][1] + tileSeconds * 1.728 * price.lambdaGBSecond);
  const edgeGB = (assumed.tiles * (measured.tileBytes + assumed.edgeHeaderBytes)) / GiB;
  parts.CloudFront = assumed.tiles * price.edgeRequest + edgeGB * price.edgeGB;
  parts.training = 30 * training(trainer);
  if (webAcl) {
    parts['web ACLs'] = price.webAclMonth + assumed.tiles * price.webAclRequest;
    // Hits that come to CloudFront are only redirected.
    if (collector === 'fargate') parts['web ACLs'] += price.webAclMonth + requests * price.webAclRequest;
  }
  if (search) parts.OpenSearch = monthHours * price.searchNodeHour + 10 * price.searchGBMonth;
  parts['secrets, alarms, logs'] = 2 * price.secretMonth + alarmMetrics * price.alarmMonth + alertCalls() + 3;
  const total = Object.values(parts).reduce((sum, part) => sum + part, 0);
  return { parts, total, shards };
}

/** Servers of the collector on Fargate, of one processor and 2 GB, and what they and the load balancer cost a month. */
function serversFor(requestsPerSecond: number): { servers: number; dollars: number } {
  const servers = Math.max(2, Math.ceil(requestsPerSecond / measured.serverRequests));
  const { processorHour, GBHour } = price.fargate;
  const units = Math.max(1, requestsPerSecond / assumed.perConnection / 25);
  const hour =
    price.balancerHour +
    units * price.balancerUnitHour +
    servers * (processorHour + 2 * GBHour) +
    (servers + 2) * price.addressHour;
  return { servers, dollars: hour * monthHours };
}

/** One training by default sizes. */
function training(trainer: Load['trainer']): number {
  const { fargate, emr, addressHour, lambdaGBSecond } = price;
  if (trainer === 'lambda') return assumed.trainSeconds * 3.008 * lambdaGBSecond;
  const hours = (seconds: number) => (assumed.trainSeconds + seconds) / 3600;
  if (trainer === 'fargate') return hours(60) * (4 * fargate.processorHour + 16 * fargate.GBHour + addressHour);
  return hours(120) * (16 * emr.processorHour + 64 * emr.GBHour) + 2 * assumed.trainSeconds * 3.008 * lambdaGBSecond;
}

function number(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name} is "${text}": must be a number above 0`);
  return value;
}

function one<Name extends string>(option: string, text: string | undefined, names: [Name, ...Name[]]): Name {
  const found = names.find((name) => name === (text ?? names[0]));
  if (!found) throw new Error(`--${option} is "${text}": must be one of ${names.join(', ')}`);
  return found;
}

/** The tables of docs/cost.md. */
export function tables(): string {
  const dollars = (value: number) => Math.round(value).toLocaleString('en-US');
  const sum = ({ parts }: ReturnType<typeof cost>, ...names: string[]) =>
    dollars(names.reduce((total, name) => total + (parts[name] ?? 0), 0));
  const streamOf = (of: ReturnType<typeof cost>) => `${sum(of, 'streams')} (${of.shards})`;
  const rest = (of: ReturnType<typeof cost>) => [
    sum(of, 'process', 'deltas and checkpoints'),
    sum(of, 'export', 'tiles', 'CloudFront'),
    sum(of, 'training', 'OpenSearch', 'secrets, alarms, logs'),
  ];
  const loads = [1, 1000, 50_000].flatMap((hits) =>
    (hits === 1 ? [1] : hits === 1000 ? [1, 20] : [1, 20, 200]).map((perRequest) => ({ hits, perRequest })),
  );
  const tail = ['process, deltas, checkpoints', 'export, tiles, CloudFront', 'search, training, fixed', 'total'];
  const onLambda = loads.flatMap(({ hits, perRequest }) =>
    [20_000, 10_000_000].map((domains) => {
      const of = cost({ hits, perRequest, domains, exportEvery: domains > 1e6 ? 300 : 60 });
      const first = [dollars(hits), String(perRequest), domains > 1e6 ? '10M' : '20k'];
      return [
        ...first,
        sum(of, 'HTTP API'),
        sum(of, 'collect'),
        sum(of, 'responses out'),
        streamOf(of),
        ...rest(of),
        `**${dollars(of.total)}**`,
      ];
    }),
  );
  const onFargate = loads
    .filter(({ perRequest }) => perRequest < 200)
    .map((load) => {
      const of = cost({ ...load, collector: 'fargate' });
      const first = [
        dollars(load.hits),
        String(load.perRequest),
        sum(of, 'load balancer, servers'),
        sum(of, 'responses out'),
      ];
      return [...first, streamOf(of), ...rest(of), `**${dollars(of.total)}**`, dollars(cost(load).total)];
    });
  const floor = cost().total;
  const effects: [string, Partial<Load>][] = [
    ['`search: { endpoint, signed }` (a domain you have)', { search: false }],
    ["`stream: 'onDemand'` instead of one shard", { stream: 'onDemand' }],
    ['`exportEvery: 15`', { exportEvery: 15 }],
    ['`exportEvery: 300`', { exportEvery: 300 }],
    ['`batchWindow: 1`', { batchWindow: 1 }],
    ['`batchWindow: 60`', { batchWindow: 60 }],
    ["`collector: 'fargate'`", { collector: 'fargate' }],
    ['`requestsPerAddress`', { webAcl: true }],
    ["`trainer: 'fargate'`, once a day", { trainer: 'fargate' }],
    ["`trainer: 'spark'`, once a day", { trainer: 'spark' }],
  ];
  const signed = (value: number) => `${value < 0 ? '-' : '+'}$${Math.abs(value).toFixed(Math.abs(value) < 10 ? 1 : 0)}`;
  return [
    table(
      ['hits/s', 'hits a request', 'domains', 'HTTP API', 'collect', 'responses out', 'streams (hits shards)', ...tail],
      onLambda,
    ),
    table(
      [
        'hits/s',
        'hits a request',
        'load balancer, servers',
        'responses out',
        'streams (hits shards)',
        ...tail,
        'on Lambda',
      ],
      onFargate,
    ),
    table(
      ['setting', 'effect on the floor'],
      [
        ['everything as it is by default', `$${floor.toFixed(0)}`],
        ...effects.map(([name, load]) => [name, signed(cost(load).total - floor)]),
      ],
    ),
    table(['figure', 'value', 'by'], figures()),
  ].join('\n\n');
}

function figures(): string[][] {
  const { hitBytes, collectCpuMs, collectHitCpuMs, serverRequests, processHitUs, tileCpuMs, tileBytes } = measured;
  const { exportCpuSeconds, exportDomainUs, snapshotBytes, pointsJsonBytes } = measured;
  const atTwentyThousand = exportCpuSeconds + 0.02 * exportDomainUs;
  const bench = (words: string) => `\`npm run bench -- ${words}\``;
  return [
    ["a hit's line in the stream", `${hitBytes} bytes`, bench('cost')],
    ['collect, processor time of a request', `${collectCpuMs} ms + ${collectHitCpuMs} ms a hit`, bench('cost')],
    [
      'a server of collect, half busy',
      `${serverRequests.toLocaleString('en-US')} requests a second and processor`,
      bench('collect'),
    ],
    ['process, processor time', `${processHitUs} us a hit`, bench('process')],
    ['a tile: processor time with gzip; its bytes', `${tileCpuMs} ms, ${tileBytes} bytes`, bench('cost')],
    [
      'export: fold and publish',
      `${atTwentyThousand.toFixed(2)} s at 20,000 domains; ${exportDomainUs} us a domain`,
      bench('export --alone --domains …'),
    ],
    [
      'a snapshot and points.json',
      `${snapshotBytes} + ${pointsJsonBytes} bytes a domain`,
      bench('export --alone --domains 20000'),
    ],
  ];
}

/** A table of Markdown, its columns as wide as their widest. */
function table(head: string[], rows: string[][]): string {
  const left = head[0] === 'setting' || head[0] === 'figure';
  const widths = head.map((name, at) => Math.max(...[name, ...rows.map((row) => row[at])].map((cell) => cell.length)));
  const line = (cells: string[]) =>
    `| ${cells.map((cell, at) => (left ? cell.padEnd(widths[at]) : cell.padStart(widths[at]))).join(' | ')} |`;
  const rule = `| ${widths.map((width) => (left ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}

const help = `usage: npm run cost -- [--hits 1000] [--per-request 20] [--domains 20000] [--stream provisioned|onDemand]
  [--export-every SECONDS] [--batch-window SECONDS] [--collector lambda|fargate] [--trainer lambda|fargate|spark] [--no-search]
  [--web-acl]

Dollars a month of such a load. --tables prints the tables of docs/cost.md.`;

if (import.meta.main) main();

/** Reads the arguments and prints. */
export function main(): void {
  try {
    print();
  } catch (cause) {
    console.error(`${(cause as Error).message}\n\n${help}`);
    process.exitCode = 1;
  }
}

function print(): void {
  const option = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      ...{ hits: option, domains: option, 'per-request': option, stream: option, 'export-every': option },
      ...{ 'batch-window': option, collector: option, trainer: option, 'no-search': { type: 'boolean' as const } },
      'web-acl': { type: 'boolean' },
      tables: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help || values.tables) {
    console.log(values.help ? help : tables());
    return;
  }
  const load: Load = {
    hits: number('hits', values.hits, defaults.hits),
    domains: number('domains', values.domains, defaults.domains),
    perRequest: number('per-request', values['per-request'], defaults.perRequest),
    stream: one('stream', values.stream, ['provisioned', 'onDemand']),
    exportEvery: number('export-every', values['export-every'], defaults.exportEvery),
    batchWindow: number('batch-window', values['batch-window'], defaults.batchWindow),
    collector: one('collector', values.collector, ['lambda', 'fargate']),
    trainer: one('trainer', values.trainer, ['lambda', 'fargate', 'spark']),
    search: !values['no-search'],
    webAcl: values['web-acl'] ?? false,
  };
  const { parts, total, shards } = cost(load);
  console.log(
    `${load.hits} hits/s, ${load.domains} domains, ${load.perRequest} hits a request, ${load.stream} stream, collector ${load.collector}`,
  );
  for (const [part, dollars] of Object.entries(parts))
    console.log(`${part.padEnd(24)}${dollars.toFixed(2).padStart(12)}`);
  console.log(`${'dollars a month'.padEnd(24)}${total.toFixed(2).padStart(12)}`);
  if (load.stream === 'provisioned') console.log(`set stream: { shards: ${shards} }`);
}
