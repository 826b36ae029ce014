// The images of a repository as a list: its tags, and the manifests without a tag.
import { byText, graphOf, type Node, never, sizeOf, subjectOf } from './image-graph.ts';
import { platformsOf, type RepositoryImages } from './images.ts';

export interface ListedImage {
  repository: string;
  tag?: string;
  digest?: string;
  /** Milliseconds since the epoch, as is lastPull. Undefined: pushed before anything was reported. */
  lastPush?: number;
  /** The newest pull by people, clusters or CI, by whatever tag; for an index also of one of its platforms. */
  lastPull?: number;
  /** Bytes of its layers and config; of an index, of all its platforms. */
  size?: number;
  /** How many manifests an index has. */
  platforms?: number;
  /** The digest that a signature, attestation or SBOM is about. */
  describes?: string;
}

/**
 * The images that exist now, newest push first, ties by tag and digest. The platforms of an index are part of its row,
 * unless they have their own tag.
 */
export function listedImages(repositories: RepositoryImages[]): ListedImage[] {
  const rows = repositories.flatMap(imagesOf);
  return rows.sort((a, b) => (b.lastPush ?? 0) - (a.lastPush ?? 0) || byText(imageId(a), imageId(b)));
}

function imagesOf(images: RepositoryImages): ListedImage[] {
  const { nodes, parents } = graphOf(images);
  const isHeld = (name: string) => (parents.get(name) ?? []).some((parent) => nodes.get(parent)?.left === false);
  const rows: ListedImage[] = [];
  for (const [name, node] of nodes) {
    if (node.left || (node.tags.size === 0 && isHeld(name))) continue;
    const platforms = node.info ? platformsOf(node.info) : [];
    const lastPull = newest([node, ...platforms.map((digest) => nodes.get(digest))]);
    const row = {
      ...given('digest', node.digest),
      ...given('lastPull', lastPull === never ? undefined : lastPull),
      ...given('size', sizeOf(node, nodes)),
      ...given('platforms', platforms.length || undefined),
      ...given('describes', subjectOf(node)),
    };
    const pushed = (time: number) => given('lastPush', time === never ? undefined : time);
    if (node.tags.size === 0) rows.push({ repository: images.repository, ...row, ...pushed(node.lastPush) });
    for (const [tag, time] of node.tags)
      rows.push({ repository: images.repository, tag, ...row, ...pushed(time === never ? node.lastPush : time) });
  }
  return rows;
}

/** Identifies a row of a list, and orders rows pushed at the same time. */
export const imageId = ({ repository, tag = '', digest = '' }: ListedImage) => `${tag}\n${digest}\n${repository}`;

const newest = (nodes: (Node | undefined)[]) => Math.max(...nodes.map((node) => node?.lastPull ?? never));

const given = <Name extends string, T>(name: Name, value: T | undefined) =>
  (value === undefined ? {} : { [name]: value }) as { [N in Name]?: T };
