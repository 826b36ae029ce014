// Several registries: each has a name, and the same repository in two of them counts as two. In the stores a repository
// of a named registry is `REGISTRY//REPOSITORY`, so that everything computed by repository is computed by registry too.
// No repository has an empty part in its name (normalise.ts refuses it), so no registry can report for another.
import type { RegistryEvent } from '../event.ts';
import { contentHash } from './content-hash.ts';

/** The registry without its own name: the only one if the settings name none. */
export const defaultRegistry = 'default';
/** The separator between a registry's name and its repository or id. */
const mark = '//';

/** A registry that the owner names in the settings. */
export interface Registry {
  name: string;
  /** Its host names: events that name another host are quarantined. */
  hosts?: string[];
}

export const isAmbiguous = (repository: string): boolean => repository.includes(mark);

/** The key of a registry's repository in the stores. */
export const keyOf = (registry: string, repository: string): string =>
  registry === defaultRegistry ? repository : registry + mark + repository;

/** The registry and the repository that a key names. */
export function partsOf(key: string): { registry: string; repository: string } {
  const at = key.indexOf(mark);
  if (at < 0) return { registry: defaultRegistry, repository: key };
  return { registry: key.slice(0, at), repository: key.slice(at + mark.length) };
}

export const registryOf = (key: string): string => partsOf(key).registry;

/** The prefix of all keys of a named registry; keys of the default registry have no `keyMark`. */
export const prefixOf = (registry: string): string | undefined =>
  registry === defaultRegistry ? undefined : registry + mark;
export const keyMark = mark;

/** An image in a sentence: `team/app:v1`, or `team/app:v1 in east`. */
export function imageText(key: string, image = ''): string {
  const { registry, repository } = partsOf(key);
  return `${repository}${image}${registry === defaultRegistry ? '' : ` in ${registry}`}`;
}

/** An event with the keys that the stores use: two registries may give their events the same id. */
export function eventOf<Event extends Pick<RegistryEvent, 'id' | 'repository'>>(registry: string, event: Event): Event {
  if (registry !== defaultRegistry)
    return { ...event, id: registry + mark + event.id, repository: keyOf(registry, event.repository) };
  return event.id.includes(mark) ? { ...event, id: contentHash(event.id) } : event;
}
