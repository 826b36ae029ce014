// Which manifests of a repository are there, and which are in use.
//
// Manifests are the nodes of a graph: an index names its platforms; a signature, attestation or SBOM names what it describes,
// by its subject or by its tag (sha256-HEX.sig). Use flows along these edges both ways: an index that is pulled keeps its
// platforms, a platform that is pulled by digest keeps the index and the others, an image keeps what describes it. What
// is connected to nothing that was pulled or pushed recently is unused.
import type { Action, PullClass, StoredEvent } from '../event.ts';
import { isIndex, mostReferences } from './media-types.ts';
import { registryOf } from './name.ts';
import { isManifestPull, isManifestPush } from './pull.ts';
/** The newest of the events that are alike in all of this. */
export interface ImageFact {
  action: Action;
  digest?: string;
  tag?: string;
  /** Of the pull that it is part of. */
  class: PullClass;
  /** Reading back what one has just pushed is not use. */
  apart: boolean;
  /** Milliseconds since the epoch. */
  time: number;
}

/** What a manifest is: the same whoever pushes or pulls it, for its digest is of its content. */
export interface ManifestInfo {
  digest: string;
  /** Undefined: not reported. */
  mediaType?: string;
  /** Manifests that it names; undefined: not reported. */
  references?: string[];
  /** Its config is that of a container image, as far as was reported. */
  runs?: boolean;
  subject?: string;
  /** Bytes of its layers and config. */
  size?: number;
}

const imageConfig = /vnd\.oci\.image\.config\.|vnd\.docker\.container\.image\./;

/** What a push or pull tells of its manifest. */
function manifestInfoOf(event: StoredEvent): ManifestInfo | undefined {
  const { digest, mediaType, references, referenceTypes, subject, size } = event;
  if (!digest || !(isManifestPull(event) || isManifestPush(event))) return;
  const info: ManifestInfo = { digest };
  if (mediaType) info.mediaType = mediaType;
  if (references) info.references = references;
  if (referenceTypes) info.runs = referenceTypes.some((type) => imageConfig.test(type));
  if (subject) info.subject = subject;
  if (size !== undefined) info.size = size;
  return info;
}

/** What events report of manifests: [repository, manifest], each once, with the most that was reported. */
export function manifestsIn(events: Iterable<StoredEvent>): [string, ManifestInfo][] {
  const found = new Map<string, [string, ManifestInfo]>();
  for (const event of events) {
    const info = manifestInfoOf(event);
    if (!info) continue;
    const key = JSON.stringify([event.repository, info.digest]);
    const known = found.get(key);
    if (!known || toldOf(known[1]) < toldOf(info)) found.set(key, [event.repository, info]);
  }
  return [...found.values()];
}

/** What toldOf is at least when a manifest's references were reported. */
export const toldReferences = 8;

/** Which of two tellings of one manifest says more: the greater. A registry's setting may change. */
export function toldOf({ mediaType, references, subject, size }: ManifestInfo): number {
  return (references ? toldReferences : 0) + (subject ? 4 : 0) + (mediaType ? 2 : 0) + (size === undefined ? 0 : 1);
}

/** What an index holds. */
export function platformsOf({ mediaType, references }: ManifestInfo): string[] {
  return isIndex(mediaType) ? (references ?? []) : [];
}

/** All that is known of one repository. */
export interface RepositoryImages {
  repository: string;
  facts: ImageFact[];
  manifests: ManifestInfo[];
}

export const confidences = ['known', 'pulled by a mirror', 'unknown references'] as const;

export interface UnusedImage {
  repository: string;
  tag?: string;
  digest?: string;
  /** Milliseconds since the epoch, as are all times here. */
  lastPush: number;
  /** The newest pull by people, clusters or CI. */
  lastPull?: number;
  /** Bytes of its layers; what other images share is not won by deleting it. */
  size?: number;
  reason: string;
  /** `known`: all that could use it was reported. Only then deleting it breaks nothing that is in use. */
  confidence: (typeof confidences)[number];
}

/** No use of an image by themselves: they look at everything, or only whether there is something new. */
const bystanders: ReadonlySet<PullClass> = new Set(['scanner', 'mirror', 'signature', 'version-check']);

/** A pull stamped this long after a delete shows that the push after it was not reported; sooner, that clocks differ. */
export const clockSlackMs = 60_000;

/** Referrers Tag Schema (OCI distribution-spec 1.1) and cosign's tags. */
const describing = /^sha256-([0-9a-f]{64})(?:\.\w+)?$/;

interface Node {
  digest?: string;
  info?: ManifestInfo;
  lastPush: number;
  lastPull: number;
  lastSeen: number;
  /** Newest fetch by each class of bystander. */
  watched: Map<PullClass, number>;
  deletedAt: number;
  /** Tags that point here now, with their newest push here. */
  tags: Map<string, number>;
  /** A tag pointed here, and points elsewhere now. */
  moved: boolean;
  /** Deleted by its digest, or with the repository. */
  gone: boolean;
  /** Gone, or left behind by a delete of its tags or index: not listed, though a registry keeps it and what it needs for a while. */
  left: boolean;
}

