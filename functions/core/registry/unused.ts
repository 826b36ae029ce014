// Which images are in use.
//
// Use spreads along the references of manifests in both directions: a pulled index keeps its platforms, a platform
// pulled by digest keeps the index and its other platforms, and an image keeps what describes it. What is connected to
// nothing that was pulled or pushed recently is unused.
import type { PullClass } from '../event.ts';
import { byText, graphOf, type Node, never, sizeOf, subjectOf } from './image-graph.ts';
import type { RepositoryImages } from './images.ts';
import { isIndex, mostReferences } from './media-types.ts';
import { registryOf } from './name.ts';

export const confidences = ['known', 'pulled by a mirror', 'unknown references'] as const;

export interface UnusedImage {
  repository: string;
  tag?: string;
  digest?: string;
  /** Milliseconds since the epoch, as are all times here. */
  lastPush: number;
  /** The newest pull by people, clusters or CI. */
  lastPull?: number;
  /** Bytes of its layers; deleting the image does not free layers that other images share. */
  size?: number;
  reason: string;
  /** `known`: everything that could use the image was reported. Only then is deleting it safe for what is in use. */
  confidence: (typeof confidences)[number];
}

/** Whether something was deleted and nothing is left. */
export function isDeleted(images: RepositoryImages): boolean {
  const { nodes } = graphOf(images);
  return images.facts.some(({ action }) => action === 'delete') && [...nodes.values()].every(({ left }) => left);
}

/** An image that is unused as of any `since` after `usedAt`, milliseconds since the epoch. */
export interface Candidate {
  image: Omit<UnusedImage, 'confidence'>;
  usedAt: number;
  /** Everything that could use it was reported. */
  isKnown: boolean;
  /** The newest pull by a mirror. */
  mirroredAt?: number;
}

/** Images pushed before `since` that are connected to nothing pulled or pushed from then on; in no order. */
export const unusedImages = (images: RepositoryImages, since: number): UnusedImage[] =>
  candidatesIn(images, since).map((candidate) => unusedAsOf(candidate, since));

export function unusedAsOf({ image, isKnown, mirroredAt = never }: Candidate, since: number): UnusedImage {
  const confidence = !isKnown ? 'unknown references' : mirroredAt >= since ? 'pulled by a mirror' : 'known';
  return { ...image, confidence };
}

/** Those with `usedAt` < `since`. */
export function candidatesIn(images: RepositoryImages, since = Number.POSITIVE_INFINITY): Candidate[] {
  const { nodes, edges, parents } = graphOf(images);
  const there = [...nodes].filter(([, { gone }]) => !gone);
  const group = components(edges);
  /** When anything of a group, or of the repository, was used last. */
  const usedAt = new Map<string, number>();
  let anyUsedAt = never;
  for (const [name, { lastPull, lastPush }] of there) {
    const used = Math.max(lastPull, lastPush);
    usedAt.set(group(name), Math.max(usedAt.get(group(name)) ?? never, used));
    anyUsedAt = Math.max(anyUsedAt, used);
  }
  const mayNameAnything = there.some(([, node]) => mayBeIndex(node) && !hasReferences(node));
  const found: Candidate[] = [];
  for (const [name, node] of there) {
    const groupUsedAt = usedAt.get(group(name))!;
    if (node.left || node.lastPush === never || groupUsedAt >= since) continue;
    const indices = (parents.get(name) ?? []).filter((parent) => !nodes.get(parent)?.left).sort(byText);
    // A manifest that describes something unknown is kept while anything in the repository is in use.
    const loose = isLoose(node, indices);
    if (loose && anyUsedAt >= since) continue;
    const subject = subjectOf(node);
    const isKnown =
      !mayNameAnything &&
      !loose &&
      (subject === undefined || nodes.has(subject)) &&
      (hasReferences(node) || (indices.length > 0 && !mayBeIndex(node)));
    const mirroredAt = node.watched.get('mirror');
    const size = sizeOf(node, nodes);
    const image = {
      ...{ repository: images.repository, reason: reasonOf(node, indices, nodes) },
      ...(node.digest === undefined ? {} : { digest: node.digest }),
      ...(node.lastPull === never ? {} : { lastPull: node.lastPull }),
      ...(size === undefined ? {} : { size }),
    } satisfies Partial<UnusedImage>;
    const add = (of: { tag?: string; lastPush: number }) =>
      found.push({
        ...{ image: { ...image, ...of }, usedAt: loose ? anyUsedAt : groupUsedAt, isKnown },
        ...(mirroredAt === undefined ? {} : { mirroredAt }),
      });
    if (node.tags.size === 0) add({ lastPush: node.lastPush });
    for (const [tag, pushed] of node.tags) add({ tag, lastPush: pushed === never ? node.lastPush : pushed });
  }
  return found;
}

/** Only repositories of this registry; all if left out. */
export async function* imagesIn(
  repositories: AsyncIterable<RepositoryImages> | Iterable<RepositoryImages>,
  registry: string | undefined,
): AsyncIterable<RepositoryImages> {
  for await (const images of repositories)
    if (registry === undefined || registryOf(images.repository) === registry) yield images;
}

