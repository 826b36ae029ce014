// npm run sums [-- --data DIR]: recomputes the sums that search reads, from its documents.
import { clock } from '../stores/stores.ts';
import { runOnce } from './once.ts';

const does =
  'Recomputes, from the stored documents, the sums that lists of users, repositories and counts are read from. Until it is done those reads respond 503. It may be stopped: a start of the server, or the next run, continues. The server may be running.';

await runOnce('sums', does, async ({ sums }) => {
  if (!sums) return 'OpenSearch keeps no sums: there is nothing to do';
  if (!sums.missing()) sums.restart();
  const total = sums.missing()?.total ?? 0;
  let shown = clock();
  for (let left = sums.missing(); left; left = sums.build())
    if (clock() - shown >= 1000) {
      shown = clock();
      console.error(`${left.done} of ${total} documents`);
    }
  return `${total} documents summed`;
});
