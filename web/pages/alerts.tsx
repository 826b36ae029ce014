// /alerts: what the rules of the configuration sent.
import { useCallback, useEffect } from 'preact/hooks';
import { chosenRegistry, get } from '../api.ts';
import { alertsSeen } from '../components/bell.tsx';
import { Content, More, Note } from '../components/card.tsx';
import { Code } from '../components/code.tsx';
import { Csv } from '../components/csv.tsx';
import { mount, Page } from '../components/shell.tsx';
import { Ago, Name, PersonName, repositoryPage, Table } from '../components/table.tsx';
import { useEvery, useNow, usePages } from '../load.ts';

const everyMs = 10_000;
/** The most that the service returns. */
const mostRows = 200;

const example = `rules: [
  { name: 'new image', when: 'pushed', repository: 'team/*' },
  { name: 'new people', when: 'first-pull' },
]`;

function Alerts() {
  const now = useNow();
  const pages = usePages('alerts', (cursor, signal) =>
    get('/v1/alerts', { limit: 50, cursor }, { signal, revalidate: true }),
  );
  const { data, reload, grown } = pages;
  useEvery(
    everyMs,
    useCallback(() => grown || reload(), [grown, reload]),
  );
  const newest = data?.[0]?.time;
  useEffect(() => {
    if (newest) alertsSeen(newest);
  }, [newest]);
  return (
    <Content of={pages} what="The alerts" lines={8}>
      {(rows) =>
        rows.length === 0 ? (
          <>
            <Note title="No alert yet.">
              Rules in <code>whalewatch.config.ts</code> say what sends one: a pushed image, somebody's first pull, the
              first hit from a country, or many hits a minute.
            </Note>
            <Code label="An example of rules" text={example} />
          </>
        ) : (
          <>
            <Table
              rows={rows}
              keyOf={({ id }) => id}
              columns={[
                {
                  head: 'What',
                  as: 'name',
                  cell: ({ text, data }) => (
                    <>
                      {text}
                      {(data?.repository || data?.user) && (
                        <span class="under">
                          {data.repository && (
                            <a href={repositoryPage(String(data.repository))}>
                              <Name of={String(data.repository)} />
                            </a>
                          )}
                          {data.repository && data.user && ' · '}
                          {data.user && <PersonName user={String(data.user)} />}
                        </span>
                      )}
                    </>
                  ),
                },
                { head: 'Rule', as: 'text', wide: true, cell: ({ rule }) => <span class="muted">{rule}</span> },
                { head: 'When', as: 'when', cell: ({ time }) => <Ago time={time} now={now} /> },
              ]}
            />
            <div class="foot">
              <More of={pages} what="Show older alerts" />
              <Csv path="/v1/alerts" parameters={{ registry: chosenRegistry(), limit: mostRows }} name="alerts" />
            </div>
          </>
        )
      }
    </Content>
  );
}

mount(
  <Page
    here="./alerts"
    needs="team"
    title={<h1>Alerts</h1>}
    lead="The alerts of your rules, newest first. Alerts are kept for 30 days."
  >
    <section class="card" aria-label="Alerts">
      <Alerts />
    </section>
  </Page>,
);
