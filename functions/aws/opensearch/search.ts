// The search store over OpenSearch. Every result is exact: `terms` on the single shard, `composite` for results that
// may be long, and no `cardinality`.
import { hash } from 'node:crypto';
import { type PullClass, taughtClasses } from '#core/event.ts';
import { type ManifestInfo, manifestsIn, toldOf } from '#core/registry/images.ts';
import { isIndex } from '#core/registry/media-types.ts';
import { keyMark } from '#core/registry/name.ts';
import { type ImageChange, usingClasses } from '#core/registry/outdated.ts';
import { withOthers } from '#core/registry/pullers.ts';
import {
  type CatalogueRow,
  type Counts,
  type ImageUse,
  mostRepositories,
  type PulledDays,
  type Puller,
  type RepositoryRow,
  recentHalfLives,
  type SavedRecommendations,
  type SearchChange,
  type SearchStore,
  type ShownItem,
  type ShownList,
  sparkDays,
  type UserRow,
  type UsersQuery,
  weakKinds,
} from '#core/stores.ts';
import { imageOf, imageReads, isChange, isImage } from './images.ts';
import { documentsIndex, type Index, indexNamed, recommendationsIndex, templateOf } from './mapping.ts';
import {
  isPassing,
  OpenSearchError,
  type OpenSearchOptions,
  OpenSearchUnavailable,
  openSearchCall,
  pause,
} from './opensearch.ts';
import {
  among,
  anyOf,
  byText,
  contains,
  countedOf,
  dayMs,
  filterOf,
  isPull,
  isPush,
  isRaw,
  itemOf,
  named,
  newestOf,
  oldestOf,
  type Query,
  source,
  startOfDay,
  term,
  termsAtOnce,
  versioned,
} from './queries.ts';
import { live, type Owners, openSums, type Source } from './summed.ts';
import { removalItem, type Summed, sumId, sumName, sumUp, weightOn } from './sums.ts';

export interface SearchOptions extends OpenSearchOptions {
  /** Prefix of the index names; `whalewatch` unless several deployments share a domain. */
  prefix?: string;
  /**
   * Called with documents that the index refuses because of their content, for example because a field has another type
   * there. Without it, writing such a document throws, and everything written with it waits forever.
   */
  quarantine?: (documents: RefusedDocument[]) => Promise<void>;
  /** Repositories and users with so many documents have sums of their days. Fewer are counted in some 20 ms. */
  manyDocuments?: number;
}

export interface RefusedDocument {
  id: string;
  /** Why, without what is in it. */
  reason: string;
  doc: string;
}

export type OpenSearchStore = SearchStore & Required<Pick<SearchStore, 'sumUp'>>;

/** Milliseconds that one attempt of a call may take, by stage: it fits into the timeout of the stage's function. */
export const searchTimeoutMs = { serve: 8000, process: 30_000, train: 60_000 };

interface Bucket {
  key: Record<string, string | number | null> & string;
  doc_count: number;
  pulls?: { doc_count: number; last?: { value: number | null }; people?: { value: number } };
  raw?: { doc_count: number };
  size?: { value: number | null };
  people?: { doc_count: number };
  days?: { doc_count: number };
  pullDays?: { value: number };
  recent?: { doc_count: number; weight?: { value: number } };
  first?: { value: number | null };
  last?: { value: number | null };
  classes?: { buckets: Bucket[] };
  byDay?: { buckets: Bucket[] };
  newest?: { hits: { hits: { _source: Pick<Puller, (typeof newestFields)[number]> }[] } };
}
type PullerBucket = Required<Pick<Bucket, 'doc_count' | 'last' | 'newest'>> & {
  key: string | [user: string, repository: string];
};
type OfClass = Pick<Bucket, 'doc_count' | 'first' | 'last'> & { key: { user: string; class: string } };
type Times = { first: object; last: object };
type SummedPair = Pick<Puller, 'user' | 'repository'>;
type UserOrder = Pick<UserRow, 'pulls' | 'firstPull' | 'lastPull'>;
interface BulkResult {
  status: number;
  error?: { type: string; reason?: string };
}
interface Aggregation<B> {
  buckets: B[];
  after_key?: Record<string, unknown>;
}
interface Found<A> {
  aggregations?: Record<string, A>;
}

/** Buckets of a composite page; the smallest domain returns one in about 20 ms. */
const pageSize = 10_000;
/** How many lists of what users were shown are read at once; each has at most about 20 KB. */
const shownAtOnce = 500;
/** Bytes of a bulk body: about 5,000 documents. */
const bulkBytes = 2 * 1024 * 1024;
/** How many bulk bodies are in flight: the domain indexes one while the next is made and sent. */
const bulksAtOnce = 2;
const bulkTries = 4;
/** The only fields of a bulk response that are read: a tenth of its bytes. */
const bulkResult = 'items.*.status,items.*.error.type,items.*.error.reason';
const isTaught: Query = { bool: { filter: [isPull, { terms: { class: taughtClasses } }] } };
const isPerson = term('kind', 'person');
const isDay = term('kind', 'day');
/** The first pull of a user: their oldest, or what their sums hold. */
const firstOf = (summed: boolean) =>
  summed
    ? { min: { script: { source: "doc['first'].size() > 0 ? doc['first'].value : doc['time'].value" } } }
    : oldestOf;
