// /repositories: what is pulled; /repositories?name= is one repository: its real pulls, by which clients and by whom.
import { useState } from 'preact/hooks';
import { get } from '../api.ts';
import { Content, Note } from '../components/card.tsx';
import { Search, Segments } from '../components/controls.tsx';
import { Csv, type Range } from '../components/csv.tsx';
import { mount, Page } from '../components/shell.tsx';
import { Ago, ImageName, Table } from '../components/table.tsx';
import { useEvery, useLoad, useNow, useQuery } from '../load.ts';
import { count } from '../text/format.ts';
import { NoPulls } from './empty.tsx';
import { OneRepository } from './repository.tsx';
import { UnusedImages } from './unused.tsx';
import { digestIn, WhoPulled } from './who-pulled.tsx';

type Sort = 'popular' | 'trending' | 'name';
const sorts = [
  ['popular', 'Popular'],
  ['trending', 'Trending'],
  ['name', 'By name'],
] as const satisfies readonly (readonly [Sort, string])[];
const lists = [...sorts, ['unused', 'Unused']] as const;
/** The most that the service returns. */
const mostRows = 10_000;

function Ranked({ sort, search }: { sort: Sort; search: string }) {
  const now = useNow();
  const [limit, setLimit] = useState(50);
  const loaded = useLoad(`${sort} ${search} ${limit}`, (signal) =>
    get('/v1/repositories', { sort, search: search || undefined, limit }, { signal }),
  );
  useEvery(10_000, loaded.reload);
  return (
    <Content of={loaded} what="The list of repositories" lines={8}>
      {(rows) =>
        rows.length > 0 ? (
          <>
            <Table
              rows={rows}
              keyOf={({ repository, registry = '' }) => `${registry} ${repository}`}
              columns={[
                {
                  head: 'Repository',
                  as: 'name',
                  cell: ({ repository, registry }) => <ImageName repository={repository} registry={registry} />,
                },
                { head: 'Pulls', as: 'number', cell: ({ pulls }) => count(pulls) },
                {
                  head: 'Registry events',
                  as: 'number',
                  wide: true,
                  cell: ({ raw }) => <span class="muted">{count(raw)}</span>,
                },
                { head: 'Pulled by', as: 'number', wide: true, cell: ({ pulledBy }) => count(pulledBy) },
                {
                  head: 'Last pull',
                  as: 'when',
                  cell: ({ lastPull }) => (lastPull ? <Ago time={lastPull} now={now} /> : 'never'),
                },
              ]}
            />
            <div class="foot">
              {rows.length === limit && limit < mostRows && (
                <button type="button" class="button" onClick={() => setLimit(Math.min(mostRows, limit * 4))}>
                  Show more
                </button>
              )}
              <Csv
                path="/v1/repositories"
                parameters={{ sort, search: search || undefined, limit: mostRows }}
                name="repositories"
              />
            </div>
          </>
        ) : search ? (
          <Note title={`No repository's name contains "${search}".`}>
            A part of the name is enough; tags are not searched. A whole digest finds who pulled it.
          </Note>
        ) : (
          <NoPulls />
        )
      }
    </Content>
  );
}

function RepositoriesPage() {
  const [query, change] = useQuery();
  const name = query.get('name');
  const range = { from: query.get('from') ?? undefined, to: query.get('to') ?? undefined };
  const onRange = ({ from, to }: Range) => change({ from, to });
  if (name) return <OneRepository key={name} repository={name} range={range} onRange={onRange} />;
  const digest = digestIn(query.get('digest') ?? '');
  if (digest) return <WhoPulled digest={digest} range={range} onRange={onRange} />;
  const search = query.get('search') ?? '';
  const unused = query.get('sort') === 'unused';
  const sort = sorts.find(([name]) => name === query.get('sort'))?.[0] ?? 'popular';
  return (
    <Page
      here="./repositories"
      needs="team"
      title={<h1>Repositories</h1>}
      lead='One pull makes up to nine registry events. Pulls are what people and machines did; events are what the registry sent; "Pulled by" counts every name, scanners too.'
      aside={
        <>
          <a class="button" href="./stack">
            Complete my stack
          </a>
          {!unused && (
            <Search
              label="Search a repository or a digest"
              value={search}
              onSearch={(text) => {
                const digest = digestIn(text);
                change(digest ? { digest, search: undefined } : { search: text || undefined });
              }}
            />
          )}
        </>
      }
    >
      <section class="card" aria-label="Repositories">
        <div class="card-head">
          <Segments
            label="Which repositories"
            value={unused ? 'unused' : sort}
            options={lists}
            onChange={(next) => change({ sort: next })}
          />
        </div>
        {unused ? <UnusedImages /> : <Ranked sort={sort} search={search} />}
      </section>
    </Page>
  );
}

mount(<RepositoriesPage />);
