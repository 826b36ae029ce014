// Images that nobody has used since they were pushed: which may be deleted, and why.
import { useState } from 'preact/hooks';
import { get, type Reply } from '../api.ts';
import { Content, Note } from '../components/card.tsx';
import { Code } from '../components/code.tsx';
import { Segments } from '../components/controls.tsx';
import { Csv } from '../components/csv.tsx';
import { Ago, ImageName, Table } from '../components/table.tsx';
import { useLoad, useNow } from '../load.ts';
import { bytes, count } from '../text/format.ts';

const spans = [
  ['30', '30 days'],
  ['90', '90 days'],
  ['365', 'A year'],
] as const;

/** The most that the service returns, and that a table shows. */
const mostRows = 10_000;
const shown = 200;

type Unused = Reply<'/v1/unused'>['items'];

/** How many bytes deleting them would free. An image of several tags, and a platform of several images, counts once. */
function Won({ of }: { of: Unused }) {
  const images = new Map(of.map((image) => [`${image.repository} ${image.digest ?? image.tag}`, image]));
  const parts = [...images.values()].filter(({ reason }) => !reason.startsWith('part of '));
  const size = parts.reduce((sum, { size }) => sum + (size ?? 0), 0);
  const sure = parts.filter(({ confidence }) => confidence === 'known');
  return (
    <dl class="strip won">
      <div>
        <dt>Unused images</dt>
        <dd>{of.length === mostRows ? `over ${count(parts.length)}` : count(parts.length)}</dd>
      </div>
      <div>
        <dt>Safe to delete</dt>
        <dd>{count(sure.length)}</dd>
      </div>
      <div>
        <dt>Frees at most</dt>
        <dd>{size > 0 ? bytes(size) : 'unknown'}</dd>
      </div>
    </dl>
  );
}

export function UnusedImages() {
  const now = useNow();
  const [days, setDays] = useState<(typeof spans)[number][0]>('30');
  const loaded = useLoad(`unused ${days}`, (signal) => get('/v1/unused', { days, limit: mostRows }, { signal }));
  return (
    <>
      <div class="card-head">
        <p class="muted">
          Neither these images nor anything connected to them was pulled for this long. Nothing is deleted from here.
        </p>
        <Segments label="Unused for" value={days} options={spans} onChange={setDays} />
      </div>
      <Content of={loaded} what="The list of unused images" lines={8}>
        {({ items }) =>
          items.length === 0 ? (
            <Note title="No unused image.">
              Every image whose push Whalewatch saw before then is in use. Images pushed before Whalewatch ran can't be
              listed.
            </Note>
          ) : (
            <>
              <Won of={items} />
              <Table
                rows={items.slice(0, shown)}
                keyOf={({ repository, tag, digest }) => `${repository}:${tag} ${digest}`}
                columns={[
                  {
                    head: 'Image',
                    as: 'name',
                    cell: (image) => <ImageName {...image} />,
                  },
                  {
                    head: 'Why',
                    as: 'name',
                    cell: ({ reason, confidence }) => (
                      <span class="muted">{confidence === 'known' ? reason : `${reason} (${confidence})`}</span>
                    ),
                  },
                  { head: 'Size', as: 'number', cell: ({ size }) => (size === null ? 'unknown' : bytes(size)) },
                  { head: 'Pushed', as: 'when', wide: true, cell: ({ lastPush }) => <Ago time={lastPush} now={now} /> },
                  {
                    head: 'Last pull',
                    as: 'when',
                    wide: true,
                    cell: ({ lastPull }) => (lastPull ? <Ago time={lastPull} now={now} /> : 'never'),
                  },
                ]}
              />
              <div class="foot">
                {items.length > shown && (
                  <span class="muted">
                    The {shown} oldest of {count(items.length)}.
                  </span>
                )}
                <Csv path="/v1/unused" parameters={{ days, limit: mostRows }} name="unused" />
              </div>
              <details class="dry-run">
                <summary>Registry calls that delete the safe ones</summary>
                <Code
                  label="Registry calls that would delete the unused images"
                  text={[...new Set(items.flatMap(({ dryRun }) => dryRun ?? []))].join('\n')}
                />
              </details>
            </>
          )
        }
      </Content>
    </>
  );
}
