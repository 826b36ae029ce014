// Reads sums (sums.ts), and from the documents all that the sums can't have, so that results are exact: documents
// outside of the sums' time, and all of a unit (a user, a repository, a day) of which an earlier document was stored
// since, as its sequence number shows. Without sums, or if they may count what was removed since, only documents are
// read.
import type { Counts } from '#core/stores.ts';
import { OpenSearchError } from './opensearch.ts';
import { allOf, anyOf, countedOf, dayMs, type Query, term } from './queries.ts';
import { type Counted, type Cube, type Field, isReadable, queryOf, removedFrom, type Summed, sumName } from './sums.ts';

/** What to aggregate: sums and documents that together count each document once. */
export interface Source {
  summed?: Summed;
  /** Units whose sums are not used. */
  changed: ReadonlySet<Unit>;
  of(counted: Counted, by?: Field): Query;
  /** Only the documents that are not in the sums. */
  rest(counted: Counted): Query;
}

type Unit = string | number;

/** Repositories or users whose days are read. Only those with many documents have sums of their own. */
export interface Owners {
  field: 'repository' | 'user';
  names: string[];
}

type Search = <T>(body: object) => Promise<T>;

interface Checked {
  aggregations: {
    state: { doc_count: number };
    unknown: { doc_count: number };
    late: { units: { buckets: { key: Unit }[] } };
  };
}

/** If more units changed, reading all documents costs no more. */
const mostUnits = { repository: 1000, pair: 1000, user: 1000, day: 100, ownDay: 100 };
const fieldOf = { repository: 'repository', pair: 'repository', user: 'user' };
const byDay = { date_histogram: { field: 'at', calendar_interval: 'day', min_doc_count: 1 } };
const triesOfSums = 4;
/** How many lists of owners are remembered. */
const mostOwners = 1000;

/** Without sums. */
export const live: Source = {
  of: (counted) => queryOf[counted],
  rest: (counted) => queryOf[counted],
  changed: new Set(),
};

/** What is remembered of sums is that of one generation: a read may end after the next one was found. */
const keyOf = ({ generation }: Summed, of: Cube | Owners) => JSON.stringify([generation, of]);
const countedNames = Object.keys(countedOf) as (keyof Counts)[];
const isOfDays = (cube: Cube): cube is 'day' | 'ownDay' => cube === 'day' || cube === 'ownDay';
const ownedBy = ({ field, names }: Owners): Query => ({ terms: { [field]: names } });

function among(cube: Cube, units: Unit[]): Query {
  if (!isOfDays(cube)) return { terms: { [fieldOf[cube]]: units } };
  return anyOf(...units.map((from) => ({ range: { time: { gte: Number(from), lt: Number(from) + dayMs } } })));
}

/** `unsummed`: owners without sums. */
function sourceOf(summed: Summed, cube: Cube, changed: Unit[], unsummed?: Owners): Source {
  const { generation, from, through } = summed;
  const excluded = changed.length > 0 ? { must_not: [among(cube, changed)] } : {};
  const outside = [{ range: { time: { gte: through } } }, { range: { time: { lt: from } } }];
  const late = changed.length > 0 ? [among(cube, changed)] : [];
  const others = unsummed ? [ownedBy(unsummed)] : [];
  const rest = (counted: Counted) => allOf(queryOf[counted], anyOf(...outside, ...late, ...others));
  const sums = (counted: Counted, by?: Field): Query => ({
    bool: { filter: [term('sum', sumName(generation, cube, counted, by))], ...excluded },
  });
  return {
    ...{ summed, rest, changed: new Set(changed) },
    of: (counted, by) => anyOf(sums(counted, by), rest(counted)),
  };
}

