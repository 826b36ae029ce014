// /people: who pulls; /people?user= is one person's pulls and what they will want next.
import { useCallback, useEffect, useState } from 'preact/hooks';
import {
  get,
  type HistoryItem,
  items,
  type Person,
  type Pulls,
  type Recommendations,
  type ServiceError,
} from '../api.ts';
import { className, Mix } from '../charts/mix.tsx';
import { PullsOverTime } from '../charts/pulls.tsx';
import { Recommended } from '../charts/recommended.tsx';
import { ago, count, full, utcDay } from '../format.ts';
import { useEvery, useLoad, useNow, useQuery } from '../load.ts';
import { Content, Failed, ImageName, mount, Page, PersonName, Search } from '../shell.tsx';

/** How often a page that is seen asks for news. */
const refreshMs = 10_000;

function People({ search, onSearch }: { search: string; onSearch: (text: string) => void }) {
  const now = useNow();
  const people = useLoad(`users ${search}`, (signal) =>
    get<{ items: Person[] } | Person[]>('/v1/users', { search: search || undefined, limit: 100 }, { signal }).then(
      items,
    ),
  );
  useEvery(refreshMs, people.reload);
  return (
    <>
      <div class="head">
        <div>
          <h1>People</h1>
          <p>Who pulled from the registry, newest first. Open one for their history and what they may want next.</p>
        </div>
        <Search label="Search a name" value={search} onSearch={onSearch} />
      </div>
      <section class="card" aria-label="People">
        <Content of={people} what="The list of people" lines={8}>
          {(rows) =>
            rows.length === 0 ? (
              search ? (
                <div class="note">
                  <strong>Nobody's name contains "{search}".</strong>
                  <p>Names are as the registry reports them; a part of one is enough.</p>
                </div>
              ) : (
                <div class="note">
                  <strong>No pulls yet.</strong>
                  <p>
                    <code>docker pull {location.hostname}/you/app</code> will show here within seconds, once the
                    registry's notifications point here. <a href="/setup">How to</a>
                  </p>
                </div>
              )
            ) : (
              <div class="scroll">
                <table>
                  <thead>
                    <tr>
                      <th scope="col">Name</th>
                      <th scope="col" class="number">
                        Pulls
                      </th>
                      <th scope="col" class="number">
                        Last pull
                      </th>
                    </tr>
                  </thead>
                  <tbody>
                    {rows.map(({ user, pulls, lastPull }) => (
                      <tr key={user}>
                        <td class="name">
                          <PersonName user={user} />
                        </td>
                        <td class="number">{count(pulls)}</td>
                        <td class="number muted nowrap" title={full(lastPull)}>
                          {ago(lastPull, now)}
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
            )
          }
        </Content>
      </section>
    </>
  );
}

interface HistoryPage {
  items: HistoryItem[];
  cursor?: string;
}

function History({ user }: { user: string }) {
  const now = useNow();
  const first = useLoad(`history ${user}`, (signal) =>
    get<HistoryPage>('/v1/history', { user, limit: 20 }, { signal }),
  );
  const [more, setMore] = useState<HistoryPage[]>([]);
  // Older pages follow the first as it was: once they are there, it stays.
  const { reload } = first;
  const grown = more.length > 0;
  useEvery(
    refreshMs,
    useCallback(() => grown || reload(), [grown, reload]),
  );
  const [error, setError] = useState<ServiceError>();
  const [busy, setBusy] = useState(false);
  const { cursor } = more[more.length - 1] ?? first.data ?? {};
  const next = async () => {
    setBusy(true);
    setError(undefined);
    try {
      const page = await get<HistoryPage>('/v1/history', { user, limit: 50, cursor });
      setMore((pages) => [...pages, page]);
    } catch (cause) {
      setError(cause as ServiceError);
    }
    setBusy(false);
  };
  return (
    <section class="card" aria-labelledby="history">
      <div class="card-head">
        <h2 id="history">Pull history</h2>
      </div>
      <Content of={first} what="The history" lines={10}>
        {(page) => {
          const rows = [page, ...more].flatMap(({ items }) => items);
          if (rows.length === 0)
            return (
              <div class="note">
                <strong>No pulls by this name.</strong>
                <p>
                  Names are as the registry reports them. <a href="/people">Look for another</a>
                </p>
              </div>
            );
          return (
            <>
              <div class="scroll">
                <table>
                  <thead>
                    <tr>
                      <th scope="col">Image</th>
                      <th scope="col" class="phone-off">
                        By
                      </th>
                      <th scope="col" class="number">
                        When
                      </th>
                    </tr>
                  </thead>
                  <tbody>
                    {rows.map((pull) => (
                      <tr key={pull.id}>
                        <td class="name" title={pull.digest}>
                          <ImageName repository={pull.repository} tag={pull.tag ?? pull.digest?.slice(7, 19)} />
                        </td>
                        <td class="phone-off nowrap">
                          <span class="muted small">{pull.client}</span>{' '}
                          {pull.class !== 'human' && <span class="chip">{className(pull.class)}</span>}
                        </td>
                        <td class="number muted nowrap" title={full(pull.time)}>
                          {ago(pull.time, now)}
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
              {error && <Failed what="The rest of the history" error={error} retry={next} />}
              {cursor && !error && (
                <button type="button" class="button" style={{ marginTop: '16px' }} disabled={busy} onClick={next}>
                  {busy ? 'Loading' : 'Show older pulls'}
                </button>
              )}
            </>
          );
        }}
      </Content>
    </section>
  );
}

function OnePerson({ user }: { user: string }) {
  const now = useNow();
  useEffect(() => {
    document.title = `${user} - Whalewatch`;
  }, [user]);
  const recommended = useLoad(`recommendations ${user}`, (signal) =>
    get<Recommendations>('/v1/recommendations', { user, limit: 8 }, { signal }),
  );
  const byClass = useLoad(`class ${user}`, (signal) => get<Pulls>('/v1/pulls', { user, by: 'class' }, { signal }));
  const lately = useLoad(`lately ${user}`, (signal) =>
    get<Pulls>('/v1/pulls', { user, from: utcDay(Date.now(), 29), interval: 'day' }, { signal }),
  );
  useEvery(refreshMs, byClass.reload);
  useEvery(6 * refreshMs, recommended.reload);
  const model = recommended.data?.model;
  return (
    <>
      <div class="head">
        <div>
          <p class="crumb">
            <a href="/people">People</a>
          </p>
          <h1>{user}</h1>
        </div>
      </div>
      <div class="grid">
        <dl class="strip span-12">
          <div>
            <dt>Pulls</dt>
            <dd>{byClass.data ? count(byClass.data.total.pulls) : '–'}</dd>
          </div>
          <div>
            <dt>In the last 30 days</dt>
            <dd>{lately.data ? count(lately.data.total.pulls) : '–'}</dd>
          </div>
          <div>
            <dt>Registry events</dt>
            <dd>{byClass.data ? count(byClass.data.total.raw) : '–'}</dd>
          </div>
          <div>
            <dt>Pushes</dt>
            <dd>{byClass.data ? count(byClass.data.total.pushes) : '–'}</dd>
          </div>
        </dl>
        <div class="span-8 stack">
          <section class="card" aria-labelledby="recommended">
            <div class="card-head">
              <h2 id="recommended">Recommended</h2>
              {model && (
                <span class="muted small" title={full(model.trainedAt)}>
                  trained {ago(model.trainedAt, now)}
                </span>
              )}
            </div>
            <Content of={recommended} what="Recommendations" lines={8}>
              {({ items }) =>
                items.length === 0 ? (
                  <div class="note">
                    <strong>Nothing to recommend yet.</strong>
                    <p>There is no other image that somebody pulled. As soon as there is one, it shows here.</p>
                  </div>
                ) : (
                  <>
                    <p class="muted small">Best first; bars show how many others pulled it.</p>
                    <Recommended items={items} />
                  </>
                )
              }
            </Content>
          </section>
          <History key={user} user={user} />
        </div>
        <div class="span-4 stack">
          <section class="card" aria-labelledby="mix">
            <div class="card-head">
              <h2 id="mix">Pulled by</h2>
            </div>
            <Content of={byClass} what="The kinds of pulls" lines={4}>
              {({ buckets, total }) =>
                total.pulls === 0 ? (
                  <p class="muted">No pulls yet.</p>
                ) : (
                  <Mix
                    label="Pulls by kind of client"
                    parts={buckets.map(({ key = '', pulls }) => ({ name: className(key), number: pulls }))}
                  />
                )
              }
            </Content>
          </section>
          <section class="card" aria-labelledby="lately">
            <div class="card-head">
              <h2 id="lately">Last 30 days</h2>
            </div>
            <Content of={lately} what="Pulls of the last 30 days" lines={4}>
              {({ buckets, total }) =>
                total.raw === 0 ? (
                  <p class="muted">No pulls in the last 30 days.</p>
                ) : (
                  <PullsOverTime buckets={buckets} interval="day" from={utcDay(Date.now(), 29)} height={160} />
                )
              }
            </Content>
          </section>
        </div>
      </div>
    </>
  );
}

function PeoplePage() {
  const [query, change] = useQuery();
  const user = query.get('user');
  return (
    <Page here="/people">
      {user ? (
        <OnePerson user={user} />
      ) : (
        <People search={query.get('search') ?? ''} onSearch={(search) => change({ search: search || undefined })} />
      )}
    </Page>
  );
}

mount(<PeoplePage />);
