// The embedded stores of a data folder. Each thread and each command opens its own; they meet only in the files.
import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openSearch as openOpenSearch, searchTimeoutMs } from '#aws/opensearch/search.ts';
import type { CredentialStore, RefusalStore } from '#core/stores.ts';
import type { ProcessStores } from '#process/process.ts';
import { unindexed } from '#process/unindexed.ts';
import { type Alerts, openAlerts } from './alerts.ts';
import { openCheckpoints } from './checkpoints.ts';
import { openCredentials } from './credentials.ts';
import { type LocalEvents, openEvents } from './events.ts';
import { openObjects } from './objects.ts';
import { openRefusals } from './refusals.ts';
import { type LocalSearch, openSearch } from './search/search.ts';
import type { Sums } from './search/sums.ts';
import { batchCacheMiB, readCacheMiB } from './sqlite/sqlite.ts';
import { type LocalStream, openStream } from './stream.ts';

/** How long records are kept after the last batch has processed them. */
const retentionMs = 10 * 60_000;

export const clock = () => Date.now();
export const newId = () => randomUUID();

export interface LocalStores extends ProcessStores {
  events: LocalEvents;
  /** The stream of registry events: separate, so that a flood of hits can't fill it or delay its readers. */
  stream: LocalStream;
  /** The stream of imports: separate, so that today's events don't wait for them. */
  imports: LocalStream;
  /** The stream of hits, and of events that an older version put here. */
  hits: LocalStream;
  alerts: Alerts;
  credentials: CredentialStore;
  refusals: RefusalStore;
  /** The sums of the embedded search. */
  sums?: Sums;
  /** Rejects while the data folder can't be written: it is gone, full or read-only. */
  ready(): Promise<void>;
}

/** `open`: how the embedded search is opened. */
export function openStores(
  folder: string,
  opensearch?: string,
  stage: keyof typeof searchTimeoutMs = 'process',
  open: (file: string) => LocalSearch = openSearch,
): LocalStores {
  const embedded = opensearch ? undefined : open(join(folder, 'search.db'));
  const cacheMiB = stage === 'process' ? batchCacheMiB : readCacheMiB;
  const events = openEvents(join(folder, 'events.db'), clock, { cacheMiB });
  return {
    stream: openStream(join(folder, 'registry-stream'), { shards: 2, clock, retentionMs }),
    imports: openStream(join(folder, 'import-stream'), { shards: 2, clock, retentionMs }),
    hits: openStream(join(folder, 'stream'), { shards: 2, clock, retentionMs }),
    checkpoints: openCheckpoints(join(folder, 'checkpoints.db')),
    events,
    credentials: openCredentials(join(folder, 'credentials.db'), clock),
    refusals: openRefusals(join(folder, 'refusals.db'), clock),
    alerts: openAlerts(join(folder, 'notices.db'), clock),
    objects: openObjects(join(folder, 'objects')),
    ready: async () => {
      const probe = join(folder, '.ready');
      await writeFile(probe, 'x', { flush: true });
      // Of several who look at once, another may have removed it.
      await rm(probe, { force: true });
    },
    search:
      embedded ??
      openOpenSearch({
        ...{ endpoint: String(opensearch), timeoutMs: searchTimeoutMs[stage], quarantine: unindexed(events, clock) },
      }),
    sums: embedded?.sums,
  };
}
