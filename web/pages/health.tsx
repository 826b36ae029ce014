// /health: whether what comes in goes out again, and what was set aside on the way.

import { useState } from 'preact/hooks';
import { get, items } from '../api.ts';
import { ago, count, full, percent, plural, span } from '../format.ts';
import { useEvery, useLoad, useNow } from '../load.ts';
import { Content, mount, Page } from '../shell.tsx';

type Age = { at: string; seconds: number } | null;
interface Health {
  status: 'ok' | 'unhealthy';
  reasons: string[];
  shards: { shard: string; lagSeconds: number }[];
  hits?: number;
  registryEvents?: number;
  duplicates: number;
  quarantined: number;
  late?: number;
  future?: number;
  unlocatedShare: number;
  points: Age;
  model: Age;
  ipTable: Age;
}
interface Quarantined {
  id: string;
  time: string;
  reason: string;
  position: string;
  body: string;
}

interface Notice {
  id: string;
  time: string;
  rule: string;
  text: string;
}

const everyMs = 10_000;

function Ages({ health, now }: { health: Health; now: number }) {
  const rows: [name: string, age: Age, missing: string][] = [
    ['Map', health.points, 'no hit yet'],
    ['Recommendations', health.model, 'not trained yet'],
    ['IP table', health.ipTable, 'unknown'],
  ];
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">What</th>
          <th scope="col" class="number">
            Made
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map(([name, age, missing]) => (
          <tr key={name}>
            <td>{name}</td>
            <td class="number muted nowrap" title={age ? full(age.at) : undefined}>
              {age ? ago(age.at, now) : missing}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Shards({ shards }: { shards: Health['shards'] }) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Shard</th>
          <th scope="col" class="number">
            Behind by
          </th>
        </tr>
      </thead>
      <tbody>
        {shards.map(({ shard, lagSeconds }) => (
          <tr key={shard}>
            <td class="mono">{shard}</td>
            <td class="number nowrap">
              <span class={`dot ${lagSeconds > 60 ? 'bad' : 'ok'}`} /> {span(lagSeconds)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

interface Card {
  id: string;
  trainedAt: string;
  people: number;
  images: number;
  pairs: number;
  auc: number | null;
  popularityAuc: number | null;
}

/** How good the recommendations are: on pulls that were held back from training, against always naming the popular. */
function Model() {
  const now = useNow();
  const loaded = useLoad('model', (signal) => get<{ current: Card | null }>('/v1/model', {}, { signal }));
  return (
    <section class="card span-12" aria-labelledby="model">
      <div class="card-head">
        <h2 id="model">Recommendations</h2>
        {loaded.data?.current && (
          <span class="muted small" title={full(loaded.data.current.trainedAt)}>
            model {loaded.data.current.id}, trained {ago(loaded.data.current.trainedAt, now)}
          </span>
        )}
      </div>
      <Content of={loaded} what="The model" lines={3}>
        {({ current }) =>
          current ? (
            <>
              <p class="muted">
                Learnt from {plural(current.pairs, 'pair')} of {plural(current.people, 'person', 'people')} and{' '}
                {plural(current.images, 'image')}.
              </p>
              {current.auc !== null && (
                <p>
                  It ranks a pull it has not seen above an image that was not pulled in{' '}
                  <strong>{percent(current.auc)}</strong> of cases (AUC {current.auc.toFixed(3)})
                  {current.popularityAuc !== null && (
                    <>; naming the popular does so in {percent(current.popularityAuc)}</>
                  )}
                  .
                </p>
              )}
            </>
          ) : (
            <p class="muted">Not trained yet. Until then, recommendations are what is trending and popular.</p>
          )
        }
      </Content>
    </section>
  );
}

/** What the rules of the configuration had to say. */
function News() {
  const now = useNow();
  const loaded = useLoad('notices', (signal) =>
    get<{ items: Notice[] }>('/v1/notices', { limit: 10 }, { signal, revalidate: true }).then(items),
  );
  useEvery(everyMs, loaded.reload);
  return (
    <section class="card span-12" aria-labelledby="news">
      <div class="card-head">
        <h2 id="news">News</h2>
      </div>
      <Content of={loaded} what="The news" lines={3}>
        {(rows) =>
          rows.length === 0 ? (
            <p class="muted">None yet: no rule had anything to say.</p>
          ) : (
            <div class="scroll">
              <table>
                <thead>
                  <tr>
                    <th scope="col">What</th>
                    <th scope="col" class="phone-off">
                      Rule
                    </th>
                    <th scope="col" class="number">
                      When
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {rows.map(({ id, time, rule, text }) => (
                    <tr key={id}>
                      <td class="name">{text}</td>
                      <td class="muted phone-off">{rule}</td>
                      <td class="number muted nowrap" title={full(time)}>
                        {ago(time, now)}
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
  );
}

function SetAside() {
  const now = useNow();
  const [limit, setLimit] = useState(20);
  const loaded = useLoad(`quarantine ${limit}`, (signal) =>
    get<{ items: Quarantined[] } | Quarantined[]>('/v1/quarantine', { limit }, { signal }).then(items),
  );
  return (
    <section class="card span-12" aria-labelledby="aside">
      <div class="card-head">
        <h2 id="aside">Set aside</h2>
      </div>
      <Content of={loaded} what="What was set aside" lines={3}>
        {(rows) =>
          rows.length === 0 ? (
            <p class="muted">Nothing: everything that came in was understood.</p>
          ) : (
            <>
              <p class="muted small">
                What could not be understood. After a fix, <code class="inline-code">npm run replay</code> puts it back
                through.
              </p>
              <div class="scroll">
                <table>
                  <thead>
                    <tr>
                      <th scope="col">Why</th>
                      <th scope="col" class="phone-off">
                        Where
                      </th>
                      <th scope="col" class="number">
                        When
                      </th>
                    </tr>
                  </thead>
                  <tbody>
                    {rows.map(({ id, time, reason, position, body }) => (
                      <tr key={id}>
                        <td class="name">
                          <details>
                            <summary>{reason}</summary>
                            <pre class="body">{body.slice(0, 4000)}</pre>
                          </details>
                        </td>
                        <td class="mono phone-off">{position}</td>
                        <td class="number muted nowrap" title={full(time)}>
                          {ago(time, now)}
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
              {rows.length === limit && (
                <button type="button" class="button" style={{ marginTop: '16px' }} onClick={() => setLimit(limit * 4)}>
                  Show more
                </button>
              )}
            </>
          )
        }
      </Content>
    </section>
  );
}

function HealthPage() {
  const now = useNow(1000);
  const health = useLoad('health', (signal) =>
    get<Health>('/v1/health', {}, { signal, revalidate: true, accept: [503] }),
  );
  useEvery(everyMs, health.reload);
  return (
    <Page here="/health">
      <div class="head">
        <div>
          <h1>Health</h1>
          <p>Whether what comes in goes out again, and what was dropped or set aside on the way.</p>
        </div>
      </div>
      <div class="grid">
        <div class="span-12 stack">
          <Content of={health} what="The state of the service" lines={5}>
            {(data) => (
              <>
                <section class={`card verdict ${data.status}`} role="status" aria-label="State">
                  <h2>
                    <span class={`dot ${data.status === 'ok' ? 'ok' : 'bad'}`} />
                    {data.status === 'ok' ? 'All is well' : 'Something stands'}
                  </h2>
                  {(data.reasons ?? []).map((reason) => (
                    <p key={reason}>{reason}</p>
                  ))}
                </section>
                <dl class="strip">
                  <div>
                    <dt>Hits taken</dt>
                    <dd>{data.hits === undefined ? '–' : count(data.hits)}</dd>
                  </div>
                  <div>
                    <dt>Registry events taken</dt>
                    <dd>{data.registryEvents === undefined ? '–' : count(data.registryEvents)}</dd>
                  </div>
                  <div>
                    <dt>Duplicates dropped</dt>
                    <dd>{count(data.duplicates)}</dd>
                  </div>
                  <div>
                    <dt>Set aside</dt>
                    <dd>{count(data.quarantined)}</dd>
                  </div>
                  <div>
                    <dt>Hits without a place</dt>
                    <dd>{percent(data.unlocatedShare)}</dd>
                  </div>
                </dl>
                <div class="grid">
                  <section class="card span-6" aria-labelledby="shards">
                    <div class="card-head">
                      <h2 id="shards">Stream</h2>
                    </div>
                    <Shards shards={data.shards ?? []} />
                  </section>
                  <section class="card span-6" aria-labelledby="ages">
                    <div class="card-head">
                      <h2 id="ages">How fresh</h2>
                    </div>
                    <Ages health={data} now={now} />
                  </section>
                </div>
              </>
            )}
          </Content>
        </div>
        <Model />
        <News />
        <SetAside />
      </div>
    </Page>
  );
}

mount(<HealthPage />);
