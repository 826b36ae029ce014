// /health: what an owner wants to know, in plain words; technical details are folded below.
import type { ComponentChildren } from 'preact';
import { useCallback, useState } from 'preact/hooks';
import { get, type Reply } from '../api.ts';
import { Card, Content, DataCard, More, Strip } from '../components/card.tsx';
import { Segments } from '../components/controls.tsx';
import { Csv, Days, type Range } from '../components/csv.tsx';
import { RegistryTokens } from '../components/registries.tsx';
import { mount, Page } from '../components/shell.tsx';
import { Ago, Table } from '../components/table.tsx';
import { useEvery, useLoad, useNow, usePages } from '../load.ts';
import { countryName } from '../text/country.ts';
import { ago, count, percent, plural, span, utcDay } from '../text/format.ts';
import { refusedText } from '../text/refused.ts';

type Health = Reply<'/v1/health'>;
type Age = Health['points'];

const everyMs = 10_000;
/** Seconds: a shard further behind has a red dot. */
const slowSeconds = 60;

type Tone = 'ok' | 'bad' | 'stale' | 'none';

/** One question of the owner's, and its answer. */
interface Answer {
  tone: Tone;
  question: string;
  says: ComponentChildren;
}

/** A hit without a location is counted, but is not on the map. */
const whyNowhere =
  'The others came from addresses without a known location, mostly private ones (10.0.0.0/8, 192.168.0.0/16, …): the setting networks says where an office or a VPN is. ';

const oldTableSeconds = 60 * 86_400;

function answersOf(health: Health, now: number): Answer[] {
  const { hits, registryEvents, points, model, ipTable, duplicates } = health;
  // Only entries that still wait: others were replayed, forgotten, or have expired.
  const waiting = health.quarantine.entries;
  // Posts that were not understood are in quarantine, which is counted already.
  const refused = (health.refused ?? []).filter(({ reason }) => reason !== 'not-understood');
  const arrived = hits + registryEvents > 0;
  const behind = Math.max(0, ...health.shards.map(({ lagSeconds }) => lagSeconds));
  const isStuck = health.status === 'unhealthy';
  const flowing: Answer =
    health.reasons.length > 0
      ? {
          ...{ tone: isStuck ? 'bad' : 'stale', question: 'Is data flowing?' },
          says: `${isStuck ? 'No' : 'Yes, but'}: ${health.reasons.join('; ')}.`,
        }
      : arrived
        ? {
            ...{ tone: 'ok', question: 'Is data flowing?' },
            says: `Yes: ${plural(registryEvents, 'registry event')} and ${plural(hits, 'hit')} came in and were processed.`,
          }
        : {
            ...{ tone: 'none', question: 'Is data flowing?' },
            says: (
              <>
                Nothing has come in yet. <a href="./setup">Set up</a> shows how to point a registry or a page here.
              </>
            ),
          };
  const table = ipTable && ipTable.seconds > oldTableSeconds;
  return [
    flowing,
    {
      tone: behind > slowSeconds ? 'bad' : points && arrived ? 'ok' : 'none',
      question: 'How fresh is it?',
      says: !arrived
        ? 'There is nothing to show yet.'
        : behind > slowSeconds
          ? `Incoming data has waited for ${span(behind)}.`
          : points
            ? `The map was made ${ago(points.at, now) === 'now' ? 'just now' : ago(points.at, now)}; nothing waits to be processed.`
            : 'Nothing waits to be processed. The map begins with the first hit.',
    },
    {
      tone: waiting > 0 || refused.length > 0 ? 'stale' : arrived ? 'ok' : 'none',
      question: 'Was anything refused?',
      says: (
        <>
          {waiting > 0 ? (
            <>
              {plural(waiting, 'entry', 'entries')} could not be understood and {waiting === 1 ? 'waits' : 'wait'} in{' '}
              <a href="#aside">quarantine</a>.
            </>
          ) : refused.length > 0 ? (
            'In the last 7 days:'
          ) : arrived ? (
            'No: all that came in was understood.'
          ) : (
            'Nothing has come in yet.'
          )}
          {duplicates > 0 && ` ${plural(duplicates, 'event')} came twice and counted once.`}
          {refused.map((one) => (
            <span key={`${one.reason} ${one.registry}`} class="refusal">
              {plural(one.posts, 'post')} {refusedText(one)} ({ago(one.lastAt, now)}).
            </span>
          ))}
        </>
      ),
    },
    {
      tone: model ? 'ok' : 'none',
      question: 'Which model recommends?',
      says: model ? (
        <>
          The one trained {ago(model.at, now)}. <a href="./models">Models</a> says how good it is, and why it was
          chosen.
        </>
      ) : (
        'No model has been trained yet: until then, recommendations are what is trending and popular.'
      ),
    },
    {
      tone: table ? 'stale' : ipTable ? 'ok' : 'none',
      question: 'Are locations right?',
      says: (
        <>
          {hits > 0
            ? `${percent(1 - health.unlocatedShare)} of hits have a location. ${health.unlocatedShare > 0 ? whyNowhere : ''}`
            : 'No hit has come that could have a location. '}
          {ipTable
            ? `The IP table was made ${ago(ipTable.at, now)}${table ? ': install a newer one (npm run ip-update, or a newer release)' : ''}.`
            : 'The age of the IP table is unknown.'}
        </>
      ),
    },
  ];
}

