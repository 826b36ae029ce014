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

/** Records are let go this long after the last batch took them. */
const retentionMs = 10 * 60_000;

export const clock = () => Date.now();
export const newId = () => randomUUID();

export interface LocalStores extends ProcessStores {
  events: LocalEvents;
  /** What registries report: a stream of its own, so that no flood of hits fills it, or delays what reads it. */
  stream: LocalStream;
  /** What imports bring of the past: a stream of its own, so that today's events don't wait behind it. */
  imports: LocalStream;
  /** Hits, and what an older version put here. */
  hits: LocalStream;
  alerts: Alerts;
  credentials: CredentialStore;
  refusals: RefusalStore;
  /** Of the embedded search. */
  sums?: Sums;
  /** Rejects while the data folder takes nothing: it is gone, full or read-only. */
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
      await rm(probe);
    },
    search:
      embedded ??
      openOpenSearch({
        ...{ endpoint: String(opensearch), timeoutMs: searchTimeoutMs[stage], quarantine: unindexed(events, clock) },
      }),
    sums: embedded?.sums,
  };
}
