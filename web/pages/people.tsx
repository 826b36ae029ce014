// /people: who pulls; /people?user= is one user's pulls and what they will want next.
import { useState } from 'preact/hooks';
import { get, type Reply } from '../api.ts';
import { Content, Note } from '../components/card.tsx';
import { Search, Segments } from '../components/controls.tsx';
import { Csv } from '../components/csv.tsx';
import { mount, Page } from '../components/shell.tsx';
import { Spark } from '../components/spark.tsx';
import { Ago, PersonName, Table } from '../components/table.tsx';
import { useEvery, useLoad, useNow, useQuery } from '../load.ts';
import { count } from '../text/format.ts';
import { kindName } from '../text/kinds.ts';
import { NoPulls } from './empty.tsx';
import { OnePerson } from './person.tsx';

/** Milliseconds between two requests while the page is visible. */
const refreshMs = 10_000;
/** The most that the service returns. */
const mostPeople = 1000;

const kinds = [
  ['human', 'People'],
  ['ci', 'CI jobs'],
  ['cluster', 'Clusters'],
  ['scanner', 'Scanners'],
  ['all', 'All'],
] as const;
type Kind = (typeof kinds)[number][0];
const sorts = [
  ['recent', 'Newest pull'],
  ['pulls', 'Most pulls'],
  ['new', 'New'],
  ['name', 'Name'],
] as const;
type Sort = (typeof sorts)[number][0];

interface Listed {
  search: string;
  kind: Kind;
  sort: Sort;
}

const dayMs = 86_400_000;
type User = Reply<'/v1/users'>['items'][number];

/** Notes beside a name. */
function Chips({ user, now, showKind }: { user: User; now: number; showKind: boolean }) {
  const isNew = now - Date.parse(user.firstPull) < 7 * dayMs;
  const isIdle = now - Date.parse(user.lastPull) > 30 * dayMs;
  return (
    <>
      {showKind && user.kind !== 'human' && <span class="chip">{kindName(user.kind)}</span>}
      {isNew && <span class="chip current">new</span>}
      {isIdle && <span class="chip">idle</span>}
    </>
  );
}

function People({ search, kind, sort }: Listed) {
  const now = useNow();
  const [limit, setLimit] = useState(100);
  const asked = { search: search || undefined, kind: kind === 'all' ? undefined : kind, sort };
  const people = useLoad(`users ${search} ${kind} ${sort} ${limit}`, (signal) =>
    get('/v1/users', { ...asked, limit }, { signal }).then(({ items }) => items),
  );
  useEvery(refreshMs, people.reload);
  return (
    <Content of={people} what="The list of people" lines={8}>
      {(rows) =>
        rows.length > 0 ? (
          <>
            <Table
              rows={rows}
              keyOf={({ user }) => user}
              columns={[
                {
                  head: 'Name',
                  as: 'name',
                  cell: (row) => (
                    <span class="named">
                      <PersonName user={row.user} />
                      <Chips user={row} now={now} showKind={kind === 'all'} />
                    </span>
                  ),
                },
                { head: 'Last 30 days', as: 'text', wide: true, cell: ({ days }) => <Spark days={days} /> },
                { head: 'Pulls', as: 'number', cell: ({ pulls }) => count(pulls) },
                {
                  head: 'First pull',
                  as: 'when',
                  wide: true,
                  cell: ({ firstPull }) => <Ago time={firstPull} now={now} />,
                },
                { head: 'Last pull', as: 'when', cell: ({ lastPull }) => <Ago time={lastPull} now={now} /> },
              ]}
            />
            <div class="foot">
              {rows.length === limit && limit < mostPeople && (
                <button type="button" class="button" onClick={() => setLimit(mostPeople)}>
                  Show more
                </button>
              )}
              {rows.length === limit && limit === mostPeople && (
                <span class="muted">The first {count(mostPeople)}: search a name to find any other.</span>
              )}
              <Csv path="/v1/users" parameters={{ ...asked, limit: mostPeople }} name="users" />
            </div>
          </>
        ) : search ? (
          <Note title={`No name${kind === 'all' ? '' : ' of this kind'} contains "${search}".`}>
            Names are as the registry reports them; a part of one is enough.
            {kind !== 'all' && ' Look among all kinds of accounts, too.'}
          </Note>
        ) : kind === 'human' || kind === 'all' ? (
          <NoPulls />
        ) : (
          <Note title="None yet.">
            An account counts as a machine's by the form of its name, or by its client. Your own rules go into{' '}
            <code>classRules</code> of the settings.
          </Note>
        )
      }
    </Content>
  );
}

function PeoplePage() {
  const [query, change] = useQuery();
  const user = query.get('user');
  if (user)
    return (
      <OnePerson
        key={user}
        user={user}
        range={{ from: query.get('from') ?? undefined, to: query.get('to') ?? undefined }}
        onRange={({ from, to }) => change({ from, to })}
      />
    );
  const search = query.get('search') ?? '';
  const kind = kinds.find(([name]) => name === query.get('kind'))?.[0] ?? 'human';
  const sort = sorts.find(([name]) => name === query.get('sort'))?.[0] ?? 'recent';
  return (
    <Page
      here="./people"
      needs="team"
      title={<h1>People</h1>}
      lead="Who pulled from the registry. Open one for their history and what they may want next."
      aside={<Search label="Search a name" value={search} onSearch={(text) => change({ search: text || undefined })} />}
    >
      <section class="card" aria-label="People">
        <div class="card-head">
          <Segments
            label="Kind of account"
            value={kind}
            options={kinds}
            onChange={(next) => change({ kind: next === 'human' ? undefined : next })}
          />
          <Segments
            label="Order"
            value={sort}
            options={sorts}
            onChange={(next) => change({ sort: next === 'recent' ? undefined : next })}
          />
        </div>
        <People key={`${kind} ${sort} ${search}`} search={search} kind={kind} sort={sort} />
      </section>
    </Page>
  );
}

mount(<PeoplePage />);