/** Exact up to 500 days, within a percent beyond. */
const daysOf = {
  cardinality: { script: { source: "(long) Math.floor(doc['time'].value / 86400000.0)" }, precision_threshold: 500 },
};
const weight = (now: number, halfLife: number) => ({
  sum: {
    script: {
      source: "Math.pow(0.5, Math.max(0, params.now - doc['time'].value) / params.halfLife)",
      params: { now, halfLife },
    },
  },
});
const without = (repositories: string[]): Query[] =>
  repositories.length > 0 ? [{ bool: { must_not: among('repository', repositories) } }] : [];
const countedNames = Object.keys(countedOf) as (keyof Counts)[];
/** Some 10 MB. */
const mostPairsKept = 100_000;
export function openSearch({
  prefix = 'whalewatch',
  quarantine,
  manyDocuments = 100_000,
  ...options
}: SearchOptions): OpenSearchStore {
  const call = openSearchCall(options);
  const documents = `${prefix}-documents`;
  const recommended = `${prefix}-recommendations`;

  let made: Promise<unknown> | undefined;
  /** Makes the indices before the first write; another writer may make them first. */
  const ready = () => {
    made ??= Promise.all([make(documents, documentsIndex), make(recommended, recommendationsIndex)]).catch((cause) => {
      made = undefined;
      throw cause;
    });
    return made;
  };
  const make = async (alias: string, index: Index) => {
    // An index made by an older version, perhaps named like the alias, lacks fields: they are added, and its documents
    // stay. If a field has another type there, documents that fit are stored and others are quarantined.
    const added = call('PUT', `/${alias}/_mapping`, index.mappings).catch((cause) => {
      if (cause instanceof OpenSearchError && cause.status === 400) return {};
      throw cause;
    });
    if (await orNothing(added, undefined)) return;
    await call('PUT', `/_index_template/${alias}`, templateOf(alias, index));
    await call('PUT', `/${indexNamed(alias, index)}`, { aliases: { [alias]: {} } }).catch((cause) => {
      if (!(cause instanceof OpenSearchError && cause.type === 'resource_already_exists_exception')) throw cause;
    });
  };

  /** Returns the result of a search, or `nothing` while there is no index yet. */
  const orNothing = <T>(found: Promise<T>, nothing: T): Promise<T> =>
    found.catch((cause) => {
      if (cause instanceof OpenSearchError && cause.type === 'index_not_found_exception') return nothing;
      throw cause;
    });

  const aggregate = <B = Bucket, A = Aggregation<B>>(filter: Query[], aggs: object): Promise<Found<A>> =>
    orNothing(
      call<Found<A>>('POST', `/${documents}/_search`, {
        size: 0,
        track_total_hits: false,
        query: { bool: { filter } },
        aggs,
      }),
      {},
    );

  /** By a search, as the functions may not call `_count`. */
  const number = async (filter: Query[]): Promise<number> => {
    const body = { size: 0, track_total_hits: true, query: { bool: { filter } } };
    const nothing = { hits: { total: { value: 0 } } };
    return (await orNothing(call<typeof nothing>('POST', `/${documents}/_search`, body), nothing)).hits.total.value;
  };

  /** The same where sums are among the documents: only aggregations count what they stand for. */
  const summedNumber = async (filter: Query[]): Promise<number> => {
    const { aggregations } = await aggregate<never, { doc_count: number }>(filter, {
      all: { filter: { match_all: {} } },
    });
    return aggregations?.all.doc_count ?? 0;
  };

  /** The content of documents in an order, `page` at a time. */
  async function* listed<T>(query: Query, sort: object[], page: number): AsyncIterable<T> {
    let after: unknown[] | undefined;
    do {
      const { hits } = await call<{ hits: { hits: { _source: T; sort: unknown[] }[] } }>(
        'POST',
        `/${documents}/_search`,
        { query, size: page, sort, track_total_hits: false, ...(after ? { search_after: after } : {}) },
      );
      for (const { _source } of hits.hits) yield _source;
      after = hits.hits.length < page ? undefined : hits.hits.at(-1)?.sort;
    } while (after);
  }

  /** All buckets of a composite aggregation, page by page. */
  async function* composite(filter: Query[], sources: object[], aggs: object = {}): AsyncIterable<Bucket> {
    let after: Record<string, unknown> | undefined;
    do {
      const page = { sources, size: pageSize, ...(after ? { after } : {}) };
      const { aggregations } = await aggregate(filter, { page: { composite: page, aggs } });
      const buckets = aggregations?.page.buckets ?? [];
      yield* buckets;
      after = buckets.length < pageSize ? undefined : aggregations?.page.after_key;
    } while (after);
  }

  async function repositoriesOf(user: string, what: Query): Promise<string[]> {
    const found: string[] = [];
    for await (const { key } of composite([what, term('user', user)], [source('repository')]))
      found.push(String(key.repository));
    return found;
  }

  /**
   * Sends the items in bodies of some 2 MB. A conflict means that a newer version exists, or a document that is created
   * only once. Documents that the domain was too busy for are sent again, by themselves, after a pause.
   */
  const bulk = async (index: string, items: Iterable<string>) => {
    await ready();
    const send = async (items: string[]) => {
      let body = items;
      for (let attempt = 1; body.length > 0; attempt++) {
        const path = `/${index}/_bulk?filter_path=${bulkResult}`;
        const { items: results } = await call<{ items: Record<string, BulkResult>[] }>('POST', path, body.join(''));
        const refused: string[] = [];
        const unfit: RefusedDocument[] = [];
        for (const [at, result] of results.entries()) {
          const [{ status, error }] = Object.values(result);
          if (!error || status === 409) continue;
          if (status === 400 && quarantine) {
            const field = /\[([\w.]+)\]/.exec(error.reason ?? '')?.[1];
            const reason = `search: ${error.type}${field ? ` of ${field}` : ''}`;
            const [action, doc] = body[at].split('\n');
            unfit.push({ id: idOf(action), reason, doc });
            continue;
          }
          const failed = new OpenSearchError(status, error.type, `bulk: ${status} ${error.type}`);
          if (!isPassing(status, error.type)) throw failed;
          if (attempt === bulkTries) throw new OpenSearchUnavailable(failed.message, { cause: failed });
          refused.push(body[at]);
        }
        if (unfit.length > 0) await quarantine?.(unfit);
        body = refused;
        if (body.length > 0) await pause(attempt);
      }
    };
    const bodies = function* (): Generator<string[]> {
      let body: string[] = [];
      let bytes = 0;
      for (const item of items) {
        body.push(item);
        bytes += item.length;
        if (bytes < bulkBytes) continue;
        yield body;
        body = [];
        bytes = 0;
      }
      if (body.length > 0) yield body;
    };
    // Versions make the order irrelevant. If one sender fails, the others stop after their current body.
    const waiting = bodies();
    const some = async () => {
      for (const body of waiting) await send(body);
    };
    const ends = await Promise.allSettled(Array.from({ length: bulksAtOnce }, some));
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed) throw failed.reason;
  };

  /** Buckets like those of a composite aggregation by interval alone, for a fraction of its cost. */
  async function* histogram(filter: Query[], interval: string) {
    const { aggregations } = await aggregate(filter, {
      rows: { date_histogram: { field: 'at', calendar_interval: interval, min_doc_count: 1 } },
    });
    for (const { key, doc_count } of aggregations?.rows.buckets ?? [])
      yield { key: { from: Number(key), key: null }, doc_count };
  }

  /** The first users of a list, each with their pulls by class, sorted by name. */
  async function* firstUsers(
    filter: Query[],
    sort: UsersQuery['sort'],
    limit: number,
    times: Times,
  ): AsyncIterable<OfClass> {
    const order = { recent: [{ last: 'desc' }], pulls: [{ _count: 'desc' }], new: [{ first: 'desc' }], name: [] }[sort];
    const sorted = { recent: { last: times.last }, pulls: {}, new: { first: times.first }, name: {} }[sort];
    const classes = { terms: { field: 'class', size: 100, order: { _key: 'asc' } }, aggs: times };
    const { aggregations } = await aggregate(filter, {
      rows: { terms: { field: 'user', size: limit, order: [...order, { _key: 'asc' }] }, aggs: { ...sorted, classes } },
    });
    for (const { key: user, classes } of aggregations?.rows.buckets ?? [])
      for (const bucket of classes?.buckets ?? []) yield { ...bucket, key: { user, class: bucket.key } };
  }

  const images = imageReads({ composite, listed });
  const sums = openSums((body) => call('POST', `/${documents}/_search`, body));

  const repositoryRows = async (source: Source, filter: Query[], order: object[], limit: number, weight: object) => {
    const pulls = { last: newestOf, people: { sum: { field: 'people' } }, ...weight };
    const counted = { pulls: { filter: source.of('pulls'), aggs: pulls }, raw: { filter: source.of('raw') } };
    const { aggregations } = await aggregate(
      [anyOf(source.of('pulls'), source.of('raw'), source.of('manifests')), ...filter],
      {
        rows: { terms: { field: 'repository', size: limit, order }, aggs: counted },
      },
    );
    const rows = (aggregations?.rows.buckets ?? []).map(
      ({ key, pulls, raw }): RepositoryRow => ({
        repository: key,
        pulls: pulls?.doc_count ?? 0,
        raw: raw?.doc_count ?? 0,
        pulledBy: pulls?.people?.value ?? 0,
        lastPull: pulls?.last?.value ?? 0,
      }),
    );
    if (rows.length > 0) await addPeople(source, new Map(rows.map((row) => [row.repository, row])));
    return rows;
  };

  /** Adds the users that the sums of these repositories don't count. */
  const addPeople = async ({ rest, summed, changed }: Source, rows: Map<string, RepositoryRow>) => {
    const listed: Query = { terms: { repository: [...rows.keys()] } };
    const pairs: SummedPair[] = [];
    // In the order of the index, so that a page doesn't read the rows of earlier pages.
    for await (const { key } of composite([rest('pulls'), named, listed], [source('user'), source('repository')]))
      pairs.push({ user: String(key.user), repository: String(key.repository) });
    // The sums of a repository that changed are not used.
    const maybe = pairs.filter(({ repository }) => !changed.has(repository));
    const counted = summed ? await summedPairs(summed, maybe) : new Map<string, boolean>();
    for (const { user, repository } of pairs)
      if (changed.has(repository) || !counted.get(JSON.stringify([user, repository]))) rows.get(repository)!.pulledBy++;
  };

  let pairsOf = { generation: '', known: new Map<string, boolean>() };
  /** Whether these and further pairs are in the sums; a generation is never changed, so that is kept. */
  const summedPairs = async ({ generation }: Summed, pairs: SummedPair[]): Promise<Map<string, boolean>> => {
    if (pairsOf.generation !== generation || pairsOf.known.size > mostPairsKept)
      pairsOf = { generation, known: new Map() };
    const { known } = pairsOf;
    const keyOf = ({ user, repository }: SummedPair) => JSON.stringify([user, repository]);
    const asked = pairs.filter((pair) => !known.has(keyOf(pair)));
    const name = sumName(generation, 'pair', 'pulls');
    for (let at = 0; at < asked.length; at += termsAtOnce) {
      const some = asked.slice(at, at + termsAtOnce);
      const found = new Set<string>();
      const ids: Query = { ids: { values: some.map((pair) => sumId(name, pair)) } };
      for await (const { key } of composite([term('sum', name), ids], [source('user'), source('repository')]))
        found.add(JSON.stringify([key.user, key.repository]));
      for (const pair of some) known.set(keyOf(pair), found.has(keyOf(pair)));
    }
    return known;
  };

  /** Digests of the indices that name a manifest and, if it is an index itself, of the manifests it names. */
  async function related(image: string): Promise<string[]> {
    const found: string[] = [];
    for (const [field, other] of [
      ['references', 'digest'],
      ['digest', 'references'],
    ])
      for await (const { key } of composite(
        [term('kind', 'manifest'), term(field, image)],
        [source('mediaType', true), source(other, true)],
      ))
        if (isIndex(String(key.mediaType)) && key[other] !== null) found.push(String(key[other]));
    return found;
  }

  /** Stores the facts about images in a user's events, without the user. */
  async function keepFacts(user: string): Promise<void> {
    const items: string[] = [];
    for await (const { key, last } of composite(
      [term('kind', 'event'), isImage, term('user', user)],
      [
        ...['repository', 'action', 'manifest', 'class'].map((field) => source(field)),
        ...['digest', 'tag', 'apart'].map((field) => source(field, true)),
      ],
      { last: newestOf },
    )) {
      const { repository, tag, digest: image } = imageOf(key);
      const [time, apart] = [last?.value ?? 0, String(key.apart) === 'true'];
      const named = { repository, action: String(key.action), tag, digest: image, class: String(key.class), apart };
      const doc = {
        ...{ kind: 'fact', gone: false, user: '', userName: '', repositoryName: repository.toLowerCase() },
        ...{ ...named, manifest: String(key.manifest) === 'true', time, at: Math.floor(time), country: '', client: '' },
      };
      items.push(versioned(`fact-${digest(JSON.stringify(named))}`, Math.floor(time), 'external_gte', doc));
    }
    if (items.length > 0) await bulk(documents, items);
  }

  const recommendationsDocument = async (id: string): Promise<SavedRecommendations | undefined> => {
    const found = await orNothing(
      call<{ _source?: SavedRecommendations }>('GET', `/${recommended}/_doc/${id}`).catch((cause) => {
        if (cause instanceof OpenSearchError && cause.status === 404) return { _source: undefined };
        throw cause;
      }),
      {},
    );
    return found._source;
  };

  return {
    async write(changes) {
      if (changes.length > 0) await bulk(documents, itemsOf(changes));
    },
    async users({ search = '', registry, kind, sort, limit, now }) {
      const rowsOf = async ({ of, summed }: Source) => {
        const found = new Map<string, Omit<UserRow, 'days'> & { most: number }>();
        const listed = [...(search ? [contains('userName', search)] : []), ...filterOf({ registry })];
        const filter = [of('pulls'), named, ...listed];
        const times = { first: firstOf(summed !== undefined), last: newestOf };
        // A user's kind is known only when all their pulls are counted.
        const counted =
          kind === undefined
            ? firstUsers(filter, sort, limit, times)
            : composite(filter, [source('user'), source('class')], times);
        for await (const { key, doc_count, first, last } of counted) {
          const one = { user: String(key.user), kind: String(key.class) as PullClass, pulls: doc_count };
          const most = weakKinds.includes(one.kind) ? 0 : doc_count;
          const row = { ...one, firstPull: first?.value ?? 0, lastPull: last?.value ?? 0, most };
          const before = found.get(one.user);
          // The classes of a user are sorted by name.
          const leading = before && before.most > most ? before : row;
          found.set(one.user, {
            ...{ ...row, kind: leading.kind, most: leading.most, pulls: row.pulls + (before?.pulls ?? 0) },
            firstPull: Math.min(row.firstPull, before?.firstPull ?? row.firstPull),
            lastPull: Math.max(row.lastPull, before?.lastPull ?? row.lastPull),
          });
        }
        return found;
      };
      const found = await sums.read('user', rowsOf);
      const order = {
        recent: (a: UserOrder, b: UserOrder) => b.lastPull - a.lastPull,
        pulls: (a: UserOrder, b: UserOrder) => b.pulls - a.pulls,
        new: (a: UserOrder, b: UserOrder) => b.firstPull - a.firstPull,
        name: () => 0,
      }[sort];
      const rows = [...found.values()]
        .filter((row) => kind === undefined || row.kind === kind)
        .sort((a, b) => order(a, b) || byText(a.user, b.user))
        .slice(0, limit);
      const from = startOfDay(now) - (sparkDays - 1) * dayMs;
      const days = new Map(rows.map(({ user }) => [user, new Array<number>(sparkDays).fill(0)]));
      const recent: Query = { range: { time: { gte: from, lt: from + sparkDays * dayMs } } };
      const listed = [isPull, recent, { terms: { user: [...days.keys()] } }, ...filterOf({ registry })];
      const byDay = { date_histogram: { field: 'at', calendar_interval: 'day', min_doc_count: 1 } };
      const { aggregations } =
        rows.length === 0
          ? {}
          : await aggregate(listed, { rows: { terms: { field: 'user', size: rows.length }, aggs: { byDay } } });
      for (const { key: user, byDay } of aggregations?.rows.buckets ?? [])
        for (const { key, doc_count } of byDay?.buckets ?? [])
          days.get(user)![(Number(key) - from) / dayMs] = doc_count;
      return rows.map(({ most, ...row }) => ({ ...row, days: days.get(row.user)! }));
    },
    async repositories({ sort, search = '', registry, limit, now }) {
      const order = {
        popular: [{ pulls: 'desc' }, { _key: 'asc' }],
        trending: [{ 'pulls>weight': 'desc' }, { _key: 'asc' }],
        name: [{ _key: 'asc' }],
      }[sort];
      const filter = [...(search ? [namedLike(search)] : []), ...filterOf({ registry })];
      return sums.read('repository', async (source) => {
        const there = [...filter, ...without(await images.deleted(source))];
        // Only for the order that needs it: a script costs more than everything else.
        const weight = sort === 'trending' ? { weight: { sum: { script: weightOn(now, source.summed) } } } : {};
        return repositoryRows(source, there, order, limit, weight);
      });
    },
    async catalogue({ now, halfLifeMs }) {
      const today = startOfDay(now);
      const isRecent: Query = {
        bool: { filter: [isPerson, { range: { time: { gte: today - recentHalfLives * halfLifeMs } } }] },
      };
      const counted = {
        pulls: { filter: isTaught },
        people: { filter: isPerson },
        days: { filter: isDay },
        recent: { filter: isRecent, aggs: { weight: weight(today, halfLifeMs) } },
      };
      const rows: CatalogueRow[] = [];
      const listed: Query = { bool: { should: [isTaught, isPerson, isDay], minimum_should_match: 1 } };
      for await (const { key, pulls, people, days, recent } of composite(
        [listed, ...without(await sums.read('repository', images.deleted))],
        [source('repository')],
        counted,
      )) {
        const pulledBy = people?.doc_count ?? 0;
        if (!pulls?.doc_count || pulledBy === 0) continue;
        rows.push({
          repository: String(key.repository),
          pulledBy,
          // An older version wrote one document per user and repository, without days.
          days: Math.max(pulledBy, days?.doc_count ?? 0),
          recent: recent?.doc_count ?? 0,
          weight: recent?.weight?.value ?? 0,
        });
      }
      return rows;
    },
    async pulledDays({ user, limit }) {
      const rows: (PulledDays & { last: number })[] = [];
      for await (const { key, doc_count, last } of composite([isDay, term('user', user)], [source('repository')], {
        last: newestOf,
      }))
        rows.push({ repository: String(key.repository), days: doc_count, last: last?.value ?? 0 });
      return rows
        .sort((a, b) => b.last - a.last)
        .slice(0, limit)
        .map(({ last, ...row }) => row);
    },
    pulled: (user) => repositoriesOf(user, isPull),
    pushed: (user) => repositoriesOf(user, isPush),
    async counts({ interval, by, ...query }) {
      const { repository, registry, user, from, to } = query;
      const filter = filterOf(query);
      const sources = [
        ...(interval ? [{ from: { date_histogram: { field: 'at', calendar_interval: interval } } }] : []),
        ...(by ? [{ key: { terms: { field: by, missing_bucket: true } } }] : []),
      ];
      const countsOf = async ({ of, summed }: Source) => {
        const total: Counts = { pulls: 0, raw: 0, pushes: 0, rawPushes: 0 };
        // Documents without a tag and with an empty tag are in the same bucket.
        const merged = new Map<string, { from?: number; key?: string } & Counts>();
        const sumOf = summed ? summedNumber : number;
        // Queries of their own: each reads only what it counts.
        const count = async (name: keyof Counts) => {
          const counted = [...filter, of(name, by)];
          if (sources.length === 0) {
            total[name] = await sumOf(counted);
            return;
          }
          const found = by || !interval ? composite(counted, sources) : histogram(counted, interval);
          for await (const { key, doc_count } of found) {
            const place = {
              ...(interval ? { from: Number(key.from) } : {}),
              ...(by ? { key: String(key.key ?? '') } : {}),
            };
            const id = JSON.stringify(place);
            const row = merged.get(id) ?? { ...place, pulls: 0, raw: 0, pushes: 0, rawPushes: 0 };
            row[name] += doc_count;
            total[name] += doc_count;
            merged.set(id, row);
          }
        };
        const [uncertain] = await Promise.all([sumOf([...filter, of('uncertain')]), ...countedNames.map(count)]);
        const buckets = [...merged.values()].sort(
          (a, b) => (a.from ?? 0) - (b.from ?? 0) || byText(a.key ?? '', b.key ?? ''),
        );
        return { total, uncertain, buckets };
      };
      const days = [from, to].flatMap((time) => (time === undefined || time % dayMs === 0 ? [] : [startOfDay(time)]));
      if (repository === undefined && user === undefined) return sums.read('day', countsOf, { days });
      // What one user pulled of one repository is not summed, nor is a user's or repository's part of a registry.
      if (registry !== undefined || (repository !== undefined && user !== undefined)) return countsOf(live);
      const owners: Owners =
        user === undefined
          ? { field: 'repository', names: [repository ?? []].flat() }
          : { field: 'user', names: [user] };
      return sums.read('ownDay', countsOf, { days, owners });
    },
    async pullers({ digest, limit, ...query }) {
      const repositories = [query.repository ?? []].flat();
      const listed = { size: limit, order: [{ last: 'desc' }, { _key: 'asc' }] };
      // For a single repository grouped by user alone, which costs a fraction.
      const rowsOf =
        repositories.length === 1
          ? { terms: { field: 'user', ...listed } }
          : { multi_terms: { terms: [{ field: 'user' }, { field: 'repository' }], ...listed } };
      const filter = [named, ...filterOf(query)];
      const bucketsOf = async (what: Query[], aggs: object): Promise<PullerBucket[]> => {
        const { aggregations } = await aggregate<PullerBucket>([...what, ...filter], { rows: { ...rowsOf, aggs } });
        return aggregations?.rows.buckets ?? [];
      };
      const newest = { top_hits: { size: 1, sort: [{ time: 'desc' }], _source: newestFields } };
      const read = async (what: Query[]) =>
        (await bucketsOf(what, { last: newestOf, newest })).map((bucket) => pullerOf(bucket, repositories[0]));
      /** Counts from sums, and reads the newest pulls, which are not before that of the last row. */
      const readSummed = async ({ of, summed }: Source) => {
        if (!summed) return read([isPull]);
        const rows = await bucketsOf([of('pulls')], { last: newestOf });
        if (rows.length === 0) return [];
        const users = { terms: { user: [...new Set(rows.map(({ key }) => String([key].flat()[0])))] } };
        const since = { range: { time: { gte: rows.at(-1)!.last.value } } };
        const found = await bucketsOf([isPull, users, since], { last: newestOf, newest });
        const newestOfKey = new Map(found.map(({ key, newest }) => [JSON.stringify(key), newest]));
        // A pull was removed meanwhile.
        if (!rows.every(({ key }) => newestOfKey.has(JSON.stringify(key)))) return read([isPull]);
        return rows.map((row) =>
          pullerOf({ ...row, newest: newestOfKey.get(JSON.stringify(row.key))! }, repositories[0]),
        );
      };
      if (digest === undefined && query.from === undefined && query.to === undefined)
        return sums.read('pair', readSummed);
      if (digest === undefined) return read([isPull]);
      const digests = [digest, ...(await related(digest))];
      const pulled = await read([isPull, { terms: { digest: digests } }]);
      // Fetched as part of something whose references are unknown.
      const isPart: Query = { bool: { filter: [isRaw, term('digest', digest)], must_not: [term('apart', true)] } };
      return withOthers(pulled, await read([isPart]), limit);
    },
    unused: (query) => sums.read('repository', (source) => images.unused(source, query)),
    images: ({ repository }) => sums.read('repository', (source) => images.imagesOf(source, [repository].flat())),
    deleted: () => sums.read('repository', images.deleted),
    async imageUse(query) {
      const isUse = [isPull, named, { terms: { class: usingClasses } }, { range: { time: { gte: query.from } } }];
      const names: string[] = 'repository' in query ? [query.repository].flat() : [];
      if ('user' in query) {
        const { aggregations } = await aggregate([...isUse, term('user', query.user)], {
          rows: {
            terms: { field: 'repository', size: mostRepositories, order: [{ last: 'desc' }, { _key: 'asc' }] },
            aggs: { last: newestOf },
          },
        });
        for (const { key } of aggregations?.rows.buckets ?? []) names.push(key);
      }
      const among = { terms: { repository: names } };
      const image = [source('tag', true), source('digest', true)];
      const use: ImageUse = { pulls: [], changes: [] };
      for await (const { key, first, last } of composite(
        [...isUse, among],
        [source('user'), source('repository'), source('class'), ...image],
        { first: oldestOf, last: newestOf },
      ))
        use.pulls.push({
          ...{ user: String(key.user), class: String(key.class) as PullClass, ...imageOf(key) },
          ...{ firstPull: first?.value ?? 0, lastPull: last?.value ?? 0 },
        });
      for await (const { key, last } of composite(
        [isChange, among],
        [source('repository'), source('action'), ...image],
        { last: newestOf },
      ))
        use.changes.push({
          ...{ action: String(key.action) as ImageChange['action'], ...imageOf(key), last: last?.value ?? 0 },
        });
      return use;
    },
    async *pairs({ from, to, classes, repositoryPrefix = '' }) {
      const filter = [
        isPull,
        named,
        { terms: { class: classes } },
        ...filterOf({ from, to }),
        ...(repositoryPrefix ? [{ prefix: { repository: repositoryPrefix } }] : []),
      ];
      const sums = { first: oldestOf, last: newestOf, pullDays: daysOf };
      for await (const bucket of composite(filter, [source('user'), source('repository')], sums))
        yield { ...pairOf(bucket), days: bucket.pullDays?.value ?? 0, firstPull: bucket.first?.value ?? 0 };
    },
    async saveRecommendations(rows) {
      const items = rows.map((row) => stored(digest(row.user), row.items, row));
      if (items.length > 0) await bulk(recommended, items);
    },
    recommendations: (user) => recommendationsDocument(digest(user)),
    async shown(user) {
      const found = await recommendationsDocument(shownId(user));
      return found && shownOf(found);
    },
    async saveShown(lists) {
      const items = lists.map(({ user, list, items }) =>
        stored(shownId(user), items, { user, model: `${shownMark}${list}`, items }),
      );
      if (items.length > 0) await bulk(recommended, items);
    },
    async *allShown() {
      let after: unknown[] | undefined;
      do {
        const page: { hits: { hits: { _source: SavedRecommendations; sort: unknown[] }[] } } = await orNothing(
          call('POST', `/${recommended}/_search`, {
            query: { prefix: { model: shownMark } },
            ...{ size: shownAtOnce, sort: [{ user: 'asc' }], track_total_hits: false },
            ...(after ? { search_after: after } : {}),
          }),
          { hits: { hits: [] } },
        );
        for (const { _source } of page.hits.hits) yield shownOf(_source);
        after = page.hits.hits.at(-1)?.sort;
      } while (after);
    },
    async expire(before) {
      // This may take minutes: OpenSearch continues by itself.
      const path = `/${documents}/_delete_by_query?conflicts=proceed&wait_for_completion=false`;
      await bulk(documents, [removalItem('expired', before)]);
      await orNothing(call<unknown>('POST', path, { query: { range: { time: { lt: before } } } }), undefined);
    },
    async forget(user) {
      await orNothing(call<unknown>('POST', `/${documents}/_refresh`), undefined);
      await keepFacts(user);
      await bulk(documents, [removalItem('forgotten')]);
      // Repeated until nothing is left: documents written meanwhile cause a conflict.
      for (const index of [documents, recommended])
        for (let left = 1; left > 0; ) {
          const query = { query: term('user', user) };
          const path = `/${index}/_delete_by_query?refresh=true&conflicts=proceed`;
          await orNothing(call<unknown>('POST', `/${index}/_refresh`), undefined);
          const { version_conflicts } = await orNothing(call<{ version_conflicts: number }>('POST', path, query), {
            version_conflicts: 0,
          });
          left = version_conflicts;
        }
      // So that sums made meanwhile are not used.
      await bulk(documents, [removalItem('forgotten')]);
    },
    async sumUp(now, mostMs = Infinity) {
      await ready();
      const { monotonic = () => performance.now() } = options;
      const end = monotonic() + mostMs;
      const inTime = () => {
        if (monotonic() > end)
          throw new Error(`summing takes longer than ${mostMs / 1000} s: npm run sums has no limit`);
      };
      const put = (items: Iterable<string>) => bulk(documents, items);
      const to = {
        call,
        alias: documents,
        composite,
        histogram,
        aggregate,
        images: images.sumsOf,
        bulk: put,
        inTime,
        manyDocuments,
      };
      return sumUp(to, startOfDay(now) - dayMs);
    },
  };
}

