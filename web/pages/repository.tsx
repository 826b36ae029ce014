// One repository: its real pulls, its tags, who pulls them, and similar repositories.
import { useEffect, useState } from 'preact/hooks';
import { get, type Reply, ServiceError } from '../api.ts';
import { OverTime } from '../charts/over-time.tsx';
import { Shares } from '../charts/shares.tsx';
import { DataCard, More, Strip } from '../components/card.tsx';
import { Csv, Days, type Range } from '../components/csv.tsx';
import { Page } from '../components/shell.tsx';
import { Ago, Name, PersonName, RegistryBadge, repositoryPage, Table } from '../components/table.tsx';
import { useEvery, useLoad, useNow, usePages } from '../load.ts';
import { bytes, count, plural, shortDigest } from '../text/format.ts';
import { kindName } from '../text/kinds.ts';
import { OutdatedImages } from './outdated.tsx';

/** Milliseconds between two requests while the page is visible. */
const refreshMs = 10_000;

type Image = Reply<'/v1/images'>['items'][number];

/** What a tag points to, as far as one line has room. */
function Digest({ of: { digest, platforms, describes } }: { of: Image }) {
  const notes = [platforms && plural(platforms, 'platform'), describes && `describes ${shortDigest(describes)}`].filter(
    Boolean,
  );
  return (
    <>
      {digest && (
        <a
          class="mono"
          href={`./repositories?digest=${encodeURIComponent(digest)}`}
          title={`Who pulled ${digest}`}
          aria-label={`Who pulled ${shortDigest(digest)}`}
        >
          {shortDigest(digest)}
        </a>
      )}
      {notes.length > 0 && <span class="muted small">{`${digest ? ', ' : ''}${notes.join(', ')}`}</span>}
    </>
  );
}

function Images({ repository }: { repository: string }) {
  const now = useNow();
  const images = usePages(`images ${repository}`, (cursor, signal) =>
    get('/v1/images', { repository, limit: cursor ? 100 : 10, cursor }, { signal }),
  );
  return (
    <DataCard
      id="images"
      title="Tags"
      span={12}
      aside={<Csv path="/v1/images" parameters={{ repository, limit: 10_000 }} name="images" />}
      of={images}
      what="The tags"
      lines={8}
    >
      {(rows) =>
        rows.length === 0 ? (
          <p class="muted">No images: nothing was pushed or pulled yet, or everything was deleted.</p>
        ) : (
          <>
            <Table
              rows={rows}
              keyOf={({ registry, tag, digest }) => `${registry} ${tag} ${digest}`}
              columns={[
                {
                  head: 'Tag',
                  as: 'name',
                  cell: (row) => (
                    <>
                      {row.tag ? <span class="mono">{row.tag}</span> : <span class="muted">without a tag</span>}
                      <RegistryBadge of={row.registry} />
                      <span class="under phone-only">
                        <Digest of={row} />
                      </span>
                    </>
                  ),
                },
                { head: 'Digest', as: 'text', wide: true, cell: (row) => <Digest of={row} /> },
                { head: 'Size', as: 'number', cell: ({ size }) => (size === null ? 'unknown' : bytes(size)) },
                {
                  head: 'Pushed',
                  as: 'when',
                  wide: true,
                  cell: ({ lastPush }) => (lastPush ? <Ago time={lastPush} now={now} /> : 'unknown'),
                },
                {
                  head: 'Last pull',
                  as: 'when',
                  cell: ({ lastPull }) => (lastPull ? <Ago time={lastPull} now={now} /> : 'never'),
                },
              ]}
            />
            <More of={images} what="Show more tags" />
          </>
        )
      }
    </DataCard>
  );
}

/** As many as a card shows at first, and at most. */
const [fewPullers, mostPullers] = [10, 10_000];

function Pullers({ repository, range }: { repository: string; range: Range }) {
  const now = useNow();
  const [limit, setLimit] = useState(fewPullers);
  const asked = { repository, ...range };
  const pullers = useLoad(`pullers ${limit} ${JSON.stringify(asked)}`, (signal) =>
    get('/v1/pullers', { ...asked, limit }, { signal }).then(({ items }) => items),
  );
  useEvery(6 * refreshMs, pullers.reload);
  return (
    <DataCard
      id="pullers"
      title="Who pulled it"
      span={7}
      aside={<Csv path="/v1/pullers" parameters={{ ...asked, limit: mostPullers }} name="pullers" />}
      of={pullers}
      what="The list of people"
      lines={6}
    >
      {(rows) =>
        rows.length === 0 ? (
          <p class="muted">No named user{range.from || range.to ? ' in this time' : ' yet'}.</p>
        ) : (
          <>
            <Table
              rows={rows}
              keyOf={({ user, registry = '' }) => `${registry} ${user}`}
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
                {
                  head: 'Newest',
                  as: 'name',
                  wide: true,
                  cell: ({ tag, digest }) => (
                    <span class="mono muted" title={digest}>
                      {tag ?? (digest && shortDigest(digest))}
                    </span>
                  ),
                },
                { head: 'Pulls', as: 'number', cell: ({ pulls }) => count(pulls) },
                { head: 'Last pull', as: 'when', cell: ({ lastPull }) => <Ago time={lastPull} now={now} /> },
              ]}
            />
            {rows.length === limit && limit < mostPullers && (
              <button type="button" class="button more" onClick={() => setLimit(limit * 10)}>
                Show more
              </button>
            )}
          </>
        )
      }
    </DataCard>
  );
}

/** The service responds 404 for a repository that the model does not know yet: nothing is similar so far. */
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
              Nearest first, as the model learned from who pulls what. The number is how many people pulled both.
            </p>
            <Shares
              rows={rows.map(({ repository, registry, similarity, shared }) => ({
                key: `${registry} ${repository}`,
                label: (
                  <span class="mono">
                    <Name of={repository} />
                  </span>
                ),
                number: similarity,
                value: <span class="muted small">{shared === undefined ? '' : count(shared)}</span>,
                href: repositoryPage(repository, registry),
              }))}
            />
            <p class="foot">
              <a href={`./stack?with=${encodeURIComponent(repository)}`}>Complete a stack with it</a>
            </p>
          </>
        )
      }
    </DataCard>
  );
}

export function OneRepository({
  repository,
  range,
  onRange,
}: {
  repository: string;
  range: Range;
  onRange: (range: Range) => void;
}) {
  useEffect(() => {
    document.title = `${repository} - Whalewatch`;
  }, [repository]);
  return (
    <Page
      here="./repositories"
      needs="team"
      title={
        <h1 class="image">
          <Name of={repository} />
        </h1>
      }
      crumb={{ href: './repositories', name: 'Repositories' }}
      aside={<Days value={range} onChange={onRange} />}
    >
      <Cards repository={repository} range={range} />
    </Page>
  );
}

function Cards({ repository, range }: { repository: string; range: Range }) {
  const sums = useLoad(`sums ${repository} ${JSON.stringify(range)}`, (signal) =>
    get('/v1/pulls', { repository, ...range, interval: 'month' }, { signal }),
  );
  useEvery(refreshMs, sums.reload);
  const total = sums.data?.total;
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
      <OverTime of={{ repository }} range={range} first="tag" />
      <OutdatedImages of={{ repository }} />
      <Images repository={repository} />
      <Pullers repository={repository} range={range} />
      <SimilarOnes repository={repository} />
    </div>
  );
}
