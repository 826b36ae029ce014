// Sums of the documents before a day, so that a read costs as much as its result and the newest two days, whatever the
// history. A sum is a document that aggregations take for as many pulls as it stands for (`_doc_count`):
//
//   repository   pulls, raw and manifest events of a repository; its users, newest pull and weight in `trending`
//   pair         pulls of a repository by a named user
//   user         pulls of a named user by registry and class
//   day          what counts count, by registry, and by each of `fields`
//   own day      the same, of each repository and of each user with many documents
//
// Beside them are the images of each repository (images.ts).
//
// All sums of a generation are written first, then the document that names it (`Summed`). Nothing is written with a
// batch: what was stored since is recognised by its sequence number (summed.ts).
import { hash } from 'node:crypto';
import { prefixOf, registryOf } from '#core/registry/name.ts';
import { type Counts, halfLifeDays } from '#core/stores.ts';
import type { Call } from './opensearch.ts';
import {
  allOf,
  countedOf,
  dayMs,
  isManifestEvent,
  isPull,
  isRaw,
  isUncertain,
  itemOf,
  newestOf,
  ofRegistry,
  oldestOf,
  type Query,
  source,
  startOfDay,
  term,
  versioned,
} from './queries.ts';

/** Which sums are in use. */
export interface Summed {
  generation: string;
  /** The sums have all documents with a sequence number up to this */
  seen: number;
  /** whose time is from <= time < through, milliseconds since the epoch. */
  from: number;
  through: number;
  /** Sequence numbers are those of this index; a copy has others. */
  index: string;
}

export type Cube = 'repository' | 'pair' | 'user' | 'day' | 'ownDay';
export type Counted = keyof Counts | 'uncertain' | 'manifests';
/** What counts can be grouped by. */
export type Field = 'tag' | 'class' | 'country' | 'client';
export const fields: Field[] = ['tag', 'class', 'country', 'client'];

export const queryOf: Record<Counted, Query> = {
  ...countedOf,
  uncertain: isUncertain,
  manifests: isManifestEvent,
};

/** Generations begin with it. Sums of an older version lack what is read now, and are not used. */
const format = '2/';
export const isReadable = ({ generation }: Summed): boolean => generation.startsWith(format);

/** Names the sums of a cube in the field `sum`. */
export const sumName = (generation: string, cube: Cube, counted: Counted, by?: Field): string =>
  [generation, cube, counted, ...(by ? [by] : [])].join(' ');

/** The id of a sum; of a pair's, its user and repository are enough. */
export function sumId(name: string, doc: object): string {
  const { user, repository } = doc as { user?: string; repository?: string };
  const key = name.includes(' pair ') ? [name, user, repository] : [name, doc];
  return `sum-${hash('sha256', JSON.stringify(key), 'base64url')}`;
}

/**
 * Marks that a user was forgotten, or that documents from before a time expired: sums that were made earlier and count
 * them are not used.
 */
export const removalItem = (what: 'forgotten' | 'expired', before?: number): string =>
  itemOf(`{"index":{"_id":"removed-${what}"}}`, {
    ...{ kind: 'removed', gone: true },
    ...(before === undefined ? {} : { through: before }),
  });

/** Matches if what these sums count was removed since. */
export const removedFrom = ({ seen, from }: Pick<Summed, 'seen' | 'from'>): Query => ({
  bool: {
    filter: [term('kind', 'removed'), { range: { _seq_no: { gt: seen } } }],
    must_not: [{ range: { through: { lte: from } } }],
  },
});

/** A pull weighs 1 on its UTC day, and half of it after every `halfLifeDays`. The weight of a sum is as of `through`. */
export const weightOn = (now: number, summed?: Summed) => {
  const ofPull = "Math.pow(0.5, (params.day - Math.floor(doc['time'].value / 86400000.0)) / params.halfLife)";
  const day = startOfDay(now) / dayMs;
  const held = summed ? 0.5 ** ((day - summed.through / dayMs) / halfLifeDays) : 1;
  return {
    source: summed ? `doc['weight'].size() > 0 ? doc['weight'].value * params.held : ${ofPull}` : ofPull,
    params: { day, halfLife: halfLifeDays, held },
  };
};

interface Bucket {
  key: Record<string, unknown>;
  doc_count: number;
  first?: { value: number | null };
  last?: { value: number | null };
  weight?: { value: number | null };
}

export interface Summing {
  call: Call;
  /** The alias of the documents index. */
  alias: string;
  composite(filter: Query[], sources: object[], aggs?: object): AsyncIterable<Bucket>;
  histogram(filter: Query[], interval: string): AsyncIterable<{ key: { from: number }; doc_count: number }>;
  aggregate(
    filter: Query[],
    aggs: object,
  ): Promise<{ aggregations?: Record<string, { value?: number | null; buckets?: { key: string }[] }> }>;
  /** The sums of images (images.ts). */
  images(state: Summed): AsyncIterable<{ id: string; doc: object }>;
  bulk(items: Iterable<string>): Promise<void>;
  /** From how many documents on a repository or user has days of its own. */
  manyDocuments: number;
  /** Throws if it takes too long. */
  inTime(): void;
}

