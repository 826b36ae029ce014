// Images that are still pulled although their tag was pushed again or deleted, or most users moved on; each with the
// evidence.
import { get, type Outdated } from '../api.ts';
import { DataCard } from '../components/card.tsx';
import { Ago, ImageName, PersonName, Table } from '../components/table.tsx';
import { useEvery, useLoad, useNow } from '../load.ts';
import { plural } from '../text/format.ts';

const refreshMs = 60_000;
/** As many as a card shows; the API returns the others. */
const mostRows = 20;

function Why({ evidence, now }: { evidence: Outdated['evidence']; now: number }) {
  if (evidence.reason === 'pushed-anew')
    return (
      <>
        The tag was pushed again <Ago time={evidence.pushedAt} now={now} />; this is an older digest.
      </>
    );
  if (evidence.reason === 'deleted')
    return (
      <>
        The {evidence.what} was deleted <Ago time={evidence.deletedAt} now={now} />.
      </>
    );
  return (
    <>
      {evidence.moved} of {plural(evidence.others, 'other user')} moved to <span class="mono">{evidence.to}</span>.
    </>
  );
}

/** Draws nothing while there is nothing to say. */
export function OutdatedImages({ of }: { of: { user: string } | { repository: string } }) {
  const now = useNow();
  const outdated = useLoad(`outdated ${JSON.stringify(of)}`, (signal) =>
    get('/v1/outdated', { ...of, limit: mostRows }, { signal }),
  );
  useEvery(refreshMs, outdated.reload);
  if (!outdated.data?.items.length) return null;
  return (
    <DataCard id="outdated" title="Worth a look" span={12} of={outdated} what="Outdated images">
      {({ items }) => (
        <Table
          rows={items}
          keyOf={({ user, repository, tag, digest, class: kind }) => [user, repository, tag, digest, kind].join(' ')}
          columns={[
            ...('repository' in of
              ? [{ head: 'User', as: 'name' as const, cell: ({ user }: Outdated) => <PersonName user={user} /> }]
              : []),
            {
              head: 'Image',
              as: 'name',
              cell: (image) => <ImageName {...image} />,
            },
            { head: 'Why', as: 'text', cell: ({ evidence }) => <Why evidence={evidence} now={now} /> },
            { head: 'Last pull', as: 'when', cell: ({ lastPull }) => <Ago time={lastPull} now={now} /> },
          ]}
        />
      )}
    </DataCard>
  );
}
