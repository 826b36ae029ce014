// /repositories: what is pulled; /repositories?name= is one repository: how often really, by what, by whom.
import { useEffect, useState } from 'preact/hooks';
import { get, items, type Puller, type Pulls, type Repository, ServiceError } from '../api.ts';
import type { Interval } from '../charts/buckets.ts';
import { className } from '../charts/mix.tsx';
import { PullsOverTime } from '../charts/pulls.tsx';
import { Shares } from '../charts/shares.tsx';
import { Code } from '../code.tsx';
import { ago, count, full, percent, utcDay } from '../format.ts';
import { useEvery, useLoad, useNow, useQuery } from '../load.ts';
import { Content, ImageName, mount, Page, PersonName, Search, Segments } from '../shell.tsx';

type Sort = 'popular' | 'trending' | 'name';
const sorts = [
  ['popular', 'Popular'],
  ['trending', 'Trending'],
  ['name', 'By name'],
] as const satisfies readonly (readonly [Sort, string])[];
const lists = [...sorts, ['unused', 'Unused']] as const;

interface Unused {
  since: string;
  items: {
    repository: string;
    tag?: string;
    digest?: string;
    lastPush: string;
    lastPull: string | null;
    /** The registry call that would delete it. */
    dryRun: string;
  }[];
}

const daysUnused = [
  ['30', '30 days'],
  ['90', '90 days'],
  ['365', 'A year'],
] as const;

