// What a click opened: one domain, or the domains of a cluster, newest first.
import { useEffect, useRef } from 'preact/hooks';
import { get, type Leaf, ServiceError } from '../api.ts';
import { Content, More } from '../components/card.tsx';
import { useLoad, useNow, usePages } from '../load.ts';
import { shownDomain } from '../text/domain.ts';
import { ago, compact, percent, plural, sentence, since, utcDay } from '../text/format.ts';
import { centred, useNames } from './around.ts';
import { Spark } from './spark.tsx';
import type { Filter } from './time.ts';
import type { Picked } from './view.ts';

const leavesAPage = 100;

export interface Opening extends Picked {
  /** The snapshot and the filter that the cluster's id came from. */
  snapshot?: string;
  filter?: Filter;
}

/** The chosen time. */
export interface Chosen {
  from: string;
  to: string;
  words: string;
}

export function Opened({
  picked,
  chosen,
  onClose,
  onGo,
}: {
  picked: Opening;
  chosen: Chosen;
  onClose: () => void;
  onGo: (leaf: Leaf) => void;
}) {
  const now = useNow();
  const nameOf = useNames(true);
  const heading = useRef<HTMLHeadingElement>(null);
  const number = picked.point_count ?? 1;
  const where = nameOf(picked.lat, picked.lon);
  const { id, snapshot, filter } = picked;
  const asked = `${snapshot} ${id} ${JSON.stringify(filter)}`;
  const leaves = usePages(number > 1 ? asked : null, async (cursor = '0', signal) => {
    const offset = Number(cursor);
    const query = { cluster: id, snapshot, ...filter, limit: leavesAPage, offset };
    const { items } = await get('/v1/clusters/leaves', query, { signal }).catch((cause) => {
      // Only the newest few snapshots are kept, and an id is valid only in its own.
      if (!(cause instanceof ServiceError) || cause.status !== 404) throw cause;
      throw new ServiceError(404, 'The map has been updated since. Close this list and choose the cluster again.');
    });
    const read = offset + items.length;
    return { items, cursor: items.length > 0 && read < number ? String(read) : undefined };
  });
  // Each new pick moves the focus to its heading.
  useEffect(() => heading.current?.focus({ preventScroll: true }), [picked]);
  return (
    <section
      aria-labelledby="opened"
      onKeyDown={(event) => {
        if (event.key === 'Escape') onClose();
      }}
    >
      <div class="card-head">
        <h2 id="opened" ref={heading} tabIndex={-1}>
          {number > 1 ? centred(number, where) : picked.domain ? shownDomain(picked.domain) : 'A domain'}
        </h2>
        <button type="button" class="quiet" onClick={onClose}>
          Close
        </button>
      </div>
      {number === 1 ? (
        <>
          <p class="muted">
            {sentence(where)}, by its newest visitor's address.
            {picked.updatedAt && ` Last hit ${ago(picked.updatedAt, now)}.`}
          </p>
          {picked.domain && <Hits domain={picked.domain} chosen={chosen} />}
        </>
      ) : (
        <Content of={leaves} what="The domains of this cluster" lines={8}>
          {(rows) => (
            <>
              <ul class="rows">
                {rows.map((leaf) => (
                  <li key={leaf.domain}>
                    <button type="button" class="row" onClick={() => onGo(leaf)} title={leaf.domain}>
                      <span class="label">{shownDomain(leaf.domain)}</span>
                      <span class="value muted small">{since(leaf.updatedAt, now)}</span>
                    </button>
                  </li>
                ))}
              </ul>
              <More of={leaves} what="Show more" quiet />
            </>
          )}
        </Content>
      )}
    </section>
  );
}

const lineDays = 30;
const mostActions = 4;

/** A domain's hits in the chosen time and in 30 days. Actions are counted for all domains together. */
function Hits({ domain, chosen: { from, to, words } }: { domain: string; chosen: Chosen }) {
  const now = useNow();
  const [first, last] = [utcDay(now, lineDays - 1), utcDay(now)];
  const loaded = useLoad(`${domain} ${last} ${from} ${to}`, async (signal) => {
    const fresh = { signal, revalidate: true };
    const [own, all] = await Promise.all([
      get('/v1/hits', { by: 'domain', domain, from: first < from ? first : from, to: last, limit: 1000 }, fresh),
      get('/v1/hits', { by: 'action', from, to, limit: 1000 }, fresh),
    ]);
    const hits = new Map(own.items.map((row) => [row.day, row.hits]));
    const actions = new Map<string, number>();
    for (const { key, hits } of all.items) actions.set(key, (actions.get(key) ?? 0) + hits);
    return {
      chosen: own.items.reduce((sum, row) => (row.day >= from && row.day <= to ? sum + row.hits : sum), 0),
      days: Array.from({ length: lineDays }, (_, index) => utcDay(now, lineDays - 1 - index)).map((day) => ({
        day,
        hits: hits.get(day) ?? 0,
      })),
      actions: [...actions].sort(([a, more], [b, fewer]) => fewer - more || (a < b ? -1 : 1)),
    };
  });
  return (
    <Content of={loaded} what="The hits of this domain" lines={4}>
      {({ chosen, days, actions }) => {
        const total = actions.reduce((sum, [, hits]) => sum + hits, 0);
        return (
          <>
            <p class="figure">
              <strong>{compact(chosen)}</strong> {plural(chosen, 'hit').replace(/^\S+ /, '')} {words}
            </p>
            <Spark days={days} />
            {total > 0 && (
              <p class="small muted">
                Actions are counted for all domains together:{' '}
                {actions
                  .slice(0, mostActions)
                  .map(([action, hits]) => `${action} ${percent(hits / total)}`)
                  .join(', ')}
                {actions.length > mostActions && ` and ${actions.length - mostActions} more`}.
              </p>
            )}
          </>
        );
      }}
    </Content>
  );
}
