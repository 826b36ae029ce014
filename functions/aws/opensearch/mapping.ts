// The mappings of search's two indices. Each index is behind an alias, its name without the version. New fields are
// added to the index in use; any other change needs a new version here and `npm run migrate` (migrate.ts).
//
// One primary shard: only then are `terms` aggregations exact, whatever their order and size. A shard takes about 2
// billion documents; at 300 bytes each, 50 GB are 150 million pulls. Sorted by user and repository, so that reading all
// pairs stops early on each page.

export interface Index {
  version: number;
  settings: object;
  mappings: object;
}

const keyword = { type: 'keyword', ignore_above: 1024 };

/**
 * Events, pulls, manifests, who pulled what, and sums: `kind` says which one a document is. `gone`: tombstone of a pull
 * removed by recomputation.
 */
export const documentsIndex: Index = {
  version: 1,
  settings: {
    index: {
      number_of_shards: 1,
      number_of_replicas: 0,
      refresh_interval: '1s',
      sort: { field: ['user', 'repository'], order: ['asc', 'asc'] },
    },
  },
  mappings: {
    dynamic: 'strict',
    properties: {
      kind: { type: 'keyword' },
      gone: { type: 'boolean' },
      user: keyword,
      /** Lower case, for a search in any case: OpenSearch's own folding differs from the embedded store's. */
      userName: keyword,
      repository: keyword,
      repositoryName: keyword,
      /** Milliseconds with their fraction. */
      time: { type: 'double' },
      /** `time` in whole milliseconds: calendar intervals need a date. */
      at: { type: 'date', format: 'epoch_millis' },
      action: { type: 'keyword' },
      manifest: { type: 'boolean' },
      tag: keyword,
      digest: keyword,
      class: { type: 'keyword' },
      country: keyword,
      client: keyword,
      /** The event is part of no pull or push that counts. */
      apart: { type: 'boolean' },
      /** A pull whose source can't distinguish two acts. */
      uncertain: { type: 'boolean' },
      /** Of a manifest: how much of it was reported, what it is, what it references, and bytes of its layers. */
      told: { type: 'byte' },
      mediaType: keyword,
      references: keyword,
      runs: { type: 'boolean' },
      subject: keyword,
      size: { type: 'long' },
      /** Of a sum: what it sums (sums.ts), its generation, and what it knows of its documents. */
      sum: { type: 'keyword' },
      generation: { type: 'keyword' },
      seen: { type: 'long' },
      from: { type: 'double' },
      through: { type: 'double' },
      index: { type: 'keyword' },
      first: { type: 'double' },
      weight: { type: 'double' },
      people: { type: 'long' },
      /** Of sums of images: what is known about a repository's, and one that was not used after `used`. */
      images: { type: 'object', enabled: false },
      used: { type: 'double' },
      unused: { type: 'object', enabled: false },
    },
  },
};

/**
 * Saved recommendations, one document per user; and for each user another document with what they were shown, whose
 * `model` is `shown` and the list's id.
 */
export const recommendationsIndex: Index = {
  version: 1,
  settings: { index: { number_of_shards: 1, number_of_replicas: 0, refresh_interval: '1s' } },
  mappings: { dynamic: 'strict', properties: { user: keyword, model: keyword, items: { enabled: false } } },
};

/** Name of the index behind an alias. */
export const indexNamed = (alias: string, { version }: Index): string => `${alias}-v${version}`;

/** Settings and mapping of every index behind an alias, whoever creates it. */
export const templateOf = (alias: string, { version, settings, mappings }: Index) => ({
  index_patterns: [`${alias}-v*`],
  version,
  priority: 200,
  template: { settings, mappings },
});
