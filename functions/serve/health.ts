import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { pageWithin } from '#core/cursor.ts';
import type { Quarantined } from '#core/event.ts';
import { emptyManifest, type Manifest, readManifest } from '#core/hits/manifest.ts';
import { cardInService, readModels } from '#core/recommender/model-list.ts';
import { knownAgent } from '#core/registry/classify.ts';
import { defaultRegistry } from '#core/registry/name.ts';
import { quarantineBounds } from '#core/registry/sealed.ts';
import { aheadMs } from '#core/steady.ts';
import {
  type CheckpointStore,
  type EventStore,
  type ObjectStore,
  type QuarantineState,
  type RefusalStore,
  refusalDays,
  refusalReasons,
  type SearchStore,
  StoreUnavailable,
} from '#core/stores.ts';
import { ApiError } from '#http/errors.ts';
import { csv, csvType, format, jsonOrCsv, nextPage } from './csv.ts';
import { fittingPage } from './fitting.ts';
import { failures, from, inOrder, iso, json, limit, pageOf, router, to } from './parameters.ts';
import { type Registries, registriesOf, registry, registryShown } from './registries.ts';
import { renewed } from './renewed.ts';

/** How far process is behind in one shard. */
export interface ShardLag {
  shard: string;
  /** Age of the oldest record not yet processed; 0 if none waits. */
  seconds: number;
}

/** A fault of the machine that health names; `isStuck`: it stops a stage. */
export interface Fault {
  reason: string;
  isStuck: boolean;
}

export interface HealthOptions {
  /** Faults of the machine that the wiring reports. */
  faults?: () => Promise<Fault[]>;
  checkpoints: CheckpointStore;
  events: EventStore;
  objects: ObjectStore;
  search: Pick<SearchStore, 'counts'>;
  lag: () => Promise<ShardLag[]>;
  /** How many stream records of imports wait. Omitted if nothing is imported. */
  importing?: () => number;
  /** When the IP table was built, milliseconds; undefined if unknown. */
  ipTableBuiltAt: () => Promise<number | undefined>;
  /** Refused posts of registries. */
  refusals?: Pick<RefusalStore, 'list'>;
  /** From how many seconds of lag, or of unfolded commits, health is 503. */
  unhealthyAfterSeconds: number;
  /** Rejects while collect can't accept events. Default: ready whenever the stores can be read. */
  ready?: () => Promise<void>;
  clock: () => number;
  report: (cause: unknown) => void;
}

const age = z.object({ at: z.iso.datetime(), seconds: z.int() }).nullable();
const report = z
  .object({
    status: z.enum(['ok', 'degraded', 'unhealthy']).openapi({
      description: '`degraded`: it works, but `reasons` says what to check',
    }),
    reasons: z.array(z.string()),
    warnings: z.array(z.string()).openapi({
      description: 'What works but should be checked; most warnings make the status degraded, and are in `reasons` too',
    }),
    shards: z.array(z.object({ shard: z.string(), lagSeconds: z.number() })),
    importing: z.int().openapi({
      description:
        "Stream records of imports that are not counted yet. They do not count as lag, because today's events do not wait for them",
    }),
    hits: z.int(),
    registryEvents: z.int(),
    duplicates: z.int(),
    quarantined: z.int(),
    quarantine: z
      .object({
        entries: z.int(),
        bytes: z.int(),
        dropped: z
          .int()
          .openapi({ description: 'Entries that were dropped early, the oldest first, for lack of room' }),
      })
      .openapi({
        description: `Entries are kept for ${quarantineBounds.days} days, and at most ${quarantineBounds.bytes / 1024 ** 2} MiB of them`,
      }),
    late: z.int(),
    future: z.int(),
    unlocatedShare: z.number(),
    points: age,
    model: age.openapi({ description: 'When the model in service was trained' }),
    ipTable: age,
    refused: z
      .array(
        z.object({
          reason: z.enum(refusalReasons),
          registry: z.string().optional().openapi({ description: 'The registry whose token the posts had' }),
          posts: z.int(),
          lastAt: z.iso.datetime(),
        }),
      )
      .openapi({
        description: `Posts of registries of the last ${refusalDays} days that did not count, or not all of them, the newest first`,
      }),
    unknownAgents: z.array(z.object({ client: z.string(), pulls: z.int() })).openapi({
      description:
        'Clients of the last 7 days that no class rule knows, most pulls first: they count as people until a rule says otherwise',
    }),
  })
  .openapi('Health');

