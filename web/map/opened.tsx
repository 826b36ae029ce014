// What a click opened: one domain, or the domains of a cluster, newest first.
import { useEffect, useRef } from 'preact/hooks';
import { get, type Leaf, ServiceError } from '../api.ts';
import { Content, More } from '../components/card.tsx';
import { useNow, usePages } from '../load.ts';
import { shownDomain } from '../text/domain.ts';
import { ago, since } from '../text/format.ts';
import { around, useNames } from './around.ts';
import type { Picked } from './view.ts';

const leavesAPage = 100;
const sentence = (text: string) => `${text[0].toUpperCase()}${text.slice(1)}`;

export interface Opening extends Picked {
  /** The snapshot and the filter that the cluster's id came from. */
  snapshot?: string;
  hours?: number;
}

export function Opened({
  picked,
  onClose,
  onGo,
}: {
  picked: Opening;
  onClose: () => void;
  onGo: (leaf: Leaf) => void;
}) {
  const now = useNow();
  const nameOf = useNames();
  const heading = useRef<HTMLHeadingElement>(null);
  const number = picked.point_count ?? 1;
  const where = nameOf(picked.lat, picked.lon);
  const { id, snapshot, hours } = picked;
  const leaves = usePages(number > 1 ? `${snapshot} ${id} ${hours}` : null, async (cursor = '0', signal) => {
    const offset = Number(cursor);
    const query = { cluster: id, snapshot, hours, limit: leavesAPage, offset };
    const { items } = await get('/v1/clusters/leaves', query, { signal }).catch((cause) => {
      // Only the newest few snapshots are kept, and an id holds in its own.
      if (!(cause instanceof ServiceError) || cause.status !== 404) throw cause;
      throw new ServiceError(404, 'The map has moved on since. Close this list and choose the cluster again.');
    });
    const read = offset + items.length;
    return { items, cursor: items.length > 0 && read < number ? String(read) : undefined };
  });
  // Each new pick moves the reader to its heading.
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
          {number > 1 ? around(number, where) : shownDomain(picked.domain)}
        </h2>
        <button type="button" class="quiet" onClick={onClose}>
          Close
        </button>
      </div>
      {number === 1 ? (
        <p class="muted">
          {sentence(where)}
          {picked.updatedAt && `, last hit ${ago(picked.updatedAt, now)}`}.
        </p>
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