const never = Number.NEGATIVE_INFINITY;
const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** Whether something was deleted and nothing is left. */
export function isDeleted(images: RepositoryImages): boolean {
  const { nodes } = graphOf(images);
  return images.facts.some(({ action }) => action === 'delete') && [...nodes.values()].every(({ left }) => left);
}

/** What was pushed before `since` and is connected to nothing that was pulled or pushed from then on; no order. */
export function unusedImages(images: RepositoryImages, since: number): UnusedImage[] {
  const { nodes, edges, parents } = graphOf(images);
  const there = [...nodes].filter(([, { gone }]) => !gone);
  const group = components(edges);
  const isUsed = ({ lastPull, lastPush }: Node) => lastPull >= since || lastPush >= since;
  const used = new Set(there.filter(([, node]) => isUsed(node)).map(([name]) => group(name)));
  const mayNameAnything = there.some(([, node]) => mayBeIndex(node) && !isTold(node));
  const rows: UnusedImage[] = [];
  for (const [name, node] of there) {
    if (node.left || node.lastPush === never || node.lastPush >= since || used.has(group(name))) continue;
    const indices = (parents.get(name) ?? []).filter((parent) => !nodes.get(parent)?.left).sort(byText);
    // What describes something we don't know of is kept as long as anything here is in use.
    const loose = isLoose(node, indices);
    if (loose && used.size > 0) continue;
    const subject = subjectOf(node);
    const known =
      !mayNameAnything &&
      !loose &&
      (subject === undefined || nodes.has(subject)) &&
      (isTold(node) || (indices.length > 0 && !mayBeIndex(node)));
    const mirrored = (node.watched.get('mirror') ?? never) >= since;
    const confidence = !known ? 'unknown references' : mirrored ? 'pulled by a mirror' : 'known';
    const size = sizeOf(node, nodes);
    const row = {
      ...{ repository: images.repository, reason: reasonOf(node, indices, nodes), confidence },
      ...(node.digest === undefined ? {} : { digest: node.digest }),
      ...(node.lastPull === never ? {} : { lastPull: node.lastPull }),
      ...(size === undefined ? {} : { size }),
    } satisfies Partial<UnusedImage>;
    if (node.tags.size === 0) rows.push({ ...row, lastPush: node.lastPush });
    for (const [tag, pushed] of node.tags)
      rows.push({ ...row, tag, lastPush: pushed === never ? node.lastPush : pushed });
  }
  return rows;
}

/** The repositories of one registry; all without one. */
export async function* imagesIn(
  repositories: AsyncIterable<RepositoryImages> | Iterable<RepositoryImages>,
  registry: string | undefined,
): AsyncIterable<RepositoryImages> {
  for await (const images of repositories)
    if (registry === undefined || registryOf(images.repository) === registry) yield images;
}

/** The oldest pushes of the unused images of many repositories, `limit` at most, oldest first. */
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

function byPush(a: UnusedImage, b: UnusedImage): number {
  return (
    a.lastPush - b.lastPush ||
    byText(a.repository, b.repository) ||
    byText(a.tag ?? '', b.tag ?? '') ||
    byText(a.digest ?? '', b.digest ?? '')
  );
}

// --- the graph --------------------------------------------------------------------------------------------------------

/** A manifest whose digest was never reported has its tag for a name. */
const nameOf = ({ digest, tag }: Pick<ImageFact, 'digest' | 'tag'>): string | undefined =>
  digest ?? (tag && `tag ${tag}`);