function State({ health, now }: { health: Health; now: number }) {
  const arrived = health.hits + health.registryEvents > 0;
  const well = health.status === 'ok';
  const works = health.status !== 'unhealthy';
  const title = !well
    ? works
      ? 'It works, but something needs a look'
      : 'Something needs a look'
    : arrived
      ? 'All is well'
      : 'Ready, and waiting for the first event';
  return (
    <>
      <section class={`card verdict ${health.status}`} aria-label="State">
        <h2>
          <span class={`dot ${well ? (arrived ? 'ok' : '') : works ? 'stale' : 'bad'}`} />
          <span role="status">{title}</span>
        </h2>
        <dl class="answers">
          {answersOf(health, now).map(({ tone, question, says }) => (
            <div key={question}>
              <dt>
                <span class={`dot ${tone}`} />
                {question}
              </dt>
              <dd>{says}</dd>
            </div>
          ))}
        </dl>
      </section>
      {health.unknownAgents?.length > 0 && <Unknown agents={health.unknownAgents} />}
    </>
  );
}

/** Clients that count as people until a rule says otherwise. */
function Unknown({ agents }: { agents: Health['unknownAgents'] }) {
  return (
    <Card id="unknown" title="Clients that no rule knows" span={12}>
      <p class="muted">
        Their pulls of the last 7 days count as people's. If one is a machine, say so in <code>classRules</code> of the
        settings, and <code>npm run recount</code> brings the past to it.
      </p>
      <Table
        rows={agents}
        keyOf={({ client }) => client}
        columns={[
          { head: 'Client', as: 'name', cell: ({ client }) => <span class="mono">{client}</span> },
          {
            head: 'Rule',
            as: 'text',
            wide: true,
            cell: ({ client }) => (
              <code class="small">{`{ name: '${client}', class: 'ci', userAgent: '^${escaped(client)}\\\\b' }`}</code>
            ),
          },
          { head: 'Pulls', as: 'number', cell: ({ pulls }) => count(pulls) },
        ]}
      />
    </Card>
  );
}

/** Escapes a text for a pattern, inside a string of a settings file. */
const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\']/g, '\\\\$&');

function Details({ health, now }: { health: Health; now: number }) {
  const ages: [name: string, age: Age, missing: string][] = [
    ['Map', health.points, 'no hit yet'],
    ['Model in service', health.model, 'not trained yet'],
    ['IP table', health.ipTable, 'unknown'],
  ];
  return (
    <details class="card engineers">
      <summary>
        <h2>For engineers</h2>
      </summary>
      <Strip
        of={{
          'Hits accepted': count(health.hits),
          'Registry events accepted': count(health.registryEvents),
          'Duplicates dropped': count(health.duplicates),
          Quarantined: count(health.quarantined),
          'Too late or ahead': count(health.late + health.future),
          'Hits without a location': percent(health.unlocatedShare),
          'Import records waiting': count(health.importing),
        }}
      />
      <div class="grid">
        <section class="span-6" aria-labelledby="shards">
          <h3 id="shards">Stream</h3>
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
        </section>
        <section class="span-6" aria-labelledby="ages">
          <h3 id="ages">Made</h3>
          <Table
            rows={ages}
            keyOf={([name]) => name}
            columns={[
              { head: 'What', as: 'text', cell: ([name]) => name },
              {
                head: 'Made',
                as: 'when',
                cell: ([, age, missing]) => (age ? <Ago time={age.at} now={now} /> : missing),
              },
            ]}
          />
        </section>
      </div>
    </details>
  );
}

