// Answers the question of an incident: who pulled this digest, when, and with which client.
import { useEffect } from 'preact/hooks';
import { get, type Reply } from '../api.ts';
import { Content, Note } from '../components/card.tsx';
import { Csv, Days, type Range } from '../components/csv.tsx';
import { Page } from '../components/shell.tsx';
import { Ago, ImageName, PersonName, Table } from '../components/table.tsx';
import { useLoad, useNow } from '../load.ts';
import { countryName } from '../text/country.ts';
import { count, full, plural, shortDigest } from '../text/format.ts';
import { kindName } from '../text/kinds.ts';

/** The most that the service returns. */
const mostRows = 10_000;

/** A digest as it may be pasted: whole, only its hex, or behind an image's name; undefined for any other text. */
export function digestIn(text: string): string | undefined {
  const [, hex] = /^(?:\S*@)?(?:sha256:)?([0-9a-f]{64})$/i.exec(text.trim()) ?? [];
  return hex && `sha256:${hex.toLowerCase()}`;
}

export function WhoPulled({
  digest,
  range,
  onRange,
}: {
  digest: string;
  range: Range;
  onRange: (range: Range) => void;
}) {
  useEffect(() => {
    document.title = `Who pulled ${digest.slice(0, 19)} - Whalewatch`;
  }, [digest]);
  return (
    <Page
      here="./repositories"
      needs="team"
      crumb={{ href: './repositories', name: 'Repositories' }}
      title={<h1>Who pulled this digest</h1>}
      lead={<span class="mono whole-digest">{digest}</span>}
    >
      <section class="card" aria-label="Who pulled it">
        <Found key={digest} digest={digest} range={range} onRange={onRange} />
      </section>
    </Page>
  );
}

type Puller = Reply<'/v1/pullers'>['items'][number];

/** What they asked for, if it was not the digest. */
function Pulled({ of: { repository, tag, digest: asked }, digest }: { of: Puller; digest: string }) {
  return (
    <>
      <ImageName repository={repository} tag={tag} digest={asked} />
      {asked !== digest && <span class="under">an image that holds it, or a part of it</span>}
    </>
  );
}

const fromOf = ({ client, country }: Puller) => [client, countryName(country)].filter(Boolean).join(', ') || 'unknown';

function Found({ digest, range, onRange }: { digest: string; range: Range; onRange: (range: Range) => void }) {
  const now = useNow();
  const asked = { digest, ...range, limit: mostRows };
  const pullers = useLoad(`${digest} ${range.from} ${range.to}`, (signal) =>
    get('/v1/pullers', asked, { signal }).then(({ items }) => items),
  );
  const rows = pullers.data ?? [];
  const pulls = rows.reduce((sum, row) => sum + row.pulls, 0);
  return (
    <>
      <div class="card-head">
        <p class="muted" role="status">
          {pullers.data &&
            `${plural(new Set(rows.map(({ user }) => user)).size, 'account')}, ${plural(pulls, 'pull')}: of the digest itself, of an index that holds it, or of its platforms.`}
        </p>
        <Days value={range} onChange={onRange} />
      </div>
      <Content of={pullers} what="Who pulled it" lines={6}>
        {(rows) =>
          rows.length === 0 ? (
            <Note title="No named user pulled it in this time.">
              A digest must be whole. Pulls without a name are not listed, nor are those from before Whalewatch ran.
            </Note>
          ) : (
            <>
              <Table
                rows={rows}
                keyOf={({ user, repository }) => `${user} ${repository}`}
                columns={[
                  {
                    head: 'Who',
                    as: 'name',
                    cell: (row) => (
                      <>
                        <span class="named">
                          <PersonName user={row.user} />
                          {row.class !== 'human' && <span class="chip">{kindName(row.class)}</span>}
                        </span>
                        <span class="under phone-only">
                          <Pulled of={row} digest={digest} />, {fromOf(row)}
                        </span>
                      </>
                    ),
                  },
                  { head: 'As', as: 'name', wide: true, cell: (row) => <Pulled of={row} digest={digest} /> },
                  { head: 'From', as: 'text', wide: true, cell: (row) => <span class="muted">{fromOf(row)}</span> },
                  { head: 'Pulls', as: 'number', cell: ({ pulls }) => count(pulls) },
                  {
                    head: 'Last pull',
                    as: 'when',
                    cell: ({ lastPull }) => (
                      <>
                        <time class="phone-off" dateTime={lastPull}>
                          {full(lastPull)}
                        </time>
                        <span class="phone-only">
                          <Ago time={lastPull} now={now} />
                        </span>
                      </>
                    ),
                  },
                ]}
              />
              <div class="foot">
                <Csv path="/v1/pullers" parameters={asked} name={`pullers-${shortDigest(digest)}`} />
              </div>
            </>
          )
        }
      </Content>
    </>
  );
}
