// Manifests as the nodes of a graph: an index names its platforms; a signature, attestation or SBOM names what it
// describes by its subject or its tag (sha256-HEX.sig).
import type { PullClass } from '../event.ts';
import type { ImageFact, ManifestInfo, RepositoryImages } from './images.ts';
import { isIndex } from './media-types.ts';

/** Classes whose pulls don't mean that an image is in use: they fetch everything, or only check for something new. */
const bystanders: ReadonlySet<PullClass> = new Set(['scanner', 'mirror', 'signature', 'version-check']);

/**
 * The clocks of a registry's replicas differ: two times closer than this have no known order. A pull later than this
 * after a delete shows that a push in between was not reported.
 */
export const clockSlackMs = 60_000;

/** Referrers Tag Schema (OCI distribution-spec 1.1) and cosign's tags. */
const describing = /^sha256-([0-9a-f]{64})(?:\.\w+)?$/;
export interface Node {
  digest?: string;
  info?: ManifestInfo;
  lastPush: number;
  lastPull: number;
  lastSeen: number;
  /** The newest fetch by each class whose pulls don't mean use. */
  watched: Map<PullClass, number>;
  deletedAt: number;
  /** Tags that point here now, with their newest push here. */
  tags: Map<string, number>;
  /** A tag pointed here before, and points elsewhere now. */
  moved: boolean;
  /** Deleted by its digest, or with the repository. */
  gone: boolean;
  /**
   * Deleted, or left behind when its tags or index were deleted: not listed, though a registry keeps it and what it
   * needs for a while.
   */
  left: boolean;
}

export const never = Number.NEGATIVE_INFINITY;
export const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** A manifest whose digest was never reported is named by its tag. */
const nameOf = ({ digest, tag }: Pick<ImageFact, 'digest' | 'tag'>): string | undefined =>
  digest ?? (tag && `tag ${tag}`);

/** The manifests by digest, or by tag if no digest was reported; their references; and the indices that name each. */
export function graphOf({ facts, manifests }: RepositoryImages) {
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
    // A pull of a tag without a digest does not show where the tag points.
    const isBare = target?.name.startsWith('tag ');
    const isNewer = !target || target.time < seen || (target.time === seen && target.name < name);
    if (!target || (digest ? isBare || isNewer : isBare && isNewer)) pointed.set(tag, { name, time: seen });
  }

  // A pull that names only a tag counts for whatever manifest the tag pointed at.
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
    // Deleting the last tag of a manifest deletes the manifest, though a registry keeps it until it collects garbage.
    node.left = node.gone || (node.tags.size === 0 && node.lastSeen <= untaggedAt);
    // A node for a tag without a digest is the same as the manifest that has the tag now.
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

/** A deleted index takes its platforms with it: those without a tag or another index, which nobody fetched since. */
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
/** Bytes of a manifest or, for an index, of all its platforms. */
export function sizeOf({ info }: Node, nodes: Map<string, Node>): number | undefined {
  if (!info) return;
  const sizes = [
    info.size,
    ...(isIndex(info.mediaType) ? (info.references ?? []).map((child) => nodes.get(child)?.info?.size) : []),
  ];
  const known = sizes.filter((size) => size !== undefined);
  return known.length > 0 ? known.reduce((sum, size) => sum + size) : undefined;
}

/** The digest of what a manifest describes, according to its tag. */
function describedBy(tag: string): string | undefined {
  const [, hex] = describing.exec(tag) ?? [];
  return hex && `sha256:${hex}`;
}

export const subjectOf = ({ tags, info }: Node) => [...tags.keys()].map(describedBy).find(Boolean) ?? info?.subject;