/** Times and a number of pulls. */
class Pulls {
  count = 0;
  first = Infinity;
  last = -Infinity;
  add({ doc_count, first, last }: Bucket): void {
    this.count += doc_count;
    this.first = Math.min(this.first, first?.value ?? Infinity);
    this.last = Math.max(this.last, last?.value ?? -Infinity);
  }
}

/** Characters of sums that are sent at once. */
const atOnce = 8 * 1024 * 1024;
const fromHere = (registry: string) => prefixOf(registry) ?? '';

/** More would have some hundred million documents. */
const mostOwners = 10_000;

const tries = 3;
/** Once documents expire, the oldest are not summed, so that expiry does not end the use of sums: they are few. */
const expiringMs = 8 * dayMs;

/**
 * Sums the documents before `through`, the start of a day, and puts the sums in use; removes those in use before. May be
 * stopped at any time, and repeated.
 */
export async function sumUp(to: Summing, through: number): Promise<Summed> {
  for (let attempt = 1; attempt <= tries; attempt++) {
    const summed = await sumOnce(to, through);
    if (summed) return summed;
  }
  throw new Error('users were forgotten, or events expired, whenever pulls were summed: try again later');
}

/** Returns undefined if documents were removed meanwhile: the sums may count them, or name who was forgotten. */
async function sumOnce(to: Summing, through: number): Promise<Summed | undefined> {
  const { call, alias } = to;
  const { index, seen } = await checkpoint(call, alias);
  await call('POST', `/${alias}/_refresh`);
  const expired = await expiredBefore(to);
  const from = expired > 0 ? startOfDay(expired) + expiringMs : 0;
  const state: Summed = { generation: `${format}${index}-${seen}-${through / dayMs}`, seen, from, through, index };
  try {
    await putSums(to, state);
  } catch (cause) {
    await call('POST', `/${alias}/_refresh`);
    await remove(to, term('generation', state.generation));
    throw cause;
  }
  if (await wasRemoved(to, state)) {
    await remove(to, term('generation', state.generation));
    return undefined;
  }
  // A later one that is in use already stays.
  await to.bulk([versioned(`summed-${index}`, seen + 1, 'external_gte', { kind: 'summed', ...state })]);
  await call('POST', `/${alias}/_refresh`);
  const newer = allOf(term('index', index), { range: { seen: { gte: seen } } });
  await remove(to, { bool: { must_not: [newer] } });
  return state;
}

/** Stores the sums of a generation. */
async function putSums(to: Summing, state: Summed): Promise<void> {
  const { generation, seen, from, through, index } = state;
  const { call, alias, composite, histogram } = to;
  const base = [{ range: { time: { gte: from, lt: through } } }];

  let items: string[] = [];
  let length = 0;
  const flush = async () => {
    await to.bulk(items);
    items = [];
    length = 0;
  };
  const common = { kind: 'sum', generation, seen, index };
  const add = async (id: string, doc: object) => {
    to.inTime();
    const item = itemOf(`{"index":{"_id":"${id}"}}`, { ...common, ...doc });
    items.push(item);
    length += item.length;
    if (length >= atOnce) await flush();
  };
  const put = (name: string, count: number, doc: object) =>
    add(sumId(name, doc), { sum: name, _doc_count: count, ...doc });
  const name = (cube: Cube, counted: Counted, by?: Field) => sumName(generation, cube, counted, by);

  const users = new Map<string, number>();
  for await (const { pair, of } of people(
    composite(
      [isPull, ...base],
      ['user', 'repository', 'class'].map((field) => source(field)),
      { first: oldestOf, last: newestOf },
    ),
  )) {
    const [user, repository] = pair;
    if (repository !== undefined) {
      users.set(repository, (users.get(repository) ?? 0) + 1);
      const { count, first, last } = of[0].pulls;
      await put(name('pair', 'pulls'), count, { user, repository, first, time: last, at: Math.floor(last) });
    } else
      for (const { registry, pullClass, pulls } of of)
        await put(name('user', 'pulls'), pulls.count, {
          ...{ user, userName: user.toLowerCase(), repository: fromHere(registry), class: pullClass },
          ...{ first: pulls.first, time: pulls.last, at: Math.floor(pulls.last) },
        });
  }
  const registries = new Set<string>();
  for (const [counted, query] of [
    ['pulls', isPull],
    ['raw', isRaw],
    ['manifests', isManifestEvent],
  ] as const) {
    const aggs = counted === 'pulls' ? { last: newestOf, weight: { sum: { script: weightOn(through) } } } : {};
    for await (const { key, doc_count, last, weight } of composite([query, ...base], [source('repository')], aggs)) {
      const repository = String(key.repository);
      registries.add(registryOf(repository));
      await put(name('repository', counted), doc_count, {
        ...{ repository, repositoryName: repository.toLowerCase() },
        ...(last ? { time: last.value, weight: weight?.value, people: users.get(repository) ?? 0 } : {}),
      });
    }
  }
  const day = { day: { date_histogram: { field: 'at', calendar_interval: 'day' } } };
  const owners: { cube: Cube; own: Query[]; of: object }[] = [...registries].map((registry) => ({
    ...{ cube: 'day', of: { repository: fromHere(registry) } },
    own: registries.size === 1 ? [] : [ofRegistry(registry)],
  }));
  for (const field of ['repository', 'user'])
    for (const name of await ownersOf(to, field, base))
      owners.push({ cube: 'ownDay', own: [term(field, name)], of: { [field]: name } });
  for (const { cube, own, of } of owners)
    for (const counted of [...(Object.keys(countedOf) as (keyof Counts)[]), 'uncertain'] as const) {
      const days = [queryOf[counted], ...own, ...base];
      for await (const { key, doc_count } of histogram(days, 'day'))
        await put(name(cube, counted), doc_count, { ...of, time: key.from, at: key.from });
      for (const by of counted === 'uncertain' ? [] : fields)
        for await (const { key, doc_count } of composite(days, [day, source(by, true)])) {
          const value = key[by] === null ? {} : { [by]: key[by] };
          await put(name(cube, counted, by), doc_count, { ...of, time: key.day, at: key.day, ...value });
        }
    }
  for await (const { id, doc } of to.images(state)) await add(id, doc);
  await flush();
  await call('POST', `/${alias}/_refresh`);
}