const digest = (text: string) => hash('sha256', text, 'base64url');
/** Marks the document of what a user was shown, which is in the index of saved recommendations. */
const shownMark = 'shown ';
const shownId = (user: string) => `shown-${digest(user)}`;
const shownOf = ({ user, model, items }: SavedRecommendations): ShownList => ({
  ...{ user, list: model.slice(shownMark.length), items: items as unknown as ShownItem[] },
});
/** Replaces a document; one without items is removed. */
const stored = (id: string, items: unknown[], doc: object) =>
  items.length > 0 ? itemOf(`{"index":{"_id":"${id}"}}`, doc) : `{"delete":{"_id":"${id}"}}\n`;
const idOf = (action: string) => Object.values(JSON.parse(action) as Record<string, { _id: string }>)[0]._id;

/** All items of changes: made as they are sent, since those of a batch would fill much memory. */
function* itemsOf(changes: SearchChange[]): Generator<string> {
  for (const change of changes) yield changeItem(change);
  yield* people(changes);
  const events = changes.flatMap(({ kind, doc }) => (kind === 'event' ? [doc] : []));
  for (const [repository, info] of manifestsIn(events)) yield manifestItem(repository, info);
}

function changeItem(change: SearchChange): string {
  const { kind, id, version, doc } = change;
  const item = (content: object) => versioned(`${kind}-${digest(id)}`, version, 'external_gte', content);
  if (!doc) {
    const was = change.kind === 'pull' ? change.was : undefined;
    return item({ kind, gone: true, ...(was ? { ...was, at: Math.floor(was.time) } : {}) });
  }
  const { user, repository, time, tag, digest: image, class: pullClass, country, client } = doc;
  const event = 'action' in doc ? doc : undefined;
  return item({
    kind,
    gone: false,
    ...{ user, userName: user.toLowerCase(), repository, repositoryName: repository.toLowerCase() },
    ...{ time, at: Math.floor(time), action: event?.action ?? 'pull', manifest: event?.kind === 'manifest' },
    ...{ tag, digest: image, class: pullClass, country, client },
    ...(change.kind === 'event' && change.apart ? { apart: true } : {}),
    ...('uncertain' in doc ? { uncertain: doc.uncertain } : {}),
  });
}

