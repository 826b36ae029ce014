// Checks, before a deployment, which parts of a template the account's quotas would throttle or refuse. A new account
// runs ten functions at once.
import { GetAccountSettingsCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import { paginateListServiceQuotas, type ServiceQuotasClient } from '@aws-sdk/client-service-quotas';
import { ofType, type Resources } from '../checks/check.ts';

/** What a template needs concurrently. */
export interface Needs {
  /** Functions that run without requests: a batch per shard, export, training. */
  background: number;
  /** Sum of reserved concurrency. */
  reserved: number;
  /** Requests a second that the throttles let through to functions. */
  requests: number;
  shards: number;
  /** vCPUs of Fargate: the most servers, and a training. */
  fargate: number;
  /** Processors that Spark may take. */
  spark: number;
}

/** What an account may have concurrently; undefined if the quota could not be read. */
export type Quotas = Record<keyof typeof quotaNames, Quota | undefined>;
interface Quota {
  value: number;
  /** The code in Service Quotas, needed to request more. */
  service: string;
  code: string;
}

/**
 * The quotas by their names in Service Quotas:
 * https://docs.aws.amazon.com/general/latest/gr/aws-service-information.html
 */
const quotaNames = {
  concurrency: ['lambda', 'Concurrent executions'],
  requests: ['apigateway', 'Throttle rate'],
  shards: ['kinesis', 'Shards per Region'],
  fargate: ['fargate', 'Fargate On-Demand vCPU resource count'],
  spark: ['emr-serverless', 'Max concurrent vCPUs per account'],
} as const;

/** Lambda keeps 100 of an account's 1,000 for functions without a reservation. */
const leastUnreserved = 100;
/** How many seconds a request to collect takes in a function. */
const requestSeconds = 0.02;
/** Shards that a stream on demand starts with. */
const onDemandShards = 4;

export function needsOf(resources: Resources): Needs {
  const sum = (type: string, of: (properties: Resources[string]['Properties']) => number) =>
    ofType(resources, type).reduce((total, [, { Properties }]) => total + of(Properties), 0);
  const shards = sum('Kinesis::Stream', ({ ShardCount }) => ShardCount ?? onDemandShards);
  const throttles = ofType(resources, 'ApiGatewayV2::Stage').flatMap(([, { Properties }]) =>
    [Properties.DefaultRouteSettings, ...Object.values(Properties.RouteSettings ?? {})].map(
      (route) => (route as { ThrottlingRateLimit?: number })?.ThrottlingRateLimit ?? 0,
    ),
  );
  const servers = sum('ApplicationAutoScaling::ScalableTarget', ({ MaxCapacity }) => MaxCapacity);
  const tasks = ofType(resources, 'ECS::TaskDefinition').map(([, { Properties }]) => ({
    cpu: Number(Properties.Cpu) / 1024,
    serves: JSON.stringify(Properties).includes('"ContainerPort"'),
  }));
  return {
    background: shards + sum('Scheduler::Schedule', () => 1),
    reserved: sum('Lambda::Function', ({ ReservedConcurrentExecutions }) => ReservedConcurrentExecutions ?? 0),
    requests: throttles.reduce((total, rate) => total + rate, 0),
    shards,
    fargate: tasks.reduce((total, { cpu, serves }) => total + cpu * (serves ? servers : 1), 0),
    spark: sum('EMRServerless::Application', ({ MaximumCapacity }) => Number.parseInt(MaximumCapacity?.Cpu, 10) || 0),
  };
}

/** A line for each thing that will be throttled, or that AWS will refuse. */
export function shortfalls(needs: Needs, quotas: Quotas): { throttled: string[]; refused: string[] } {
  const throttled: string[] = [];
  const refused: string[] = [];
  const { concurrency, requests, shards, fargate, spark } = quotas;
  if (concurrency) {
    const { value } = concurrency;
    const left = Math.max(0, value - needs.background - needs.reserved);
    const perSecond = Math.floor(left / requestSeconds);
    const wanted = Math.ceil(needs.background + needs.reserved + needs.requests * requestSeconds);
    if (needs.reserved > 0 && value - needs.reserved < leastUnreserved)
      refused.push(
        `reservedConcurrency is ${needs.reserved} together: this account runs ${value} functions at once, of which Lambda keeps ${leastUnreserved} unreserved. ${more(concurrency, needs.reserved + leastUnreserved)}`,
      );
    else if (value < wanted)
      throttled.push(
        `This account runs ${value} functions at once. ${needs.background} are process, export, training and alerts; ${left} are left for requests: about ${perSecond} a second, of the ${needs.requests} that the throttles let through. Further requests get 503: registries send them again, hits are lost, tiles are requested again. ${more(concurrency, Math.max(1000, wanted))}`,
      );
  }
  if (requests && requests.value < needs.requests)
    throttled.push(
      `All APIs of this account together take ${requests.value} requests a second; the throttles let ${needs.requests} through: further requests get 429. ${more(requests, needs.requests)}`,
    );
  if (shards && shards.value < needs.shards)
    refused.push(
      `The streams need ${needs.shards} shards; this account may have ${shards.value}. ${more(shards, needs.shards)}`,
    );
  if (fargate && fargate.value < needs.fargate)
    throttled.push(
      `Fargate gives this account ${fargate.value} processors; servers and training need ${needs.fargate}: further tasks do not start. ${more(fargate, needs.fargate)}`,
    );
  if (spark && spark.value < needs.spark)
    throttled.push(
      `EMR Serverless gives this account ${spark.value} processors; trainSpark allows ${needs.spark}: training takes longer. ${more(spark, needs.spark)}`,
    );
  return { throttled, refused };
}

const more = ({ service, code }: Quota, value: number) =>
  `More: aws service-quotas request-service-quota-increase --service-code ${service} --quota-code ${code} --desired-value ${Math.ceil(value)}`;

export interface QuotaClients {
  quotas: ServiceQuotasClient;
  lambda: LambdaClient;
}

/** The account's quotas for what is needed; `unread` says what could not be read, and why. */
export async function quotasOf(needs: Needs, { quotas, lambda }: QuotaClients) {
  const unread: string[] = [];
  const read = async (name: keyof Quotas): Promise<Quota | undefined> => {
    const [service, title] = quotaNames[name];
    try {
      for await (const { Quotas = [] } of paginateListServiceQuotas({ client: quotas }, { ServiceCode: service })) {
        const found = Quotas.find(({ QuotaName }) => QuotaName === title);
        if (found?.Value !== undefined) return { value: found.Value, service, code: found.QuotaCode ?? '' };
      }
      unread.push(`${title} (${service}): Service Quotas does not list it`);
    } catch (cause) {
      unread.push(`${title} (${service}): ${(cause as Error).message}`);
    }
  };
  const wanted = {
    concurrency: true,
    requests: needs.requests > 0,
    shards: true,
    fargate: needs.fargate > 0,
    spark: needs.spark > 0,
  };
  const found = Object.fromEntries(
    await Promise.all(
      Object.entries(wanted).map(async ([name, is]) => [name, is ? await read(name as keyof Quotas) : undefined]),
    ),
  ) as Quotas;
  // Read from Lambda itself: Service Quotas may list the default even if the account has less.
  const own = await lambda.send(new GetAccountSettingsCommand({})).catch((cause: Error) => {
    unread.push(`Concurrent executions (lambda GetAccountSettings): ${cause.message}`);
    return undefined;
  });
  const value = own?.AccountLimit?.ConcurrentExecutions;
  if (value !== undefined) found.concurrency = { service: 'lambda', code: 'L-B99A9384', ...found.concurrency, value };
  return { quotas: found, unread };
}
