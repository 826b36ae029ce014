// What is known about the images of a repository: what happened to them, and what each manifest is.
import type { Action, PullClass, StoredEvent } from '../event.ts';
import { isIndex } from './media-types.ts';
import { isManifestPull, isManifestPush } from './pull.ts';

/** The newest of the events that are equal in all these fields. */
export interface ImageFact {
  action: Action;
  digest?: string;
  tag?: string;
  /** The class of the pull that the fetch belongs to. */
  class: PullClass;
  /** A client that reads back its own push: this is not use. */
  apart: boolean;
  /** Milliseconds since the epoch. */
  time: number;
}

/** What a manifest is. It does not depend on who pushes or pulls it, because a digest identifies the content. */
export interface ManifestInfo {
  digest: string;
  /** Undefined: not reported. */
  mediaType?: string;
  /** Manifests that it names; undefined: not reported. */
  references?: string[];
  /** Whether its config is that of a container image, as far as reported. */
  runs?: boolean;
  subject?: string;
  /** Bytes of its layers and config. */
  size?: number;
}

const imageConfig = /vnd\.oci\.image\.config\.|vnd\.docker\.container\.image\./;

/** What a push or pull reports about its manifest. */
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

/** What events report about manifests: [repository, manifest], each once, with the fullest report. */
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

/** The lowest toldOf of a report that names the manifest's references. */
export const toldReferences = 8;

/**
 * How full a report about a manifest is: of two reports the one with the greater value says more. They may differ,
 * because a registry's settings may change.
 */
export function toldOf({ mediaType, references, subject, size }: ManifestInfo): number {
  return (references ? toldReferences : 0) + (subject ? 4 : 0) + (mediaType ? 2 : 0) + (size === undefined ? 0 : 1);
}

/** What an index contains. */
export function platformsOf({ mediaType, references }: ManifestInfo): string[] {
  return isIndex(mediaType) ? (references ?? []) : [];
}

/** All that is known about one repository. */
export interface RepositoryImages {
  repository: string;
  facts: ImageFact[];
  manifests: ManifestInfo[];
}
