import type { Puller } from '../stores.ts';

/** Users who pulled an image, followed by users who only fetched a part of it; each group newest first. */
export function withOthers(pullers: Puller[], fetchers: Puller[], limit: number): Puller[] {
  const keyOf = ({ user, repository }: Puller) => JSON.stringify([user, repository]);
  const known = new Set(pullers.map(keyOf));
  const others = fetchers.filter((one) => !known.has(keyOf(one)));
  return [...pullers, ...others].sort((a, b) => b.lastPull - a.lastPull).slice(0, limit);
}