/** One document per manifest; only a fuller report replaces an earlier one. */
function manifestItem(repository: string, info: ManifestInfo): string {
  const told = toldOf(info);
  const id = `manifest-${digest(JSON.stringify([repository, info.digest]))}`;
  return versioned(id, told, 'external', { kind: 'manifest', repository, told, ...info });
}

/**
 * One document for each repository and user who pulled it, and one for each day on which they did, so that people and
 * days are counted by counting documents. The first has their newest day, which is also its version, so that a late
 * writer changes nothing. These documents stay when a pull is recomputed, because it can only merge into another pull
 * of the same user and repository. Only forgetting the user removes them.
 */
function* people(changes: SearchChange[]): Generator<string> {
  const newest = new Map<string, { user: string; repository: string; time: number }>();
  const days = new Map<string, { user: string; repository: string; time: number }>();
  for (const { kind, doc } of changes) {
    if (kind !== 'pull' || !doc || doc.user === '' || !taughtClasses.includes(doc.class)) continue;
    const { user, repository } = doc;
    const one = { user, repository, time: startOfDay(doc.time) };
    const pair = JSON.stringify([user, repository]);
    if ((newest.get(pair)?.time ?? -1) < one.time) newest.set(pair, one);
    days.set(JSON.stringify([user, repository, one.time]), one);
  }
  for (const [pair, one] of newest)
    yield versioned(`person-${digest(pair)}`, one.time / dayMs, 'external', { kind: 'person', ...one });
  for (const [id, one] of days) yield itemOf(`{"create":{"_id":"day-${digest(id)}"}}`, { kind: 'day', ...one });
}

