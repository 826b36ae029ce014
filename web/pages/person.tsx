// One person: what they pulled, what they will want next, and the way to forget them.

import { useCallback, useEffect, useState } from 'preact/hooks';
import { taughtClasses } from '#core/event.ts';
import { change, get } from '../api.ts';
import { OverTime } from '../charts/over-time.tsx';
import { Recommended } from '../charts/recommended.tsx';
import { DataCard, More, Note, Strip } from '../components/card.tsx';
import { Acts, Confirmed } from '../components/controls.tsx';
import { Csv, Days, type Range } from '../components/csv.tsx';
import { Page } from '../components/shell.tsx';
import { Ago, ImageName, Table } from '../components/table.tsx';
import { useEvery, useLoad, useNow, usePages } from '../load.ts';
import { count, plural, utcDay } from '../text/format.ts';
import { className } from '../text/kinds.ts';
import { OutdatedImages } from './outdated.tsx';

/** Milliseconds between two requests while the page is visible. */
const refreshMs = 10_000;
/** As many as there are recommendations beside them. */
const newestPulls = 8;

function History({ user, range, span }: { user: string; range: Range; span: 5 | 12 }) {
  const now = useNow();
  const asked = { user, ...range };
  const pulls = usePages(`history ${JSON.stringify(asked)}`, (cursor, signal) =>
    get('/v1/history', { ...asked, limit: cursor ? 50 : newestPulls, cursor }, { signal }),
  );
  const { reload, grown } = pulls;
  useEvery(
    refreshMs,
    useCallback(() => grown || reload(), [grown, reload]),
  );
  return (
    <DataCard
      id="history"
      title="Newest pulls"
      span={span}
      aside={<Csv path="/v1/history" parameters={{ ...asked, limit: 1000 }} name="pulls" />}
      of={pulls}
      what="The history"
      lines={20}
    >
      {(rows) =>
        rows.length === 0 ? (
          <p class="muted">No pulls{range.from || range.to ? ' in this time' : ' yet'}.</p>
        ) : (
          <>
            <Table
              rows={rows}
              keyOf={({ id }) => id}
              columns={[
                {
                  head: 'Image',
                  as: 'name',
                  cell: (pull) => (
                    <>
                      <ImageName {...pull} />
                      <span class="under">
                        {[pull.client, pull.class !== 'human' && className(pull.class)].filter(Boolean).join(', ')}
                      </span>
                    </>
                  ),
                },
                { head: 'When', as: 'when', cell: ({ time }) => <Ago time={time} now={now} /> },
              ]}
            />
            <More of={pulls} what="Show older pulls" />
          </>
        )
      }
    </DataCard>
  );
}

function Wanted({ user, known }: { user: string; known: boolean }) {
  const now = useNow();
  const recommended = useLoad(`recommendations ${user}`, (signal) =>
    get('/v1/recommendations', { user, limit: 8 }, { signal }),
  );
  useEvery(6 * refreshMs, recommended.reload);
  const model = recommended.data?.model;
  return (
    <DataCard
      id="recommended"
      title={known ? 'Recommended' : 'Recommended to newcomers'}
      span={known ? 7 : 12}
      aside={
        known &&
        model && (
          <span class="muted small">
            trained <Ago time={model.trainedAt} now={now} />
          </span>
        )
      }
      of={recommended}
      what="Recommendations"
      lines={19}
    >
      {({ items, note }) =>
        items.length === 0 ? (
          <Note title="Nothing to recommend yet.">
            No other repository has been pulled yet. As soon as one is, it shows here.
          </Note>
        ) : (
          <>
            <p class="muted small lead">
              {known ? (note ?? 'Best match first: the longer the bar, the better it matches.') : 'Most pulled first.'}
            </p>
            <Recommended items={items} />
          </>
        )
      }
    </DataCard>
  );
}

function Forget({ user, onDone }: { user: string; onDone: (rows: number) => void }) {
  return (
    <Acts>
      <Confirmed
        button="Forget this person"
        danger
        title={`Forget ${user}?`}
        sure={`Forget ${user}`}
        typed={user}
        act={async () => onDone((await change('DELETE', '/v1/users', { user })).rows)}
      >
        Their history, the alerts about them and the quarantined events that name them are deleted; the next training
        learns without them. This can’t be undone. A pull that comes in later starts a new history.
      </Confirmed>
    </Acts>
  );
}

function Forgotten({ user, rows }: { user: string; rows: number }) {
  return (
    <section class="card" role="status">
      <Note title={`${user} is forgotten.`}>
        {rows === 0 ? 'There was nothing kept under that name.' : `${plural(rows, 'row')} were deleted.`}{' '}
        <a href="./people">Back to the people</a>
      </Note>
    </section>
  );
}

export function OnePerson({ user, range, onRange }: { user: string; range: Range; onRange: (range: Range) => void }) {
  const [forgotten, setForgotten] = useState<number>();
  const [known, setKnown] = useState(true);
  useEffect(() => {
    document.title = `${user} - Whalewatch`;
  }, [user]);
  return (
    <Page
      here="./people"
      needs="user"
      title={<h1>{user}</h1>}
      crumb={{ href: './people', name: 'People' }}
      aside={
        known &&
        forgotten === undefined && (
          <>
            <Days value={range} onChange={onRange} />
            <Forget user={user} onDone={setForgotten} />
          </>
        )
      }
    >
      {forgotten === undefined ? (
        <Person user={user} range={range} onKnown={setKnown} />
      ) : (
        <Forgotten user={user} rows={forgotten} />
      )}
    </Page>
  );
}

function Person({ user, range, onKnown }: { user: string; range: Range; onKnown: (known: boolean) => void }) {
  const byClass = useLoad(`class ${user} ${JSON.stringify(range)}`, (signal) =>
    get('/v1/pulls', { user, ...range, by: 'class' }, { signal }),
  );
  const lately = useLoad(`lately ${user}`, (signal) =>
    get('/v1/pulls', { user, from: utcDay(Date.now(), 29) }, { signal }),
  );
  useEvery(refreshMs, byClass.reload);
  useEvery(refreshMs, lately.reload);
  const total = byClass.data?.total;
  const isOpen = !range.from && !range.to;
  const isNobody = total && isOpen && total.raw + total.pulls + total.pushes === 0;
  useEffect(() => {
    if (total) onKnown(!isNobody);
  }, [total, isNobody, onKnown]);
  if (isNobody)
    return (
      <div class="grid">
        <section class="card">
          <Note title="Nothing is known of this name.">
            No pull or push came from it. Names are as the registry reports them.{' '}
            <a href="./people">Look for another</a>
          </Note>
        </section>
        <Wanted user={user} known={false} />
      </div>
    );
  // Models don't learn from what scanners and builds fetch, and nothing is recommended to them.
  const isTaught = !byClass.data || byClass.data.buckets.some(({ key, pulls }) => pulls > 0 && isTaughtClass(key));
  return (
    <div class="grid">
      <Strip
        of={{
          Pulls: total && count(total.pulls),
          'In the last 30 days': lately.data && count(lately.data.total.pulls),
          'Registry events': total && count(total.raw),
          Pushes: total && count(total.pushes),
        }}
      />
      <OverTime of={{ user }} range={range} first="all" />
      <OutdatedImages of={{ user }} />
      {(isTaught || !isOpen) && <Wanted user={user} known />}
      <History user={user} range={range} span={isTaught || !isOpen ? 5 : 12} />
    </div>
  );
}

const isTaughtClass = (key = '') => (taughtClasses as string[]).includes(key);
