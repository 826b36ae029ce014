// /health: whether what comes in goes out again, and what was set aside on the way.
import { useCallback } from 'preact/hooks';
import { get, type Reply } from '../api.ts';
import { Card, Content, DataCard, More, Strip } from '../card.tsx';
import { count, percent, span } from '../format.ts';
import { useEvery, useLoad, useNow, usePages } from '../load.ts';
import { mount, Page } from '../shell.tsx';
import { Ago, Table } from '../table.tsx';
import { Model } from './model.tsx';

type Health = Reply<'/v1/health'>;
type Age = Health['points'];

const everyMs = 10_000;
/** Behind by more than this, a shard's dot is red. */
const slowSeconds = 60;

function State({ health, now }: { health: Health; now: number }) {
  const well = health.status === 'ok';
  const works = health.status !== 'unhealthy';
  const ages: [name: string, age: Age, missing: string][] = [
    ['Map', health.points, 'no hit yet'],
    ['Recommendations', health.model, 'not trained yet'],
    ['IP table', health.ipTable, 'unknown'],
  ];
  return (
    <>
      <section class={`card verdict ${health.status}`} role="status" aria-label="State">
        <h2>
          <span class={`dot ${well ? 'ok' : works ? 'stale' : 'bad'}`} />
          {well ? 'All is well' : works ? 'It works; something needs a look' : 'Something needs a look'}
        </h2>
        {health.reasons.map((reason) => (
          <p key={reason}>{reason}</p>
        ))}
      </section>
      <Strip
        of={{
          'Hits taken': count(health.hits),
          'Registry events taken': count(health.registryEvents),
          'Duplicates dropped': count(health.duplicates),
          'Set aside': count(health.quarantined),
          'Hits without a location': percent(health.unlocatedShare),
        }}
      />
      <Card id="shards" title="Stream" span={6}>
        <Table
          rows={health.shards}
          keyOf={({ shard }) => shard}
          columns={[
            { head: 'Shard', as: 'name', cell: ({ shard }) => <span class="mono">{shard}</span> },
            {
              head: 'Behind by',
              as: 'number',
              cell: ({ lagSeconds }) => (
                <>
                  <span class={`dot ${lagSeconds > slowSeconds ? 'bad' : 'ok'}`} /> {span(lagSeconds)}
                </>
              ),
            },
          ]}
        />
      </Card>
      <Card id="ages" title="How fresh" span={6}>
        <Table
          rows={ages}
          keyOf={([name]) => name}
          columns={[
            { head: 'What', as: 'text', cell: ([name]) => name },
            { head: 'Made', as: 'when', cell: ([, age, missing]) => (age ? <Ago time={age.at} now={now} /> : missing) },
          ]}
        />
      </Card>
    </>
  );
}

/** What the rules of the configuration had to say. */
function News() {
  const now = useNow();
  const loaded = useLoad('alerts', (signal) =>
    get('/v1/alerts', { limit: 10 }, { signal, revalidate: true }).then(({ items }) => items),
  );
  useEvery(everyMs, loaded.reload);
  return (
    <DataCard id="news" title="News" span={12} of={loaded} what="The news" lines={3}>
      {(rows) =>
        rows.length === 0 ? (
          <p class="muted">None yet: no rule had anything to say.</p>
        ) : (
          <Table
            rows={rows}
            keyOf={({ id }) => id}
            columns={[
              { head: 'What', as: 'name', cell: ({ text }) => text },
              { head: 'Rule', as: 'text', wide: true, cell: ({ rule }) => <span class="muted">{rule}</span> },
              { head: 'When', as: 'when', cell: ({ time }) => <Ago time={time} now={now} /> },
            ]}
          />
        )
      }
    </DataCard>
  );
}

function SetAside() {
  const now = useNow();
  const pages = usePages('quarantine', (cursor, signal) =>
    get('/v1/quarantine', { limit: cursor ? 100 : 10, cursor }, { signal, revalidate: true }),
  );
  const { reload, grown } = pages;
  useEvery(
    everyMs,
    useCallback(() => grown || reload(), [grown, reload]),
  );
  return (
    <DataCard id="aside" title="Set aside" span={12} of={pages} what="What was set aside" lines={3}>
      {(rows) =>
        rows.length === 0 ? (
          <p class="muted">Nothing: everything that came in was understood.</p>
        ) : (
          <>
            <p class="muted">
              What could not be understood, and why. After a fix, <code>npm run replay</code> puts it back through.
            </p>
            <Table
              rows={rows}
              keyOf={({ id }) => id}
              columns={[
                {
                  head: 'Why',
                  as: 'name',
                  cell: ({ reason, position, body }) => (
                    <details>
                      <summary>{reason}</summary>
                      <p class="muted small">
                        From <span class="mono">{position}</span>:
                      </p>
                      <pre class="body">{body.slice(0, 4000)}</pre>
                    </details>
                  ),
                },
                { head: 'When', as: 'when', cell: ({ time }) => <Ago time={time} now={now} /> },
              ]}
            />
            <More of={pages} what="Show more" />
          </>
        )
      }
    </DataCard>
  );
}

function HealthPage() {
  const now = useNow(1000);
  const health = useLoad('health', (signal) => get('/v1/health', {}, { signal, revalidate: true, accept: [503] }));
  useEvery(everyMs, health.reload);
  return (
    <Page
      here="./health"
      title={<h1>Health</h1>}
      lead="Whether what comes in goes out again, and what was dropped or set aside on the way."
      open
    >
      <div class="grid">
        {health.data ? (
          <State health={health.data} now={now} />
        ) : (
          <section class={health.error ? 'card' : 'card awaited'} aria-label="State">
            <Content of={health} what="The state of the service" lines={12}>
              {() => null}
            </Content>
          </section>
        )}
        <Model everyMs={everyMs} />
        <News />
        <SetAside />
      </div>
    </Page>
  );
}

mount(<HealthPage />);