export const health = createRoute({
  method: 'get',
  path: '/v1/health',
  summary: 'Whether incoming data is processed and published, and what was dropped or quarantined on the way',
  responses: {
    200: json(report, 'Everything is well, or works with a fault that `reasons` names'),
    503: json(report, 'Something is stuck or down; `reasons` says what'),
  },
});

const state = (name: string, says: string) => z.object({ status: z.literal(says) }).openapi(name);

export const live = createRoute({
  method: 'get',
  path: '/v1/health/live',
  summary: 'Whether the process runs; if not, restart it',
  responses: { 200: json(state('Live', 'ok'), 'It runs') },
});

export const ready = createRoute({
  method: 'get',
  path: '/v1/health/ready',
  summary: 'Whether events can be accepted and stores can be read; waiting records do not matter',
  responses: {
    200: json(state('Ready', 'ok'), 'Send requests'),
    503: json(z.object({ error: z.object({ code: z.string(), message: z.string() }) }), 'Send no requests'),
  },
});

const entry = z.object({
  id: z.string(),
  time: z.iso.datetime(),
  reason: z.string(),
  position: z.string(),
  body: z.string(),
  registry: registryShown,
});
const entryColumns = ['time', 'reason', 'registry', 'position', 'id', 'body'] as const;
/** A spreadsheet cell has at most 32,767 characters, and the first few show the reason. */
const csvBody = 1000;

export const quarantine = createRoute({
  method: 'get',
  path: '/v1/quarantine',
  summary: 'What could not be understood, with the reason, newest first',
  request: {
    query: z.object({
      ...{ from: from.optional(), to: to.optional(), registry },
      ...{ cursor: z.string().optional(), limit: limit(50, 1000), format },
    }),
  },
  responses: {
    200: jsonOrCsv(
      pageOf(entry),
      `Quarantined entries; with CSV the header Link names the next page, and bodies are cut after ${csvBody} characters`,
    ),
    ...failures,
  },
});

export function healthRoutes(options: HealthOptions, registries: Registries = registriesOf()): OpenAPIHono {
  const { events, search, clock, report } = options;
  // A list for the owner may be slower than the health check; if it can't be read, health says so.
  const unknownAgents = renewed(
    async () => {
      try {
        return { agents: await readUnknownAgents(search, clock()), searchIsDown: false };
      } catch (cause) {
        report(cause);
        return { agents: [], searchIsDown: cause instanceof StoreUnavailable };
      }
    },
    { clock, report, longestMs: 10_000, times: 100 },
  );
  // The same holds for refused posts.
  const nothing = (cause: unknown) => {
    report(cause);
    return [];
  };
  // Anyone may call this as often as they like, so the stores are read at most once a second.
  const whetherReady = renewed(() => checkReady(options), { clock, report, longestMs: 1000 });
  const app = router();
  app.openapi(live, (c) => {
    c.header('Cache-Control', 'no-store');
    return c.json({ status: 'ok' as const }, 200);
  });
  app.openapi(ready, async (c) => {
    if (!(await whetherReady()))
      throw new ApiError(503, 'not_ready', "Events can't be accepted now: the log has the cause.");
    c.header('Cache-Control', 'no-store');
    return c.json({ status: 'ok' as const }, 200);
  });
  app.openapi(health, async (c) => {
    const [found, { agents, searchIsDown }] = await Promise.all([
      readHealth(options),
      within(agentsMs, unknownAgents(), { agents: [], searchIsDown: false }),
    ]);
    const body = {
      ...(searchIsDown ? degraded(found, searchReason) : found),
      refused: ((await options.refusals?.list().catch(nothing)) ?? []).map(({ reason, registry, posts, lastAt }) => ({
        ...{ reason, posts, lastAt: iso(lastAt) },
        ...(registry === '' ? {} : { registry }),
      })),
      unknownAgents: agents,
    };
    c.header('Cache-Control', 'no-store');
    return body.status === 'unhealthy' ? c.json(body, 503) : c.json(body, 200);
  });
  app.openapi(quarantine, async (c) => {
    const { format, registry, ...query } = c.req.valid('query');
    registries.known(registry);
    inOrder(query, c.req.query());
    const read = (page: { cursor?: string; limit: number }) =>
      pageWithin((one) => events.quarantined(one), { ...query, ...page });
    const isOf = (entry: Quarantined) => (entry.registry ?? defaultRegistry) === registry;
    const found = await (registry === undefined ? read(query) : fittingPage(read, isOf, query));
    const items = found.items.map((item) => ({ ...item, time: iso(item.time) }));
    if (format === 'json') return c.json({ items, cursor: found.cursor }, 200);
    const rows = items.map((item) => ({ ...item, body: item.body.slice(0, csvBody) }));
    return c.body(csv(entryColumns, rows), 200, { ...csvType, ...nextPage(c.req.url, found.cursor) });
  });
  return app;
}

