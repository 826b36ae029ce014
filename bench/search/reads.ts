// How long reads of many documents in OpenSearch take, once they are summed: with nothing cached, as while pulls come in.
import { join } from 'node:path';
import { openSearch } from '#aws/opensearch/search.ts';
import { openEvents } from '#local/stores/events.ts';
import { eventOf, worldOf } from '../worlds/pulls.ts';
import type { Cluster } from './cluster.ts';
import { prefix, stored } from './indexing.ts';

export interface Reads {
  documents: number;
  documentsPerSecond: number;
  /** Of summing what is older than a day. */
  sumSeconds: number;
  /** p99 of each read, milliseconds. */
  alone: Record<string, number>;
  /** Six at once. */
  busy: Record<string, number>;
}

const dayMs = 86_400_000;
const days = 400;
const [repeats, repeatsEach, readers] = [20, 3, 6];

/** `count`: pulls; each is some three and a half documents. */
export async function reads(cluster: Cluster, { count, batch }: { count: number; batch: number }): Promise<Reads> {
  const now = Math.floor(Date.now() / dayMs) * dayMs;
  const file = join(cluster.folder, 'events.db');
  const began = performance.now();
  const reported = Array.from(worldOf(count, days, now), (row, at) => eventOf(row, `event-${at}`));
  const search = openSearch({ endpoint: cluster.endpoint, prefix });
  await stored(reported, batch, search, file);
  const seconds = (performance.now() - began) / 1000;
  await cluster.call('PUT', `/${prefix}-documents/_settings`, { index: { requests: { cache: { enable: false } } } });
  await cluster.call('POST', `/${prefix}-documents/_refresh`);
  const { count: documents } = await cluster.call<{ count: number }>('GET', `/${prefix}-documents/_count`);
  await cluster.settled();
  const summing = performance.now();
  await search.sumUp(now);
  const sumSeconds = Math.round((performance.now() - summing) / 100) / 10;
  await cluster.settled();

  const events = openEvents(file, () => now);
  const [{ repository }] = await search.repositories({ sort: 'popular', limit: 1, now });
  const since = now - 30 * dayMs;
  // As the pages ask for them.
  const all: Record<string, () => Promise<unknown>> = {
    users: () => search.users({ sort: 'recent', limit: 20, now }),
    usersByPulls: () => search.users({ sort: 'pulls', limit: 100, now }),
    repositories: () => search.repositories({ sort: 'popular', limit: 50, now }),
    trending: () => search.repositories({ sort: 'trending', limit: 50, now }),
    pulls: () => search.counts({ interval: 'day' }),
    pullsOfRepository: () => search.counts({ repository, interval: 'week' }),
    pullsByClient: () => search.counts({ by: 'client' }),
    pullsOfUser: () => search.counts({ user: 'user-0', interval: 'day' }),
    pullers: () => search.pullers({ repository, limit: 100 }),
    history: () => events.history('user-0', { limit: 50 }),
    unused: () => search.unused({ since, limit: 1000 }),
    images: () => search.images({ repository }),
    usersOfKind: () => search.users({ sort: 'recent', kind: 'ci', limit: 100, now }),
    catalogue: () => search.catalogue({ now, halfLifeMs: 7 * dayMs }),
  };
  const [alone, busy]: Record<string, number>[] = [{}, {}];
  for (const [name, read] of Object.entries(all)) {
    await times(read, repeatsEach);
    alone[name] = p99(await times(read, repeats));
    busy[name] = p99((await Promise.all(Array.from({ length: readers }, () => times(read, repeatsEach)))).flat());
    console.log(`${name}: p99 ${alone[name]} ms alone, ${busy[name]} ms six at once`);
  }
  return { documents, documentsPerSecond: Math.round(documents / seconds), sumSeconds, alone, busy };
}

/** How long each of some calls takes, one after the other, milliseconds. */
async function times(work: () => Promise<unknown>, count: number): Promise<number[]> {
  const took: number[] = [];
  for (let n = 0; n < count; n++) {
    const began = performance.now();
    await work();
    took.push(performance.now() - began);
  }
  return took;
}

function p99(times: number[]): number {
  return Number(times.sort((a, b) => a - b)[Math.floor(times.length * 0.99)].toPrecision(3));
}
