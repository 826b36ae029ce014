// Registry notifications, whoever sent them, normalised once at the edge.
// A dialect is chosen by the shape of the body, not by its Content-Type: Distribution 2.8 says v1 and 3 says v2 for the
// same body, and proxies rewrite the header.
import type { RegistryEvent } from '../event.ts';
import type { RegistryContext } from './dialects/dialect.ts';
import { dialects } from './dialects/dialects.ts';
import { type Fields, isObject, kindOf, Misread } from './fields.ts';
import { withoutAddresses } from './quarantine.ts';

export interface Normalised {
  events: RegistryEvent[];
  /** Understood, but nothing to keep: blobs, mounts, scan reports. */
  ignored: number;
  /** Not understood. `reason` names the field and never holds a person or an address; `event` is verbatim. */
  rejected: { reason: string; event: unknown }[];
}

/** Parsed JSON to events; never throws. */
export function normalise(body: unknown, context: RegistryContext): Normalised {
  const result: Normalised = { events: [], ignored: 0, rejected: [] };
  const dialect = isObject(body) ? dialects.find(({ fits }) => fits(body)) : undefined;
  if (!dialect) {
    result.rejected.push({ reason: unknownBody(body), event: body });
    return result;
  }
  const items = dialect.items(body as Fields);
  if (items.length > mostItems) {
    const reason = `${dialect.name}: ${items.length} events in one body, more than ${mostItems}`;
    result.rejected.push({ reason, event: body });
    return result;
  }
  for (const item of items) {
    try {
      const events = dialect.read(item, context);
      for (const event of events) result.events.push(event);
      if (events.length === 0) result.ignored++;
    } catch (error) {
      if (!(error instanceof Misread)) throw error;
      result.rejected.push({ reason: `${dialect.name}: ${error.message}`, event: item });
    }
  }
  return result;
}

/** More than fit in the 4 MiB that collect reads, if each is an event. */
const mostItems = 20_000;

function unknownBody(body: unknown): string {
  if (!isObject(body)) return `body is ${kindOf(body)}, not a JSON object`;
  const names = Object.keys(body)
    .filter((name) => /^[\w-]{1,32}$/.test(name))
    .map(withoutAddresses)
    .slice(0, 8)
    .join(', ');
  return `not a notification of a known registry: its fields are ${names || 'none'}`;
}