function Quarantine() {
  const now = useNow();
  const [range, setRange] = useState<Range>({});
  const pages = usePages(`quarantine ${JSON.stringify(range)}`, (cursor, signal) =>
    get('/v1/quarantine', { ...range, limit: cursor ? 100 : 10, cursor }, { signal, revalidate: true }),
  );
  const { reload, grown } = pages;
  useEvery(
    everyMs,
    useCallback(() => grown || reload(), [grown, reload]),
  );
  return (
    <DataCard
      id="aside"
      title="Quarantine"
      span={12}
      aside={
        <span class="asides">
          <Days value={range} onChange={setRange} />
          <Csv path="/v1/quarantine" parameters={{ ...range, limit: 1000 }} name="quarantine" />
        </span>
      }
      of={pages}
      what="The quarantine"
      lines={3}
    >
      {(rows) =>
        rows.length === 0 ? (
          <p class="muted">
            {range.from || range.to
              ? 'Nothing was quarantined in this time.'
              : 'Nothing waits here: everything that came in was understood, or was replayed.'}
          </p>
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

const sumsBy = [
  ['day', 'Day'],
  ['domain', 'Domain'],
  ['country', 'Country'],
  ['action', 'Action'],
] as const;
/** Ten days to today: as many rows as are shown at first. */
const hitDays = 9;

/** The daily sums, for a spreadsheet more than for the eye. */
function Hits() {
  const [by, setBy] = useState<(typeof sumsBy)[number][0]>('day');
  const [range, setRange] = useState<Range>({ from: utcDay(Date.now(), hitDays) });
  const asked = { by, ...range };
  const hits = usePages(`hits ${JSON.stringify(asked)}`, (cursor, signal) =>
    get('/v1/hits', { ...asked, limit: cursor ? 100 : 10, cursor }, { signal }),
  );
  const keyOf = (key: string) => (by === 'country' ? countryName(key) || 'unknown' : key);
  return (
    <DataCard
      id="hits"
      title="Hits"
      span={12}
      aside={
        <span class="asides">
          <Segments label="Hits by" value={by} options={sumsBy} onChange={setBy} />
          <Days value={range} onChange={setRange} />
          <Csv path="/v1/hits" parameters={{ ...asked, limit: 10_000 }} name={`hits-by-${by}`} />
        </span>
      }
      of={hits}
      what="The hits"
      lines={4}
    >
      {(rows) =>
        rows.length === 0 ? (
          <p class="muted">No hits in this time.</p>
        ) : (
          <>
            <Table
              rows={rows}
              keyOf={({ day, key }) => `${day} ${key}`}
              columns={[
                { head: 'Day', as: 'text', cell: ({ day }) => day },
                ...(by === 'day'
                  ? []
                  : [
                      {
                        head: sumsBy.find(([name]) => name === by)?.[1] ?? '',
                        as: 'name' as const,
                        cell: ({ key }: { key: string }) => keyOf(key),
                      },
                    ]),
                { head: 'Hits', as: 'number', cell: ({ hits }) => count(hits) },
              ]}
            />
            <More of={hits} what="Show more" />
          </>
        )
      }
    </DataCard>
  );
}

function Now() {
  const now = useNow(1000);
  const health = useLoad('health', (signal) => get('/v1/health', {}, { signal, revalidate: true, accept: [503] }));
  useEvery(everyMs, health.reload);
  return (
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
      <RegistryTokens />
      <Quarantine />
      <Hits />
      {health.data && <Details health={health.data} now={now} />}
    </div>
  );
}

mount(
  <Page
    here="./health"
    needs="owner"
    title={<h1>Health</h1>}
    lead="Whether data flows, how fresh it is, and what was refused."
  >
    <Now />
  </Page>,
);
