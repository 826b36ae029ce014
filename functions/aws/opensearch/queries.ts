// The parts that queries of the documents index are made of.
import { keyMark, prefixOf } from '#core/registry/name.ts';
import type { Counts, PullsQuery } from '#core/stores.ts';

export type Query = Record<string, unknown>;

export const dayMs = 86_400_000;
export const startOfDay = (time: number): number => Math.floor(time / dayMs) * dayMs;

export const term = (field: string, value: unknown): Query => ({ term: { [field]: value } });
export const allOf = (...filter: Query[]): Query => ({ bool: { filter } });
export const anyOf = (...should: Query[]): Query => ({ bool: { should, minimum_should_match: 1 } });
export const contains = (field: string, text: string): Query => ({
  wildcard: { [field]: { value: `*${text.toLowerCase().replace(/[\\*?]/g, '\\$&')}*` } },
});

export const isPull: Query = allOf(term('kind', 'pull'), term('gone', false));
/** Raw counts: distinct manifest events, GET and HEAD alike; there is one document per id already. */
const manifestEvent = (action: string): Query =>
  allOf(term('kind', 'event'), term('action', action), term('manifest', true));
export const isRaw = manifestEvent('pull');
export const isPush = manifestEvent('push');
export const isManifestEvent: Query = allOf(term('kind', 'event'), term('manifest', true));
export const named: Query = { bool: { must_not: term('user', '') } };
export const isUncertain: Query = allOf(isPull, term('uncertain', true));
export const countedOf: Record<keyof Counts, Query> = {
  pulls: isPull,
  raw: isRaw,
  // A document that an older version wrote has no `apart`.
  pushes: { bool: { filter: [isPush], must_not: [term('apart', true)] } },
  rawPushes: isPush,
};

export const oldestOf = { min: { field: 'time' } };
export const newestOf = { max: { field: 'time' } };
export const source = (field: string, missing = false) => ({
  [field]: { terms: { field, ...(missing ? { missing_bucket: true } : {}) } },
});

/** The condition that a repository belongs to a registry. */
export function ofRegistry(registry: string): Query {
  const prefix = prefixOf(registry);
  return prefix ? { prefix: { repository: prefix } } : { bool: { must_not: contains('repository', keyMark) } };
}

export function filterOf({ repository, registry, user, from, to }: PullsQuery): Query[] {
  const range = { ...(from === undefined ? {} : { gte: from }), ...(to === undefined ? {} : { lt: to }) };
  return [
    ...(repository === undefined ? [] : [{ terms: { repository: [repository].flat() } }]),
    ...(registry === undefined ? [] : [ofRegistry(registry)]),
    ...(user === undefined ? [] : [term('user', user)]),
    ...(Object.keys(range).length === 0 ? [] : [{ range: { time: range } }]),
  ];
}

/** An item of a bulk body, an action and its document. Ids are hashes of names, which may be longer than OpenSearch allows. */
export const itemOf = (action: string, doc: object): string => `${action}\n${JSON.stringify(doc)}\n`;
/** `external_gte`: a version below the stored one is refused; `external`: the same one, too. */
export const versioned = (id: string, version: number, type: 'external' | 'external_gte', doc: object): string =>
  itemOf(`{"index":{"_id":"${id}","version":${version},"version_type":"${type}"}}`, doc);

/** The UTF-8 order, which is that of OpenSearch. */
export const byText = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** A query may have at most 65,536 terms. */
export const termsAtOnce = 60_000;
export const among = (field: string, names: string[]): Query[] =>
  Array.from({ length: Math.ceil(names.length / termsAtOnce) }, (_, part) => ({
    terms: { [field]: names.slice(part * termsAtOnce, (part + 1) * termsAtOnce) },
  }));
