import type { RegistryEvent } from '../../event.ts';
import type { Fields } from '../fields.ts';

export interface RegistryContext {
  /** Milliseconds since the epoch; the time of a notification that names none. */
  receivedAt: number;
}

/** One form in which registries send notifications. */
export interface Dialect {
  name: string;
  fits(body: Fields): boolean;
  /** The notifications in one body. */
  items(body: Fields): unknown[];
  /** Events of one notification, none when there is nothing to keep; throws Misread. */
  read(item: unknown, context: RegistryContext): RegistryEvent[];
}