function graphOf({ facts, manifests }: RepositoryImages) {
  const infos = new Map(manifests.map((info) => [info.digest, info]));
  const nodes = new Map<string, Node>();
  const nodeOf = (name: string): Node => {
    const known = nodes.get(name);
    if (known) return known;
    const digest = name.startsWith('tag ') ? undefined : name;
    const node: Node = {
      ...{ digest, info: infos.get(name), lastPush: never, lastPull: never, lastSeen: never },
      ...{ watched: new Map(), deletedAt: never, tags: new Map(), moved: false, gone: false, left: false },
    };
    nodes.set(name, node);
    return node;
  };

  /** What each tag points at, and since when; and the newest push of each tag to each manifest. */
  const pointed = new Map<string, { name: string; time: number }>();
  const pushedAs = new Map<string, Map<string, number>>();
  const tagDeleted = new Map<string, number>();
  let allDeleted = never;
  for (const fact of facts) {
    const { action, digest, tag, time } = fact;
    if (action === 'delete') {
      if (digest) nodeOf(digest).deletedAt = Math.max(nodeOf(digest).deletedAt, time);
      else if (tag) tagDeleted.set(tag, Math.max(tagDeleted.get(tag) ?? never, time));
      else allDeleted = Math.max(allDeleted, time);
      continue;
    }
    const name = nameOf(fact);
    if (name === undefined || (action !== 'push' && action !== 'pull')) continue;
    const node = nodeOf(name);
    const seen = action === 'push' ? time : time - clockSlackMs;
    node.lastSeen = Math.max(node.lastSeen, seen);
    if (action === 'push') node.lastPush = Math.max(node.lastPush, time);
    else see(node, fact);
    if (!tag) continue;
    const at = pushedAs.get(name) ?? new Map<string, number>();
    pushedAs.set(name, at.set(tag, Math.max(at.get(tag) ?? never, action === 'push' ? time : never)));
    const target = pointed.get(tag);
    // A pull of a tag without a digest says nothing of where the tag points.
    const isBare = target?.name.startsWith('tag ');
    const isNewer = !target || target.time < seen || (target.time === seen && target.name < name);
    if (!target || (digest ? isBare || isNewer : isBare && isNewer)) pointed.set(tag, { name, time: seen });
  }

  // A pull that names only a tag is one of whatever had it.
  for (const [name, tags] of pushedAs)
    for (const tag of tags.keys()) {
      const bare = nodes.get(`tag ${tag}`);
      if (bare && name !== `tag ${tag}`) nodes.get(name)!.lastPull = Math.max(nodes.get(name)!.lastPull, bare.lastPull);
    }

  for (const [name, node] of nodes) {
    node.deletedAt = Math.max(node.deletedAt, allDeleted);
    node.gone = node.deletedAt >= node.lastSeen || node.lastSeen === never;
    let untaggedAt = never;
    for (const [tag, pushed] of pushedAs.get(name) ?? []) {
      const target = pointed.get(tag)!;
      const deleted = Math.max(tagDeleted.get(tag) ?? never, node.deletedAt);
      if (target.name !== name) node.moved = true;
      else if (deleted >= target.time) untaggedAt = Math.max(untaggedAt, deleted);
      else node.tags.set(tag, pushed);
    }
    // Whoever deletes the last tag of a manifest deletes the manifest, though a registry keeps it until it collects.
    node.left = node.gone || (node.tags.size === 0 && node.lastSeen <= untaggedAt);
    // A bare tag beside a manifest that has it now is the same thing.
    if (node.digest === undefined && pointed.get(name.slice(4))?.name !== name) node.gone = node.left = true;
  }

  const parents = new Map<string, string[]>();
  for (const [name, { info }] of nodes)
    for (const child of info && isIndex(info.mediaType) ? (info.references ?? []) : [])
      parents.set(child, [...(parents.get(child) ?? []), name]);
  forgetPlatforms(nodes, parents);

  const edges: [string, string][] = [];
  for (const [name, { info, tags, gone }] of nodes) {
    if (gone) continue;
    for (const other of [...(info?.references ?? []), ...(info?.subject ? [info.subject] : [])])
      edges.push([name, other]);
    for (const tag of tags.keys()) if (describedBy(tag)) edges.push([name, describedBy(tag)!]);
  }
  return { nodes, edges, parents };
}

function see(node: Node, { class: kind, apart, time }: ImageFact): void {
  if (apart) return;
  if (bystanders.has(kind)) node.watched.set(kind, Math.max(node.watched.get(kind) ?? never, time));
  else node.lastPull = Math.max(node.lastPull, time);
}

/** An index that was deleted takes its platforms with it: those that no tag and no other index holds, and nobody saw since. */
function forgetPlatforms(nodes: Map<string, Node>, parents: Map<string, string[]>): void {
  for (let changed = true; changed; ) {
    changed = false;
    for (const [child, names] of parents) {
      const node = nodes.get(child);
      if (!node || node.left || node.tags.size > 0) continue;
      const all = names.map((name) => nodes.get(name)!);
      const last = all.reduce((time, { deletedAt, lastSeen }) => Math.max(time, deletedAt, lastSeen), never);
      if (all.every(({ left }) => left) && node.lastSeen <= last) node.left = changed = true;
    }
  }
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

// --- what is said of one ----------------------------------------------------------------------------------------------

const isTold = ({ info }: Node) => info?.references !== undefined && info.references.length < mostReferences;
const mayBeIndex = ({ info }: Node) => info?.mediaType === undefined || isIndex(info.mediaType);

/** Without a tag, in no index, and no image: it describes something, and nothing says what. */
function isLoose(node: Node, indices: string[]): boolean {
  const { info, tags } = node;
  if (tags.size > 0 || indices.length > 0 || info?.subject || info?.references?.length) return false;
  return isTold(node) && !mayBeIndex(node) && info?.runs === false;
}

/** Bytes of a manifest or, for an index, of all its platforms. */
function sizeOf({ info }: Node, nodes: Map<string, Node>): number | undefined {
  if (!info) return;
  const sizes = [
    info.size,
    ...(isIndex(info.mediaType) ? (info.references ?? []).map((child) => nodes.get(child)?.info?.size) : []),
  ];
  const told = sizes.filter((size) => size !== undefined);
  return told.length > 0 ? told.reduce((sum, size) => sum + size) : undefined;
}

/** The digest that a tag says its manifest describes. */
function describedBy(tag: string): string | undefined {
  const [, hex] = describing.exec(tag) ?? [];
  return hex && `sha256:${hex}`;
}

const subjectOf = ({ tags, info }: Node) => [...tags.keys()].map(describedBy).find(Boolean) ?? info?.subject;

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