/** `search` searches the documents index. */
export function openSums(search: Search) {
  let state: Summed | undefined;
  /** What changed since the sums, by cube, and of owners their late days. */
  const known = new Map<string, Unit[]>();
  /** Which owners have sums. */
  const owning = new Map<string, Owners>();

  const load = async () => {
    const found = await search<{ hits: { hits: { _index: string; _source: Summed }[] } }>({
      // There may be another one, copied from an older index.
      ...{ size: 10, track_total_hits: false, query: term('kind', 'summed') },
    });
    return found.hits.hits.find(({ _index, _source }) => _index === _source.index && isReadable(_source))?._source;
  };

  /** The units that changed since; undefined if other sums have replaced these, 'all' if any unit may have changed. */
  const changedSince = async (summed: Summed, cube: Cube, owners?: Owners) => {
    const { generation, seen, from, through, index } = summed;
    const isState = allOf(term('kind', 'summed'), term('generation', generation), term('_index', index));
    const since: Query = { range: { _seq_no: { gt: seen } } };
    const isUnplaced: Query = {
      bool: { filter: [since, term('kind', 'pull'), term('gone', true)], must_not: [{ exists: { field: 'time' } }] },
    };
    const isUnknown = anyOf(isUnplaced, removedFrom(summed));
    const isLate = allOf(
      since,
      { range: { time: { gte: from, lt: through } } },
      { terms: { kind: ['pull', 'event'] } },
      ...(owners ? [ownedBy(owners)] : []),
    );
    const most = mostUnits[cube];
    const units = isOfDays(cube) ? byDay : { terms: { field: fieldOf[cube], size: most + 1 } };
    const { aggregations: found } = await search<Checked>({
      ...{ size: 0, track_total_hits: false, query: anyOf(isState, isUnknown, isLate) },
      aggs: {
        state: { filter: isState },
        unknown: { filter: isUnknown },
        late: { filter: isLate, aggs: { units } },
      },
    });
    if (found.state.doc_count === 0) return undefined;
    const changed = found.late.units.buckets.map(({ key }) => key);
    return found.unknown.doc_count > 0 || changed.length > most ? 'all' : changed;
  };

  /** The owners without sums; they have few documents. */
  const unsummedOf = async (summed: Summed, owners: Owners): Promise<Owners> => {
    const { generation } = summed;
    const key = keyOf(summed, owners);
    const before = owning.get(key);
    if (before) return before;
    const isSum: Query = { terms: { sum: countedNames.map((counted) => sumName(generation, 'ownDay', counted)) } };
    const { aggregations } = await search<{ aggregations: { rows: { buckets: { key: string }[] } } }>({
      ...{ size: 0, track_total_hits: false, query: allOf(isSum, ownedBy(owners)) },
      aggs: { rows: { terms: { field: owners.field, size: owners.names.length } } },
    });
    const found = new Set(aggregations.rows.buckets.map(({ key }) => key));
    const unsummed = { ...owners, names: owners.names.filter((name) => !found.has(name)) };
    if (owning.size >= mostOwners) owning.clear();
    owning.set(key, unsummed);
    return unsummed;
  };

  return {
    /**
     * Returns what `read` returns for a source that counts each document once. `days`: those to read from the
     * documents. `owners`: whose days are read. `read` may be called several times.
     */
    async read<T>(
      cube: Cube,
      read: (source: Source) => Promise<T>,
      { days = [], owners }: { days?: number[]; owners?: Owners } = {},
    ): Promise<T> {
      for (let tries = 0; tries < triesOfSums; tries++) {
        state ??= await load().catch((cause) => {
          if (cause instanceof OpenSearchError && cause.type === 'index_not_found_exception') return undefined;
          throw cause;
        });
        const summed = state;
        if (!summed) break;
        const unsummed = owners && (await unsummedOf(summed, owners));
        if (owners && unsummed?.names.length === owners.names.length) break;
        const key = keyOf(summed, owners ?? cube);
        const before = known.get(key) ?? [];
        const result = await read(sourceOf(summed, cube, [...new Set([...before, ...days])], unsummed));
        // Checked afterwards: sums that are still in use were so during the read.
        const changed = await changedSince(summed, cube, owners);
        if (changed === 'all') break;
        if (changed?.every((unit) => before.includes(unit))) return result;
        if (known.size >= mostOwners) known.clear();
        if (changed) known.set(key, changed);
        else if (state === summed) state = undefined;
      }
      return read(live);
    },
  };
}