/** Pushed, and pulled by nobody but scanners since: what may go. */
function UnusedImages() {
  const now = useNow();
  const [days, setDays] = useState<(typeof daysUnused)[number][0]>('30');
  const loaded = useLoad(`unused ${days}`, (signal) => get<Unused>('/v1/unused', { days, limit: 200 }, { signal }));
  return (
    <>
      <div class="card-head">
        <p class="muted">Pushed, but pulled by nobody except scanners for this long. Nothing is deleted from here.</p>
        <Segments label="Unused for" value={days} options={daysUnused} onChange={setDays} />
      </div>
      <Content of={loaded} what="The list of unused images" lines={8}>
        {({ items }) =>
          items.length === 0 ? (
            <div class="note">
              <strong>Everything that was pushed was pulled.</strong>
              <p>Only images whose push Whalewatch saw can show here.</p>
            </div>
          ) : (
            <>
              <div class="scroll">
                <table>
                  <thead>
                    <tr>
                      <th scope="col">Image</th>
                      <th scope="col" class="number">
                        Pushed
                      </th>
                      <th scope="col" class="number phone-off">
                        Last pull
                      </th>
                    </tr>
                  </thead>
                  <tbody>
                    {items.map(({ repository, tag, digest, lastPush, lastPull }) => (
                      <tr key={`${repository}:${tag} ${digest}`}>
                        <td class="name" title={digest}>
                          <ImageName repository={repository} tag={tag ?? digest?.slice(7, 19)} />
                        </td>
                        <td class="number muted nowrap" title={full(lastPush)}>
                          {ago(lastPush, now)}
                        </td>
                        <td class="number muted nowrap phone-off" title={lastPull ? full(lastPull) : undefined}>
                          {lastPull ? ago(lastPull, now) : 'never'}
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
              <details class="dry-run">
                <summary>Registry calls that would delete them</summary>
                <Code
                  label="Registry calls that would delete the unused images"
                  text={items.map(({ dryRun }) => dryRun).join('\n')}
                />
              </details>
            </>
          )
        }
      </Content>
    </>
  );
}

function Repositories({
  query,
  change,
}: {
  query: URLSearchParams;
  change: (changes: Record<string, string | undefined>) => void;
}) {
  const now = useNow();
  const search = query.get('search') ?? '';
  const unused = query.get('sort') === 'unused';
  const sort = sorts.find(([name]) => name === query.get('sort'))?.[0] ?? 'popular';
  const [limit, setLimit] = useState(50);
  const loaded = useLoad(unused ? null : `${sort} ${search} ${limit}`, (signal) =>
    get<Repository[] | { items: Repository[] }>(
      '/v1/repositories',
      { sort, search: search || undefined, limit },
      { signal },
    ).then(items),
  );
  useEvery(10_000, loaded.reload);
  return (
    <>
      <div class="head">
        <div>
          <h1>Repositories</h1>
          <p>
            One pull makes up to nine registry events. Pulls are what people and machines did; events are what the
            registry sent.
          </p>
        </div>
        {!unused && (
          <Search
            label="Search a repository"
            value={search}
            onSearch={(text) => change({ search: text || undefined })}
          />
        )}
      </div>
      <section class="card" aria-label="Repositories">
        <div class="card-head">
          <Segments
            label="Which repositories"
            value={unused ? 'unused' : sort}
            options={lists}
            onChange={(next) => change({ sort: next })}
          />
        </div>
        {unused && <UnusedImages />}
        {!unused && (
          <Content of={loaded} what="The list of repositories" lines={8}>
            {(rows) =>
              rows.length === 0 ? (
                <div class="note">
                  <strong>{search ? `No repository's name contains "${search}".` : 'No pulls yet.'}</strong>
                  <p>
                    {search ? (
                      'A part of the name is enough; tags are not searched.'
                    ) : (
                      <>
                        <code>docker pull {location.hostname}/you/app</code> will show here within seconds, once the
                        registry's notifications point here. <a href="/setup">How to</a>
                      </>
                    )}
                  </p>
                </div>
              ) : (
                <>
                  <div class="scroll">
                    <table>
                      <thead>
                        <tr>
                          <th scope="col">Repository</th>
                          <th scope="col" class="number">
                            Pulls
                          </th>
                          <th scope="col" class="number phone-off">
                            Registry events
                          </th>
                          <th scope="col" class="number phone-off">
                            People
                          </th>
                          <th scope="col" class="number">
                            Last pull
                          </th>
                        </tr>
                      </thead>
                      <tbody>
                        {rows.map(({ repository, pulls, raw, pulledBy, lastPull }) => (
                          <tr key={repository}>
                            <td class="name">
                              <ImageName repository={repository} />
                            </td>
                            <td class="number">{count(pulls)}</td>
                            <td class="number muted phone-off">{count(raw)}</td>
                            <td class="number phone-off">{count(pulledBy)}</td>
                            <td class="number muted nowrap" title={lastPull ? full(lastPull) : undefined}>
                              {lastPull ? ago(lastPull, now) : 'never'}
                            </td>
                          </tr>
                        ))}
                      </tbody>
                    </table>
                  </div>
                  {rows.length === limit && (
                    <button
                      type="button"
                      class="button"
                      style={{ marginTop: '16px' }}
                      onClick={() => setLimit(limit * 4)}
                    >
                      Show more
                    </button>
                  )}
                </>
              )
            }
          </Content>
        )}
      </section>
    </>
  );
}

const intervals = [
  ['day', 'Days'],
  ['week', 'Weeks'],
  ['month', 'Months'],
] as const;
const daysBack: Record<Interval, number> = { day: 29, week: 181, month: 364 };

const splits = [
  ['tag', 'Tag'],
  ['class', 'Kind'],
  ['country', 'Country'],
  ['client', 'Client'],
] as const;
type Split = (typeof splits)[number][0];

const countries = new Intl.DisplayNames('en', { type: 'region' });
function keyName(split: Split, key: string): string {
  if (key === '') return 'unknown';
  if (split === 'class') return className(key);
  if (split === 'country' && /^[A-Z]{2}$/i.test(key)) return countries.of(key.toUpperCase()) ?? key;
  return key;
}

interface Similar {
  repository: string;
  /** Cosine of the model's factors, at most 1. */
  similarity: number;
}

/** A repository that the model does not know yet is answered with 404: none is similar so far. */
async function readSimilar(repository: string, signal: AbortSignal): Promise<Similar[]> {
  try {
    const { items } = await get<{ items: Similar[] }>('/v1/similar', { repository, limit: 8 }, { signal });
    return items.filter(({ similarity }) => similarity > 0);
  } catch (cause) {
    if (cause instanceof ServiceError && cause.status === 404) return [];
    throw cause;
  }
}

function OneRepository({ repository }: { repository: string }) {
  const now = useNow();
  const [interval, setInterval] = useState<Interval>('day');
  const [split, setSplit] = useState<Split>('tag');
  useEffect(() => {
    document.title = `${repository} - Whalewatch`;
  }, [repository]);
  const all = useLoad(`all ${repository} ${split}`, (signal) =>
    get<Pulls>('/v1/pulls', { repository, by: split }, { signal }),
  );
  const lately = useLoad(`${interval} ${repository}`, (signal) =>
    get<Pulls>('/v1/pulls', { repository, interval, from: utcDay(Date.now(), daysBack[interval]) }, { signal }),
  );
  const pullers = useLoad(`pullers ${repository}`, (signal) =>
    get<{ items: Puller[] } | Puller[]>('/v1/pullers', { repository, limit: 20 }, { signal }).then(items),
  );
  const similar = useLoad(`similar ${repository}`, (signal) => readSimilar(repository, signal));
  const total = all.data?.total;
  const stat = (number: number | undefined) => (number === undefined ? '–' : count(number));
  return (
    <>
      <div class="head">
        <div>
          <p class="crumb">
            <a href="/repositories">Repositories</a>
          </p>
          <h1 class="image">{repository}</h1>
        </div>
      </div>
      <div class="grid">
        <dl class="strip span-12">
          <div>
            <dt>Pulls</dt>
            <dd>{stat(total?.pulls)}</dd>
          </div>
          <div>
            <dt>Registry events</dt>
            <dd>{stat(total?.raw)}</dd>
          </div>
          <div>
            <dt>Events a pull</dt>
            <dd>{total?.pulls ? (total.raw / total.pulls).toFixed(1) : '–'}</dd>
          </div>
          <div>
            <dt>Pushes</dt>
            <dd>{stat(total?.pushes)}</dd>
          </div>
        </dl>
        <section class="card span-8" aria-labelledby="over-time">
          <div class="card-head">
            <h2 id="over-time">Pulls over time</h2>
            <Segments label="Interval" value={interval} options={intervals} onChange={setInterval} />
          </div>
          <Content of={lately} what="Pulls over time" lines={6}>
            {({ buckets }) =>
              buckets.length === 0 ? (
                <div class="note">
                  <strong>No pulls in this time.</strong>
                  <p>Choose weeks or months to look further back.</p>
                </div>
              ) : (
                <PullsOverTime
                  buckets={buckets}
                  interval={interval}
                  from={interval === 'day' ? utcDay(Date.now(), daysBack.day) : undefined}
                />
              )
            }
          </Content>
        </section>
        <section class="card span-4" aria-labelledby="split">
          <div class="card-head">
            <h2 id="split">By</h2>
            <Segments label="Pulls by" value={split} options={splits} onChange={setSplit} />
          </div>
          <Content of={all} what="The split" lines={6}>
            {({ buckets }) =>
              buckets.length === 0 ? (
                <p class="muted">No pulls yet.</p>
              ) : (
                <Shares
                  rows={buckets
                    .filter(({ pulls }) => pulls > 0)
                    .toSorted((a, b) => b.pulls - a.pulls)
                    .slice(0, 7)
                    .map(({ key = '', pulls }) => ({
                      key,
                      label: split === 'tag' ? <span class="mono">{key || 'by digest'}</span> : keyName(split, key),
                      number: pulls,
                    }))}
                />
              )
            }
          </Content>
        </section>
        <section class="card span-7" aria-labelledby="pullers">
          <div class="card-head">
            <h2 id="pullers">Who pulled it</h2>
          </div>
          <Content of={pullers} what="The list of people" lines={6}>
            {(rows) =>
              rows.length === 0 ? (
                <p class="muted">Nobody with a name yet.</p>
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
        <section class="card span-5" aria-labelledby="similar">
          <div class="card-head">
            <h2 id="similar">Pulled by the same people</h2>
          </div>
          <Content of={similar} what="Similar repositories" lines={6}>
            {(rows) =>
              rows.length === 0 ? (
                <p class="muted">Known after the next training, once several people pulled it.</p>
              ) : (
                <Shares
                  rows={rows.map(({ repository, similarity }) => ({
                    key: repository,
                    label: <span class="mono">{repository}</span>,
                    number: similarity,
                    value: <span class="muted small">{percent(similarity)}</span>,
                    href: `/repositories?name=${encodeURIComponent(repository)}`,
                  }))}
                />
              )
            }
          </Content>
        </section>
      </div>
    </>
  );
}

function RepositoriesPage() {
  const [query, change] = useQuery();
  const name = query.get('name');
  return (
    <Page here="/repositories">
      {name ? <OneRepository repository={name} /> : <Repositories query={query} change={change} />}
    </Page>
  );
}

mount(<RepositoriesPage />);
