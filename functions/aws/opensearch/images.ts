// Reads about images. The sums have documents with each repository's facts and manifests (packed.ts), and one for each
// image that has been unused since some time. If nothing was stored for a repository since, the latter are the result.
import type { Action, PullClass } from '#core/event.ts';
import { clockSlackMs } from '#core/registry/image-graph.ts';
import { type ImageFact, type ManifestInfo, type RepositoryImages, toldReferences } from '#core/registry/images.ts';
import { registryOf } from '#core/registry/name.ts';
import {
  byPush,
  type Candidate,
  candidatesIn,
  imagesIn,
  isDeleted,
  oldestOf,
  oldestUnused,
  type UnusedImage,
  unusedAsOf,
} from '#core/registry/unused.ts';
import { type PackedImages, packedImages, unpackedFacts } from './packed.ts';
import { allOf, among, anyOf, byText, newestOf, ofRegistry, type Query, source, term } from './queries.ts';
import type { Source } from './summed.ts';
import { type Summed, sumId } from './sums.ts';

interface Bucket {
  key: Record<string, string | number | null>;
  last?: { value: number | null };
  size?: { value: number | null };
}

type ImageSource = Pick<Source, 'summed' | 'changed'>;

export interface ImageReader {
  /** All buckets of a composite aggregation. */
  composite(filter: Query[], sources: object[], aggs?: object): AsyncIterable<Bucket>;
  /** Documents in an order, page by page. */
  listed<T>(query: Query, sort: object[], page: number): AsyncIterable<T>;
}

/**
 * Events, and the facts that remain of a forgotten user's events: that an image was pushed, pulled or deleted, but not
 * by whom.
 */
const isOfImage: Query = { terms: { kind: ['event', 'fact'] } };
const isDelete: Query = allOf(isOfImage, term('action', 'delete'));
const isManifest: Query = allOf(isOfImage, term('manifest', true));
export const isImage: Query = anyOf(isManifest, isDelete);
/** A push or delete of an image. */
export const isChange: Query = anyOf(allOf(isManifest, term('action', 'push')), isDelete);

const imagesName = (generation: string) => `${generation} images`;
const unusedName = (generation: string) => `${generation} unused`;
/** Repositories that may be deleted. */
const quietName = (generation: string) => `${generation} quiet`;
/** How many candidates are kept: some 30 MB. */
const mostKept = 100_000;
/** Documents of repositories read at once. */
const imagesAtOnce = 200;
/** OpenSearch returns no more in one page. */
const mostListed = 10_000;
const inOrderOfPush = [
  { time: 'asc' },
  { repository: 'asc' },
  ...['tag', 'digest'].map((field) => ({ [field]: { order: 'asc', missing: '_first' } })),
];

