// npm run sums [-- --data DIR] [--opensearch URL]: recomputes the sums that search reads, from its documents.
import { clock } from '../stores/stores.ts';
import { runOnce } from './once.ts';

const does =
  'Recomputes, from the stored documents, the sums that lists of users, repositories and counts are read from. Until it is done those reads respond 503. It may be stopped: a start of the server, or the next run, continues. The server may be running. In OpenSearch, reads go on meanwhile, and a run that is stopped changes nothing.';

await runOnce('sums', does, async ({ search, sums }) => {
  if (!sums) {
    const summed = await search.sumUp?.(clock());
    return summed
      ? `documents from before ${new Date(summed.through).toISOString()} summed`
      : 'this search keeps no sums';
  }
  if (sums.missing()?.filling) return 'search.db is being rebuilt from events: npm start does that, and sums it then';
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