/** Those with many documents. */
async function ownersOf({ aggregate, manyDocuments }: Summing, field: string, base: Query[]): Promise<string[]> {
  const counted = { terms: { kind: ['pull', 'event'] } };
  const many = { terms: { field, size: mostOwners, min_doc_count: manyDocuments } };
  const { aggregations } = await aggregate([counted, ...base], { many });
  return (aggregations?.many.buckets ?? []).flatMap(({ key }) => (key === '' ? [] : [key]));
}

/** Pairs of a user with a repository, and after those of a user what they pulled by registry and class. */
async function* people(buckets: AsyncIterable<Bucket>) {
  type Of = { registry: string; pullClass: string; pulls: Pulls };
  const one = (): Of => ({ registry: '', pullClass: '', pulls: new Pulls() });
  let [user, repository, pair] = ['', '', one()];
  let kinds = new Map<string, Of>();
  const ended = function* (all: boolean): Generator<{ pair: [string, string?]; of: Of[] }> {
    if (user === '') return;
    yield { pair: [user, repository], of: [pair] };
    if (all) yield { pair: [user], of: [...kinds.values()] };
  };
  for await (const bucket of buckets) {
    const key = bucket.key as Record<string, string>;
    if (key.user !== user || key.repository !== repository) {
      yield* ended(key.user !== user);
      if (key.user !== user) kinds = new Map();
      [user, repository, pair] = [key.user, key.repository, one()];
    }
    pair.pulls.add(bucket);
    const registry = registryOf(repository);
    const kind = kinds.get(`${key.class} ${registry}`) ?? { registry, pullClass: key.class, pulls: new Pulls() };
    kind.pulls.add(bucket);
    kinds.set(`${key.class} ${registry}`, kind);
  }
  yield* ended(true);
}

/** The index behind the alias, and the sequence number up to which every document is stored. */
async function checkpoint(call: Call, alias: string): Promise<{ index: string; seen: number }> {
  type Shard = { routing: { primary: boolean }; seq_no: { global_checkpoint: number } };
  const stats = await call<{ indices: Record<string, { shards: Record<string, Shard[]> }> }>(
    'GET',
    `/${alias}/_stats/get?level=shards`,
  );
  const [[index, { shards }]] = Object.entries(stats.indices);
  const primary = shards[0].find(({ routing }) => routing.primary);
  if (!primary) throw new Error(`${index} has no primary shard`);
  return { index, seen: primary.seq_no.global_checkpoint };
}

/** The time before which documents expired; 0 if none did. */
async function expiredBefore({ aggregate }: Summing): Promise<number> {
  const { aggregations } = await aggregate([term('kind', 'removed')], { before: { max: { field: 'through' } } });
  return aggregations?.before.value ?? 0;
}

async function wasRemoved({ aggregate }: Summing, state: Summed): Promise<boolean> {
  const { aggregations } = await aggregate([removedFrom(state)], { newest: { max: { field: '_seq_no' } } });
  return aggregations?.newest.value != null;
}

/** Removes sums, which may take minutes: OpenSearch continues by itself. */
async function remove({ call, alias }: Summing, which: Query): Promise<void> {
  const query = allOf({ terms: { kind: ['sum', 'summed'] } }, which);
  await call('POST', `/${alias}/_delete_by_query?conflicts=proceed&wait_for_completion=false`, { query });
}
