// Moves an index's documents to the mapping version in mapping.ts, behind the alias that all readers and writers use.
// Reads always work; writes wait during the last pass, as they do for a full domain, and nothing is lost:
//
//   1 make     the new index, beside the old one
//   2 copy     what the old one has, with its versions, while it is written on
//   3 block    the old one accepts no more writes
//   4 copy     what has changed since: documents of the same version are skipped
//   5 remove   from the new one what was removed from the old one meanwhile, such as by forgetting
//   6 swap     the alias, and remove the old index, in one step
//
// Each step may be repeated: after an interruption, run it again from the start.
import { setTimeout as wait } from 'node:timers/promises';
import { type Index, indexNamed, templateOf } from './mapping.ts';
import { type Call, OpenSearchError } from './opensearch.ts';

export interface Migrated {
  from: string;
  to: string;
  documents: number;
}

const pollMs = 500;
const idsAtOnce = 5000;

/** Returns what was moved; undefined if the newest version is in use already, or nothing is stored. */
export async function migrateIndex(
  call: Call,
  alias: string,
  index: Index,
  report: (text: string) => void,
): Promise<Migrated | undefined> {
  const to = indexNamed(alias, index);
  // The index behind the alias, or an index with the alias's name, as before there were aliases.
  const found = await call<Record<string, unknown>>('GET', `/${alias}`).catch(missing);
  const [from] = Object.keys(found ?? {});
  if (from === undefined || from === to) return undefined;
  await call('PUT', `/_index_template/${alias}`, templateOf(alias, index));
  await call('PUT', `/${to}`).catch((cause) => {
    if (!(cause instanceof OpenSearchError && cause.type === 'resource_already_exists_exception')) throw cause;
  });
  report(`${from}: ${await copied(call, from, to)} documents copied to ${to}`);
  const block = (on: boolean) => call('PUT', `/${from}/_settings`, { index: { blocks: { write: on } } });
  await block(true);
  try {
    report(`${from}: ${await copied(call, from, to)} more`);
    const removed = await removedSince(call, from, to);
    if (removed > 0) report(`${to}: removed ${removed} documents that were removed from ${from} meanwhile`);
    const documents = await count(call, to);
    if (documents !== (await count(call, from)))
      throw new Error(
        `${to} has ${documents} documents and ${from} a different number: nothing was changed, try again`,
      );
    const actions = [{ add: { index: to, alias } }, { remove_index: { index: from } }];
    await call('POST', '/_aliases', { actions });
    return { from, to, documents };
  } catch (cause) {
    await block(false);
    throw cause;
  }
}

const missing = (cause: unknown): undefined => {
  if (!(cause instanceof OpenSearchError && cause.status === 404)) throw cause;
};

/**
 * Copies the documents that the other index lacks, or has in an older version; returns how many. Throws if one can't be
 * indexed.
 */
async function copied(call: Call, from: string, to: string): Promise<number> {
  await call('POST', `/${from}/_refresh`);
  const { task } = await call<{ task: string }>('POST', '/_reindex?wait_for_completion=false&refresh=true', {
    conflicts: 'proceed',
    source: { index: from, size: 2000 },
    dest: { index: to, version_type: 'external' },
  });
  for (;;) {
    const { completed, response, error } = await call<Task>('GET', `/_tasks/${task}`);
    if (!completed) {
      await wait(pollMs);
      continue;
    }
    const failure = error ?? response?.failures[0]?.cause;
    if (failure) throw new Error(`${from} can't be copied to ${to}: ${failure.type} ${failure.reason}`);
    return (response?.created ?? 0) + (response?.updated ?? 0);
  }
}

interface Task {
  completed: boolean;
  error?: { type: string; reason: string };
  response?: { created: number; updated: number; failures: { cause: { type: string; reason: string } }[] };
}

async function count(call: Call, index: string): Promise<number> {
  await call('POST', `/${index}/_refresh`);
  return (await call<{ count: number }>('GET', `/${index}/_count`)).count;
}

/** Removes from an index what another, which it was copied from, no longer has; returns how many. */
async function removedSince(call: Call, from: string, to: string): Promise<number> {
  let removed = 0;
  if ((await count(call, to)) === (await count(call, from))) return removed;
  let scroll = await call<Scrolled>('POST', `/${to}/_search?scroll=2m`, {
    size: idsAtOnce,
    _source: false,
    sort: ['_doc'],
  });
  while (scroll.hits.hits.length > 0) {
    const ids = scroll.hits.hits.map(({ _id }) => _id);
    const { docs } = await call<{ docs: { _id: string; found: boolean }[] }>('POST', `/${from}/_mget?_source=false`, {
      ids,
    });
    const gone = docs.filter(({ found }) => !found).map(({ _id }) => `{"delete":{"_id":${JSON.stringify(_id)}}}\n`);
    if (gone.length > 0) await call('POST', `/${to}/_bulk`, gone.join(''));
    removed += gone.length;
    scroll = await call<Scrolled>('POST', '/_search/scroll', { scroll: '2m', scroll_id: scroll._scroll_id });
  }
  await call('DELETE', '/_search/scroll', { scroll_id: scroll._scroll_id });
  return removed;
}

interface Scrolled {
  _scroll_id: string;
  hits: { hits: { _id: string }[] };
}