/** The unused images of many repositories with the oldest pushes, at most `limit`, oldest first. */
export async function oldestUnused(
  repositories: AsyncIterable<RepositoryImages> | Iterable<RepositoryImages>,
  { since, limit }: { since: number; limit: number },
): Promise<UnusedImage[]> {
  let oldest: UnusedImage[] = [];
  const cut = () => {
    oldest = oldest.sort(byPush).slice(0, limit);
  };
  for await (const images of repositories) {
    for (const row of unusedImages(images, since)) oldest.push(row);
    if (oldest.length > 2 * limit + 1000) cut();
  }
  cut();
  return oldest;
}

/**
 * The oldest pushes of several lists that are sorted by `byPush`, `limit` at most, oldest first. Takes time for what it
 * returns and for the head of each list: a heap of lists, with the oldest remaining image on top.
 */
export function oldestOf(lists: UnusedImage[][], limit: number): UnusedImage[] {
  const heap = lists.filter((list) => list.length > 0).map((list) => ({ list, at: 0 }));
  const isBefore = (a: number, b: number) => byPush(heap[a].list[heap[a].at], heap[b].list[heap[b].at]) < 0;
  const sink = (from: number) => {
    for (let parent = from; ; ) {
      const [left, right] = [2 * parent + 1, 2 * parent + 2];
      if (left >= heap.length) return;
      const child = right < heap.length && isBefore(right, left) ? right : left;
      if (!isBefore(child, parent)) return;
      [heap[parent], heap[child]] = [heap[child], heap[parent]];
      parent = child;
    }
  };
  for (let parent = (heap.length >> 1) - 1; parent >= 0; parent--) sink(parent);
  const oldest: UnusedImage[] = [];
  while (oldest.length < limit && heap.length > 0) {
    const { list, at } = heap[0];
    oldest.push(list[at]);
    if (at + 1 < list.length) heap[0].at++;
    else {
      const last = heap.pop()!;
      if (heap.length > 0) heap[0] = last;
    }
    sink(0);
  }
  return oldest;
}

export function byPush(a: UnusedImage, b: UnusedImage): number {
  return (
    a.lastPush - b.lastPush ||
    byText(a.repository, b.repository) ||
    byText(a.tag ?? '', b.tag ?? '') ||
    byText(a.digest ?? '', b.digest ?? '')
  );
}
/** Union-find: returns the group of a name. */
function components(edges: [string, string][]): (name: string) => string {
  const above = new Map<string, string>();
  const group = (name: string): string => {
    let top = name;
    for (let next = above.get(top); next !== undefined; next = above.get(top)) top = next;
    for (let at = name; at !== top; ) {
      const next = above.get(at)!;
      above.set(at, top);
      at = next;
    }
    return top;
  };
  for (const [a, b] of edges) {
    const [from, to] = [group(a), group(b)];
    if (from !== to) above.set(from, to);
  }
  return group;
}

// --- one image -------------------------------------------------------------------------------------------------------

const hasReferences = ({ info }: Node) => info?.references !== undefined && info.references.length < mostReferences;
const mayBeIndex = ({ info }: Node) => info?.mediaType === undefined || isIndex(info.mediaType);

/** A manifest without a tag, in no index, that is not an image: it describes something unknown. */
function isLoose(node: Node, indices: string[]): boolean {
  const { info, tags } = node;
  if (tags.size > 0 || indices.length > 0 || info?.subject || info?.references?.length) return false;
  return hasReferences(node) && !mayBeIndex(node) && info?.runs === false;
}
function reasonOf(node: Node, indices: string[], nodes: Map<string, Node>): string {
  const subject = subjectOf(node);
  const parts: string[] = [];
  if (subject) {
    const there = nodes.get(subject);
    const state = there?.left ? 'was deleted' : there ? 'is not in use either' : 'was never seen here';
    parts.push(`describes ${short(subject)}, which ${state}`);
  } else if (indices.length > 0) {
    const tags = indices.flatMap((index) => [...(nodes.get(index)?.tags.keys() ?? [])]).sort(byText);
    parts.push(`part of ${tags.length > 0 ? tags.join(', ') : short(indices[0])}, which is not in use either`);
  } else if (node.tags.size === 0) parts.push(node.moved ? 'its tag points to a newer image' : 'pushed without a tag');
  parts.push(node.lastPull === never ? 'never pulled' : `last pulled on ${dayOf(node.lastPull)}`);
  const watched = [...node.watched].sort(([a], [b]) => byText(a, b));
  if (watched.length > 0)
    parts.push(
      `seen by ${watched.map(([kind, time]) => `${watcherNames[kind]} (${dayOf(time)})`).join(' and ')}, which does not count`,
    );
  return parts.join('; ');
}

const watcherNames: Partial<Record<PullClass, string>> = {
  scanner: 'a scanner',
  mirror: 'a mirror',
  signature: 'a signature check',
  'version-check': 'a version check',
};
const short = (digest: string) => digest.slice(0, 19);
const dayOf = (time: number) => new Date(time).toISOString().slice(0, 10);
