// One repository: how often it is pulled really, by what, by whom, and what goes with it.
import { useEffect, useState } from 'preact/hooks';
import { get, type Pulls, type Reply, ServiceError } from '../api.ts';
import { DataCard, Strip } from '../card.tsx';
import { className, kindName } from '../charts/mix.tsx';
import { OverTime } from '../charts/over-time.tsx';
import { Shares } from '../charts/shares.tsx';
import { Segments } from '../controls.tsx';
import { countryName } from '../country.ts';
import { Csv, Days, type Range } from '../csv.tsx';
import { count, percent } from '../format.ts';
import { useEvery, useLoad, useNow } from '../load.ts';
import { Page } from '../shell.tsx';
import { Ago, Name, PersonName, repositoryPage, Table } from '../table.tsx';
import { OutdatedImages } from './outdated.tsx';

/** How often a page that is seen asks for news. */
const refreshMs = 10_000;

const splits = [
  ['tag', 'Tag'],
  ['class', 'Kind'],
  ['country', 'Country'],
  ['client', 'Client'],
] as const;
type Split = (typeof splits)[number][0];

function keyName(split: Split, key: string): string {
  if (key === '') return 'unknown';
  if (split === 'class') return className(key);
  return split === 'country' ? countryName(key) : key;
}

function Pullers({ repository }: { repository: string }) {
  const now = useNow();
  const [range, setRange] = useState<Range>({});
  const asked = { repository, ...range };
  const pullers = useLoad(`pullers ${JSON.stringify(asked)}`, (signal) =>
    get('/v1/pullers', { ...asked, limit: 20 }, { signal }).then(({ items }) => items),
  );
  useEvery(refreshMs, pullers.reload);
  return (
    <DataCard
      id="pullers"
      title="Who pulled it"
      span={7}
      aside={<Csv path="/v1/pullers" parameters={{ ...asked, limit: 10_000 }} name="pullers" />}
      of={pullers}
      what="The list of people"
      lines={6}
    >
      {(rows) => (
        <>
          <Days value={range} onChange={setRange} />
          {rows.length === 0 ? (
            <p class="muted">Nobody with a name{range.from || range.to ? ' in this time' : ' yet'}.</p>
          ) : (
            <Table
              rows={rows}
              keyOf={({ user }) => user}
              columns={[
                {
                  head: 'Name',
                  as: 'name',
                  cell: ({ user, class: kind }) => (
                    <span class="named">
                      <PersonName user={user} />
                      {kind !== 'human' && <span class="chip">{kindName(kind)}</span>}
                    </span>
                  ),
                },
                { head: 'Pulls', as: 'number', cell: ({ pulls }) => count(pulls) },
                { head: 'Last pull', as: 'when', cell: ({ lastPull }) => <Ago time={lastPull} now={now} /> },
              ]}
            />
          )}
        </>
      )}
    </DataCard>
  );
}

/** A repository that the model does not know yet is answered with 404: none is similar so far. */
async function readSimilar(repository: string, signal: AbortSignal): Promise<Reply<'/v1/similar'>['items']> {
  try {
    const { items } = await get('/v1/similar', { repository, limit: 8 }, { signal });
    return items.filter(({ similarity }) => similarity > 0);
  } catch (cause) {
    if (cause instanceof ServiceError && cause.status === 404) return [];
    throw cause;
  }
}

function SimilarOnes({ repository }: { repository: string }) {
  const similar = useLoad(`similar ${repository}`, (signal) => readSimilar(repository, signal));
  return (
    <DataCard id="similar" title="Goes with it" span={5} of={similar} what="Similar repositories" lines={6}>
      {(rows) =>
        rows.length === 0 ? (
          <p class="muted">Known after the next training, once several people pulled it.</p>
        ) : (
          <>
            <p class="muted small lead">
              How alike the model finds them after learning who pulls what; it is no share of people.
            </p>
            <Shares
              rows={rows.map(({ repository, similarity }) => ({
                key: repository,
                label: (
                  <span class="mono">
                    <Name of={repository} />
                  </span>
                ),
                number: similarity,
                value: <span class="muted small">{percent(similarity)}</span>,
                href: repositoryPage(repository),
              }))}
            />
          </>
        )
      }
    </DataCard>
  );
}

export function OneRepository({ repository }: { repository: string }) {
  useEffect(() => {
    document.title = `${repository} - Whalewatch`;
  }, [repository]);
  return (
    <Page
      here="./repositories"
      title={
        <h1 class="image">
          <Name of={repository} />
        </h1>
      }
      crumb={{ href: './repositories', name: 'Repositories' }}
    >
      <Cards repository={repository} />
    </Page>
  );
}

function Cards({ repository }: { repository: string }) {
  const [split, setSplit] = useState<Split>('tag');
  const all = useLoad(`all ${repository} ${split}`, (signal) =>
    get('/v1/pulls', { repository, by: split }, { signal }),
  );
  useEvery(refreshMs, all.reload);
  // The sums are the same however they are split: they stay while the next split is on its way.
  const [total, setTotal] = useState<Pulls['total']>();
  useEffect(() => {
    if (all.data) setTotal(all.data.total);
  }, [all.data]);
  return (
    <div class="grid">
      <Strip
        of={{
          Pulls: total && count(total.pulls),
          'Registry events': total && count(total.raw),
          'Events a pull': total?.pulls ? (total.raw / total.pulls).toFixed(1) : undefined,
          Pushes: total && count(total.pushes),
        }}
      />
      <OverTime of={{ repository }} />
      <DataCard
        id="split"
        title="Pulls by"
        span={5}
        aside={<Segments label="Pulls by" value={split} options={splits} onChange={setSplit} />}
        of={all}
        what="The split"
        lines={6}
      >
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
      </DataCard>
      <OutdatedImages of={{ repository }} />
      <Pullers repository={repository} />
      <SimilarOnes repository={repository} />
    </div>
  );
}