/** The result of `GET /v1/health` without the lists of what strangers sent. */
export async function readHealth(
  options: Omit<HealthOptions, 'search' | 'report' | 'events'> & { events: Pick<EventStore, 'quarantineState'> },
) {
  const { checkpoints, events, objects, faults, lag, ipTableBuiltAt, unhealthyAfterSeconds } = options;
  const now = options.clock();
  const reasons: string[] = [];
  const { manifest } = await readManifest(objects).catch((cause: Error) => {
    reasons.push(`the state of the map can't be read: ${cause.message}`);
    return { manifest: emptyManifest };
  });
  const shards = await lag();
  for (const { shard, seconds } of shards)
    if (seconds > unhealthyAfterSeconds) reasons.push(`process is ${Math.round(seconds)} s behind in ${shard}`);
  for (const shard of await checkpoints.shards()) {
    const [row] = await checkpoints.after(shard, manifest.positions[shard] ?? '0', 1);
    const seconds = row ? (now - row.committedAt) / 1000 : 0;
    if (seconds > unhealthyAfterSeconds) reasons.push(`export has not folded ${shard} for ${Math.round(seconds)} s`);
  }
  const found = (await faults?.()) ?? [];
  for (const { reason } of found.filter(({ isStuck }) => isStuck)) reasons.push(reason);
  const { entries, bytes, dropped, ...last } = await events.quarantineState();
  const warnings = [
    ...warningsOf(manifest, now),
    ...fullWarnings({ dropped, ...last }, now),
    ...found.flatMap(({ reason, isStuck }) => (isStuck ? [] : [reason])),
  ];
  const builtAt = await ipTableBuiltAt();
  const model = cardInService((await readModels(objects)).list);
  const { counters } = manifest;
  return {
    status: reasons.length > 0 ? ('unhealthy' as const) : warnings.length > 0 ? ('degraded' as const) : ('ok' as const),
    reasons: [...reasons, ...warnings],
    warnings: [...warnings, ...ipWarnings(builtAt, now)],
    shards: shards.map(({ shard, seconds }) => ({ shard, lagSeconds: seconds })),
    importing: options.importing?.() ?? 0,
    hits: counters.hits,
    registryEvents: counters.registryEvents,
    duplicates: counters.duplicates,
    quarantined: counters.quarantined,
    quarantine: { entries, bytes, dropped },
    late: counters.late,
    future: counters.future,
    unlocatedShare: counters.hits === 0 ? 0 : counters.unlocated / counters.hits,
    points: ageOf(manifest.updatedAt || undefined, now),
    model: ageOf(model?.trainedAt, now),
    ipTable: ageOf(builtAt, now),
  };
}

