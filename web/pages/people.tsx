// /people: who pulls; /people?user= is one person's pulls and what they will want next.
import { useState } from 'preact/hooks';
import { get } from '../api.ts';
import { Content, Note } from '../card.tsx';
import { Search } from '../controls.tsx';
import { count } from '../format.ts';
import { useEvery, useLoad, useNow, useQuery } from '../load.ts';
import { mount, Page } from '../shell.tsx';
import { Ago, PersonName, Table } from '../table.tsx';
import { NoPulls } from './empty.tsx';
import { OnePerson } from './person.tsx';

/** How often a page that is seen asks for news. */
const refreshMs = 10_000;
/** The service's own most. */
const mostPeople = 1000;

function People({ search }: { search: string }) {
  const now = useNow();
  const [limit, setLimit] = useState(100);
  const people = useLoad(`users ${search} ${limit}`, (signal) =>
    get('/v1/users', { search: search || undefined, limit }, { signal }).then(({ items }) => items),
  );
  useEvery(refreshMs, people.reload);
  return (
    <section class="card" aria-label="People">
      <Content of={people} what="The list of people" lines={8}>
        {(rows) =>
          rows.length > 0 ? (
            <>
              <Table
                rows={rows}
                keyOf={({ user }) => user}
                columns={[
                  { head: 'Name', as: 'name', cell: ({ user }) => <PersonName user={user} /> },
                  { head: 'Pulls', as: 'number', cell: ({ pulls }) => count(pulls) },
                  { head: 'Last pull', as: 'when', cell: ({ lastPull }) => <Ago time={lastPull} now={now} /> },
                ]}
              />
              {rows.length === limit &&
                (limit < mostPeople ? (
                  <button type="button" class="button more" onClick={() => setLimit(mostPeople)}>
                    Show more
                  </button>
                ) : (
                  <Note title={`These are the newest ${count(mostPeople)}.`}>Search a name to find any other.</Note>
                ))}
            </>
          ) : search ? (
            <Note title={`Nobody's name contains "${search}".`}>
              Names are as the registry reports them; a part of one is enough.
            </Note>
          ) : (
            <NoPulls />
          )
        }
      </Content>
    </section>
  );
}

function PeoplePage() {
  const [query, change] = useQuery();
  const user = query.get('user');
  if (user) return <OnePerson key={user} user={user} />;
  const search = query.get('search') ?? '';
  return (
    <Page
      here="./people"
      title={<h1>People</h1>}
      lead="Who pulled from the registry, newest first. Open one for their history and what they may want next."
      aside={<Search label="Search a name" value={search} onSearch={(text) => change({ search: text || undefined })} />}
    >
      <People search={search} />
    </Page>
  );
}

mount(<PeoplePage />);