/** The search is for names of repositories: the registry before a name is not part of it. */
function namedLike(search: string): Query {
  const text = search.toLowerCase().replace(/[\\*?]/g, '\\$&');
  const unnamed = {
    bool: { filter: [contains('repositoryName', search)], must_not: [contains('repositoryName', keyMark)] },
  };
  const ofNamed = { wildcard: { repositoryName: { value: `*${keyMark}*${text}*` } } };
  return { bool: { should: [unnamed, ofNamed], minimum_should_match: 1 } };
}

const pairOf = ({ key, doc_count, last }: Bucket) => ({
  user: String(key.user),
  repository: String(key.repository),
  pulls: doc_count,
  lastPull: last?.value ?? 0,
});

const newestFields = ['tag', 'digest', 'class', 'client', 'country'] as const;
/** `only`: the repository of a bucket that has no other key than the user. */
const pullerOf = ({ key, doc_count, last, newest }: PullerBucket, only: string): Puller => {
  const [user, repository] = typeof key === 'string' ? [key, only] : key;
  const { tag, digest, ...image } = newest.hits.hits[0]._source;
  const pulls = { user, repository, pulls: doc_count, lastPull: last.value ?? 0 };
  return { ...pulls, ...image, ...(tag ? { tag } : {}), ...(digest ? { digest } : {}) };
};