export function imageReads({ composite, listed }: ImageReader) {
  /** Returns what is known of the images of these repositories, or of all, sorted by name. */
  async function* images(only: Query[] = [], facts: Query[] = []): AsyncIterable<RepositoryImages> {
    const told = manifests(only)[Symbol.asyncIterator]();
    let next = await told.next();
    for await (const one of factsOf([...facts, ...only])) {
      const own: ManifestInfo[] = [];
      for (; !next.done && byText(next.value.repository, one.repository) <= 0; next = await told.next())
        if (next.value.repository === one.repository) own.push(next.value.info);
      yield { ...one, manifests: own };
    }
  }

  /** Sorted by repository. */
  async function* factsOf(filter: Query[]): AsyncIterable<Pick<RepositoryImages, 'repository' | 'facts'>> {
    let open: { repository: string; facts: ImageFact[] } | undefined;
    for await (const { key, last } of composite(
      [isImage, ...filter],
      [
        ...[source('repository'), source('action'), source('digest', true), source('tag', true)],
        ...[source('class'), source('apart', true)],
      ],
      { last: newestOf },
    )) {
      const { repository, ...image } = imageOf(key);
      if (open?.repository !== repository) {
        if (open) yield { repository: open.repository, facts: newestFacts(open.facts) };
        open = { repository, facts: [] };
      }
      open.facts.push({
        ...{ action: String(key.action) as Action, class: String(key.class) as PullClass, time: last?.value ?? 0 },
        ...{ apart: String(key.apart) === 'true', ...image },
      });
    }
    // A missing tag is the same as an empty one, and not `apart` is false.
    if (open) yield { repository: open.repository, facts: newestFacts(open.facts) };
  }

  /** Sorted by repository. A bucket is one reference of a manifest, or a manifest without references. */
  async function* manifests(only: Query[]): AsyncIterable<{ repository: string; info: ManifestInfo }> {
    const sources = ['mediaType', 'runs', 'subject', 'told', 'references'].map((field) => source(field, true));
    let open: { repository: string; info: ManifestInfo } | undefined;
    for await (const { key, size } of composite(
      [term('kind', 'manifest'), ...only],
      [source('repository'), source('digest'), ...sources],
      { size: { max: { field: 'size' } } },
    )) {
      const [repository, digest] = [String(key.repository), String(key.digest)];
      if (open?.repository !== repository || open.info.digest !== digest) {
        if (open) yield open;
        const info: ManifestInfo = { digest };
        if (key.mediaType !== null) info.mediaType = String(key.mediaType);
        if (key.runs !== null) info.runs = String(key.runs) === 'true';
        if (key.subject !== null) info.subject = String(key.subject);
        if (size?.value != null) info.size = size.value;
        if (Number(key.told) >= toldReferences) info.references = [];
        open = { repository, info };
      }
      if (key.references !== null) open.info.references?.push(String(key.references));
    }
    if (open) yield open;
  }

  /** What is not in the sums because it was stored since, or because of its time, by repository. */
  async function unsummedOf(summed: Summed, only: Query[]): Promise<Map<string, RepositoryImages>> {
    const found = new Map<string, RepositoryImages>();
    for await (const one of factsOf([outsideOf(summed), ...only])) found.set(one.repository, { ...one, manifests: [] });
    const isSince: Query = { range: { _seq_no: { gt: summed.seen } } };
    for await (const { repository, info } of manifests([isSince, ...only])) {
      const one = found.get(repository) ?? { repository, facts: [], manifests: [] };
      found.set(repository, one);
      one.manifests.push(info);
    }
    return found;
  }

  /** The images of repositories from sums and what is not in them, in no order. */
  async function* merged(
    { summed, changed }: Required<ImageSource>,
    unsummed: Map<string, RepositoryImages>,
    names: string[],
  ): AsyncIterable<RepositoryImages> {
    const live = new Set(names);
    const isSum = term('sum', imagesName(summed.generation));
    let open: RepositoryImages | undefined;
    const complete = ({ repository, facts, manifests }: RepositoryImages): RepositoryImages => {
      const more = unsummed.get(repository);
      live.delete(repository);
      // The later report about a manifest is the fuller one.
      const told = new Map([...manifests, ...(more?.manifests ?? [])].map((info) => [info.digest, info]));
      return { repository, facts: newestFacts([...facts, ...(more?.facts ?? [])]), manifests: [...told.values()] };
    };
    const summedNames = names.filter((name) => !changed.has(name));
    for (const some of among('repository', summedNames))
      for await (const { repository, images } of listed<{ repository: string; images: PackedImages }>(
        allOf(isSum, some),
        [{ repository: 'asc' }, { _seq_no: 'asc' }],
        imagesAtOnce,
      )) {
        if (open && open.repository !== repository) yield complete(open);
        if (open?.repository !== repository) open = { repository, facts: [], manifests: [] };
        open.facts.push(...unpackedFacts(images));
        open.manifests.push(...images.manifests);
      }
    if (open) yield complete(open);
    for (const some of among('repository', [...live])) yield* images([some]);
  }

  /** Returns what is known of the images of these repositories, sorted by name. */
  async function imagesOf({ summed, changed }: ImageSource, names: string[]): Promise<RepositoryImages[]> {
    if (names.length === 0) return [];
    const only = [anyOf(...among('repository', names))];
    const rows = summed ? merged({ summed, changed }, await unsummedOf(summed, only), names) : images(only);
    const found: RepositoryImages[] = [];
    for await (const one of rows) found.push(one);
    return found.sort((a, b) => byText(a.repository, b.repository));
  }

  /** By repository: what is not in the sums (`key`), and the images that may be unused (`of`). */
  let kept = { generation: '', candidates: new Map<string, { key: string; of: Candidate[] }>(), count: 0 };

  /** The images that may be unused, of repositories of which something is not in the sums. */
  async function unsummedCandidates(source: Required<ImageSource>, only: Query[]): Promise<Map<string, Candidate[]>> {
    const { summed, changed } = source;
    const unsummed = await unsummedOf(summed, only);
    if (kept.generation !== summed.generation || kept.count > mostKept)
      kept = { generation: summed.generation, candidates: new Map(), count: 0 };
    const { candidates } = kept;
    const found = new Map<string, Candidate[]>();
    const asked = new Map([...changed].map((name) => [String(name), '']));
    for (const [name, more] of unsummed) {
      const key = JSON.stringify(more);
      const known = candidates.get(name);
      if (known?.key === key && !changed.has(name)) found.set(name, known.of);
      else asked.set(name, key);
    }
    for (const name of asked.keys()) found.set(name, []);
    for await (const one of merged(source, unsummed, [...asked.keys()])) found.set(one.repository, candidatesIn(one));
    for (const [name, key] of asked) {
      if (changed.has(name)) continue;
      const of = found.get(name)!;
      kept.count += of.length - (candidates.get(name)?.of.length ?? 0);
      candidates.set(name, { key, of });
    }
    return found;
  }

  return {
    imagesOf,
    /** The documents that make up the sums of images: of each repository, and of each image that may be unused. */
    async *sumsOf({ generation, from, through }: Summed): AsyncIterable<{ id: string; doc: object }> {
      for await (const one of images([], [{ range: { time: { gte: from, lt: through } } }])) {
        const { repository } = one;
        if (isQuiet(one)) {
          const sum = quietName(generation);
          yield { id: sumId(sum, { repository }), doc: { sum, repository } };
        }
        for (const [part, packed] of [...packedImages(one)].entries()) {
          const sum = imagesName(generation);
          yield { id: sumId(sum, { repository, part }), doc: { sum, repository, images: packed } };
        }
        for (const candidate of candidatesIn(one)) {
          const { tag, digest, lastPush } = candidate.image;
          const sum = unusedName(generation);
          const key = { repository, tag, digest };
          yield {
            id: sumId(sum, key),
            doc: { sum, ...key, time: lastPush, used: candidate.usedAt, unused: candidate },
          };
        }
      }
    },
    async unused(
      { summed, changed }: ImageSource,
      { since, registry, limit }: { since: number; registry?: string; limit: number },
    ): Promise<UnusedImage[]> {
      if (!summed || limit > mostListed) return oldestUnused(imagesIn(images(), registry), { since, limit });
      const only = registry === undefined ? [] : [ofRegistry(registry)];
      const isOf = (repository: string) => registry === undefined || registryOf(repository) === registry;
      const own = await unsummedCandidates({ summed, changed }, only);
      const rows: UnusedImage[] = [];
      for (const [repository, candidates] of own)
        if (isOf(repository)) for (const one of candidates) if (one.usedAt < since) rows.push(unusedAsOf(one, since));
      const query = {
        bool: {
          filter: [term('sum', unusedName(summed.generation)), { range: { used: { lt: since } } }, ...only],
          must_not: among('repository', [...own.keys()]),
        },
      };
      const others: UnusedImage[] = [];
      for await (const { unused } of listed<{ unused: Candidate }>(query, inOrderOfPush, limit))
        if (others.push(unusedAsOf(unused, since)) === limit) break;
      return oldestOf([others, rows.sort(byPush)], limit);
    },
    /** Repositories without any image left, sorted. */
    async deleted({ summed, changed }: ImageSource): Promise<string[]> {
      const found: string[] = [];
      if (summed) {
        const names = new Set<string>();
        const maybe = anyOf(term('sum', quietName(summed.generation)), allOf(isDelete, outsideOf(summed)));
        for await (const { key } of composite([maybe], [source('repository')])) names.add(String(key.repository));
        for (const name of changed) names.delete(String(name));
        for (const one of await imagesOf({ summed, changed }, [...names]))
          if (isQuiet(one) && isDeleted(one)) found.push(one.repository);
      }
      const scanned = summed ? among('repository', [...changed].map(String)) : [{ match_all: {} }];
      for (const part of scanned)
        for (const some of among('repository', await quietSinceDelete([part])))
          for await (const one of images([some])) if (isDeleted(one)) found.push(one.repository);
      return found.sort(byText);
    },
  };

  /** Repositories in which nothing was pushed or pulled after a delete. They are few, so their images can be read. */
  async function quietSinceDelete(only: Query[]): Promise<string[]> {
    const deletedAt = new Map<string, number>();
    for await (const { key, last } of composite([isDelete, ...only], [source('repository')], { last: newestOf }))
      deletedAt.set(String(key.repository), last?.value ?? 0);
    const quiet = new Set(deletedAt.keys());
    for (const some of among('repository', [...quiet]))
      for await (const { key, last } of composite(
        [isManifest, { terms: { action: ['push', 'pull'] } }, some],
        [source('repository'), source('action')],
        { last: newestOf },
      )) {
        const slack = key.action === 'pull' ? clockSlackMs : 0;
        if ((last?.value ?? 0) - slack > deletedAt.get(String(key.repository))!) quiet.delete(String(key.repository));
      }
    return [...quiet];
  }
}

