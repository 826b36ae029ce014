// Several registries: each has a name, and the same repository in two of them stays two. The stores know a repository of a
// named registry as `REGISTRY//REPOSITORY`, so that whatever is computed by repository is computed by registry too. No
// repository has an empty part in its name (normalise.ts refuses it), so that no registry can speak for another.
import type { RegistryEvent } from '../event.ts';
import { contentHash } from './content-hash.ts';

/** The registry without a name of its own: the only one where the settings name none. */
export const defaultRegistry = 'default';
/** Between a registry's name and what is its own. */
const mark = '//';

/** A registry that the owner names in the settings. */
export interface Registry {
  name: string;
  /** Its host names: events that name another are quarantined. */
  hosts?: string[];
}

export const isAmbiguous = (repository: string): boolean => repository.includes(mark);

/** The name that the stores know a registry's repository by. */
export const keyOf = (registry: string, repository: string): string =>
  registry === defaultRegistry ? repository : registry + mark + repository;

/** The registry and the repository that a key names. */
export function partsOf(key: string): { registry: string; repository: string } {
  const at = key.indexOf(mark);
  if (at < 0) return { registry: defaultRegistry, repository: key };
  return { registry: key.slice(0, at), repository: key.slice(at + mark.length) };
}

export const registryOf = (key: string): string => partsOf(key).registry;

/** What all keys of a named registry begin with; those of the default one hold no `keyMark` at all. */
export const prefixOf = (registry: string): string | undefined =>
  registry === defaultRegistry ? undefined : registry + mark;
export const keyMark = mark;

/** An image in a sentence: `team/app:v1`, or `team/app:v1 in east`. */
export function imageText(key: string, image = ''): string {
  const { registry, repository } = partsOf(key);
  return `${repository}${image}${registry === defaultRegistry ? '' : ` in ${registry}`}`;
}

/** An event as the stores know it: two registries may give the same id to events of theirs. */
export function eventOf<Event extends Pick<RegistryEvent, 'id' | 'repository'>>(registry: string, event: Event): Event {
  if (registry !== defaultRegistry)
    return { ...event, id: registry + mark + event.id, repository: keyOf(registry, event.repository) };
  return event.id.includes(mark) ? { ...event, id: contentHash(event.id) } : event;
}
