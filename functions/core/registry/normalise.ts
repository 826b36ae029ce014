// Normalises registry notifications of every dialect, once, when they arrive. A dialect is chosen by the shape of the
// body, not by its Content-Type: for the same body, Distribution 2.8 declares v1 and Distribution 3 v2, and proxies
// rewrite the header.
import { withoutAddresses } from '../addresses.ts';
import type { RegistryEvent } from '../event.ts';
import type { Dialect, RegistryContext } from './dialects/dialect.ts';
import { dialects } from './dialects/dialects.ts';
import { type Fields, isObject, kindOf, Misread, quote } from './fields.ts';
import { isAmbiguous } from './name.ts';

export interface Normalised {
  events: RegistryEvent[];
  /** Events that were understood but need no storing: blobs, mounts, scan reports. */
  ignored: number;
  /**
   * Events that were not understood. `reason` names the field and never contains a user or an address; `event` is
   * verbatim.
   */
  rejected: { reason: string; event: unknown; unknownHost?: true }[];
}

/** Parsed JSON to events; never throws. */
export function normalise(body: unknown, context: RegistryContext): Normalised {
  const result: Normalised = { events: [], ignored: 0, rejected: [] };
  // Azure's Event Grid sends arrays of its events.
  if (Array.isArray(body) && body.length > 0 && body.length <= mostItems && body.every(isObject)) {
    for (const one of body) {
      const { events, ignored, rejected } = normalise(one, context);
      for (const event of events) result.events.push(event);
      result.ignored += ignored;
      result.rejected.push(...rejected);
    }
    return result;
  }
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
      for (const event of events) if (isAmbiguous(event.repository)) throw new Misread('repository has an empty part');
      const host = unknownHost(dialect, item, events, context);
      if (host !== undefined) {
        const reason = `${dialect.name}: host ${quote(host)} is not one of this registry's`;
        result.rejected.push({ reason, event: item, unknownHost: true });
        continue;
      }
      for (const event of events) result.events.push(event);
      if (events.length === 0) result.ignored++;
    } catch (error) {
      if (!(error instanceof Misread)) throw error;
      result.rejected.push({ reason: `${dialect.name}: ${error.message}`, event: item });
    }
  }
  return result;
}

/** If a notification names hosts but none of its registry's, returns one of them; otherwise undefined. */
function unknownHost(
  { hosts = () => [] }: Dialect,
  item: unknown,
  events: RegistryEvent[],
  { hosts: known }: RegistryContext,
): string | undefined {
  if (!known || events.length === 0) return undefined;
  const named = [...hosts(item), ...events.map(({ source }) => source)].filter(Boolean);
  const isKnown = (host: string) =>
    known.some((one) => [host, host.replace(/:\d+$/, '')].some((name) => name.toLowerCase() === one.toLowerCase()));
  return named.some(isKnown) ? undefined : named[0];
}

/** More real events than fit into the 4 MiB that collect reads. */
const mostItems = 20_000;

function unknownBody(body: unknown): string {
  if (!isObject(body)) return `body is ${kindOf(body)}, not a JSON object`;
  const names = Object.keys(body)
    .filter((name) => /^[\w-]{1,32}$/.test(name))
    .map((name) => withoutAddresses(name))
    .slice(0, 8)
    .join(', ');
  return `not a notification of a known registry: its fields are ${names || 'none'}`;
}