/** The documents that are not in the sums because of their time. */
const outsideOf = ({ from, through }: Summed): Query =>
  anyOf({ range: { time: { gte: through } } }, { range: { time: { lt: from } } });

/** Whether nothing was pushed or pulled after a delete. */
function isQuiet({ facts }: RepositoryImages): boolean {
  const newest = (some: ImageFact[], slack = 0) =>
    some.reduce((last, { time }) => Math.max(last, time - slack), -Infinity);
  const { push = [], pull = [], delete: deletes } = Object.groupBy(facts, ({ action }) => action);
  return deletes !== undefined && Math.max(newest(push), newest(pull, clockSlackMs)) <= newest(deletes);
}

/** The newest of the facts that differ only in their time. */
function newestFacts(facts: ImageFact[]): ImageFact[] {
  const found = new Map<string, ImageFact>();
  for (const fact of facts) {
    const { action, class: pullClass, digest, tag, apart } = fact;
    const key = [action, pullClass, digest, tag, apart].join('\n');
    const known = found.get(key);
    if (!known || known.time < fact.time) found.set(key, fact);
  }
  return [...found.values()];
}

export const imageOf = ({ repository, tag, digest }: Record<string, unknown>) => ({
  repository: String(repository),
  ...(tag === null || tag === '' ? {} : { tag: String(tag) }),
  ...(digest === null || digest === '' ? {} : { digest: String(digest) }),
});