/** How long health waits for a list that does not affect its status; the next call has it. */
const agentsMs = 1000;

/** The value or, if it takes longer, the other one. */
async function within<T>(milliseconds: number, value: Promise<T>, other: T): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<T>((resolve) => {
    timer = setTimeout(resolve, milliseconds, other);
  });
  return Promise.race([value, late]).finally(() => clearTimeout(timer));
}

const searchReason =
  "the search store does not respond: pulls wait for it and none is lost; users and repositories can't be read, and recommendations are partial";

function degraded<T extends Awaited<ReturnType<typeof readHealth>>>(found: T, reason: string): T {
  const status = found.status === 'ok' ? 'degraded' : found.status;
  return { ...found, status, reasons: [...found.reasons, reason], warnings: [...found.warnings, reason] };
}

/** Whether events can be accepted; reports why not. */
async function checkReady({ objects, ready, report }: HealthOptions): Promise<boolean> {
  try {
    await Promise.all([ready?.(), readManifest(objects)]);
    return true;
  } catch (cause) {
    report(cause);
    return false;
  }
}

/** More new rows of (domain, day) within one day than this are a flood, not real portals. */
const manyNew = 100_000;

/** What works, but should be checked. */
function warningsOf({ grown, held, clock: exportedAt = 0 }: Manifest, now: number): string[] {
  const warnings: string[] = [];
  const today = grown?.day === iso(now).slice(0, 10) ? grown : undefined;
  const name = 'if they are made up, name your own in the setting domains; if not, raise mostDomains';
  if (today && today.other > 0)
    warnings.push(`${today.other} hits of today are counted as "other": too many domains; ${name}`);
  else if (today && today.rows > manyNew) warnings.push(`${today.rows} domains are new today; ${name}`);
  if (held)
    warnings.push(
      `${held.domains} domains are due to leave the map at once, but are kept, because the clock jumped or nothing ran for days: correct the clock, or wait a day`,
    );
  if (exportedAt > now + aheadMs)
    warnings.push(`the clock is behind that of the last export, ${iso(exportedAt)}: correct the clock`);
  return warnings;
}

const dayMs = 86_400_000;

function fullWarnings({ dropped, droppedAt }: Pick<QuarantineState, 'dropped' | 'droppedAt'>, now: number): string[] {
  if (droppedAt === undefined || now - droppedAt > dayMs) return [];
  return [
    `quarantine is full: ${dropped} of its oldest entries were dropped; fix what sends them, then run npm run replay`,
  ];
}

/** An IP table older than this is reported as old. */
const freshIpDays = 60;

/** An old IP table is not a fault of the service, so it does not change the status. */
function ipWarnings(builtAt: number | undefined, now: number): string[] {
  const days = builtAt === undefined ? 0 : Math.floor((now - builtAt) / dayMs);
  if (days <= freshIpDays) return [];
  return [`the IP table is ${days} days old, more than ${freshIpDays}: npm run ip-update -- FILE installs a newer one`];
}

const ageOf = (at: number | undefined, now: number) =>
  at === undefined ? null : { at: iso(at), seconds: Math.max(0, Math.round((now - at) / 1000)) };

const agentDays = 7;
const mostAgents = 20;

async function readUnknownAgents(search: Pick<SearchStore, 'counts'>, now: number) {
  const { buckets } = await search.counts({ from: now - agentDays * 86_400_000, by: 'client' });
  const pulls = new Map<string, number>();
  for (const { key, pulls: count } of buckets)
    if (key && count > 0 && !knownAgent(key)) pulls.set(key, (pulls.get(key) ?? 0) + count);
  return [...pulls]
    .map(([client, count]) => ({ client, pulls: count }))
    .sort((a, b) => b.pulls - a.pulls || (a.client < b.client ? -1 : 1))
    .slice(0, mostAgents);
}
