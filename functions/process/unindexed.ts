// Documents that search can't index are quarantined with the reason: they block nothing else, and forgetting finds them
// there.
import type { RefusedDocument } from '#aws/opensearch/search.ts';
import { quarantinedText } from '#core/registry/quarantine.ts';
import type { EventStore } from '#core/stores.ts';

export const unindexed =
  (events: Pick<EventStore, 'quarantine'>, clock: () => number) =>
  (documents: RefusedDocument[]): Promise<void> =>
    events.quarantine(
      documents.map(({ id, reason, doc }) => ({
        ...{ id: `search:${id}`, time: clock(), reason, position: 'search', body: quarantinedText(doc) },
      })),
    );
