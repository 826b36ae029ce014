// What is known about a repository's images as a document's content: rows of numbers beside the texts they name, a
// fifth of the facts as JSON.
import type { Action, PullClass } from '#core/event.ts';
import type { ImageFact, ManifestInfo, RepositoryImages } from '#core/registry/images.ts';

export interface PackedImages {
  texts: string[];
  /** Action, class, digest and tag as places in `texts`, -1 if missing; 1 if apart; time. */
  facts: number[][];
  manifests: ManifestInfo[];
}

/** Facts, or manifests, of one document: some 200 KB. */
const mostInOne = 5000;

export function* packedImages({ facts, manifests }: RepositoryImages): Generator<PackedImages> {
  for (let from = 0; from < Math.max(facts.length, manifests.length); from += mostInOne)
    yield packedFacts(facts.slice(from, from + mostInOne), manifests.slice(from, from + mostInOne));
}

function packedFacts(facts: ImageFact[], manifests: ManifestInfo[]): PackedImages {
  const places = new Map<string, number>();
  const placeOf = (text: string | undefined): number => {
    if (text === undefined) return -1;
    const place = places.get(text) ?? places.size;
    places.set(text, place);
    return place;
  };
  const rows = facts.map(({ action, class: pullClass, digest, tag, apart, time }) => [
    ...[action, pullClass, digest, tag].map(placeOf),
    ...[apart ? 1 : 0, time],
  ]);
  return { texts: [...places.keys()], facts: rows, manifests };
}

export function unpackedFacts({ texts, facts }: PackedImages): ImageFact[] {
  return facts.map(([action, pullClass, digest, tag, apart, time]) => ({
    ...{ action: texts[action] as Action, class: texts[pullClass] as PullClass, time, apart: apart === 1 },
    ...(digest < 0 ? {} : { digest: texts[digest] }),
    ...(tag < 0 ? {} : { tag: texts[tag] }),
  }));
}
