// Pushed, and in use by nobody since: what may go, and why.
import { useState } from 'preact/hooks';
import { get } from '../api.ts';
import { Content, Note } from '../card.tsx';
import { Code } from '../code.tsx';
import { Segments } from '../controls.tsx';
import { bytes } from '../format.ts';
import { useLoad, useNow } from '../load.ts';
import { Ago, ImageName, Table } from '../table.tsx';

const spans = [
  ['30', '30 days'],
  ['90', '90 days'],
  ['365', 'A year'],
] as const;

export function UnusedImages() {
  const now = useNow();
  const [days, setDays] = useState<(typeof spans)[number][0]>('30');
  const loaded = useLoad(`unused ${days}`, (signal) => get('/v1/unused', { days, limit: 200 }, { signal }));
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
            <Note title="Everything pushed before then is in use.">
              Only images whose push Whalewatch saw can show here.
            </Note>
          ) : (
            <>
              <Table
                rows={items}
                keyOf={({ repository, tag, digest }) => `${repository}:${tag} ${digest}`}
                columns={[
                  {
                    head: 'Image',
                    as: 'name',
                    cell: ({ repository, tag, digest }) => (
                      <span title={digest}>
                        <ImageName repository={repository} tag={tag ?? digest?.slice(7, 19)} />
                      </span>
                    ),
                  },
                  {
                    head: 'Why',
                    as: 'name',
                    cell: ({ reason, confidence }) => (
                      <span class="muted">{confidence === 'known' ? reason : `${reason} (${confidence})`}</span>
                    ),
                  },
                  { head: 'Size', as: 'number', wide: true, cell: ({ size }) => (size === null ? '' : bytes(size)) },
                  { head: 'Pushed', as: 'when', cell: ({ lastPush }) => <Ago time={lastPush} now={now} /> },
                  {
                    head: 'Last pull',
                    as: 'when',
                    wide: true,
                    cell: ({ lastPull }) => (lastPull ? <Ago time={lastPull} now={now} /> : 'never'),
                  },
                ]}
              />
              <p>
                <a href={`/v1/unused?days=${days}&limit=10000&format=csv`} download="unused.csv">
                  All as CSV
                </a>
              </p>
              <details class="dry-run">
                <summary>Registry calls that would delete those that nothing unknown can be using</summary>
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
