// Indexes documents in a real OpenSearch on this machine: by process, by its search store alone, and by a bare loop that
// sends the same lines.
//   npm run bench -- search [--events 32000] [--batch 4000] [--rounds 11]
// Last line: {documents, documentsPerSecond, bareDocumentsPerSecond, ratio, storeRatio}, medians of the rounds.
//   npm run bench -- search --reads 300000
// Indexes so many pulls of 400 days, by process, sums and reads them. Last line: {documents, documentsPerSecond, sumSeconds,
// alone: {read: p99 ms}, busy: {read: p99 ms}}; busy: six at once. Both need test/aws/install.sh.
import { parseArgs } from 'node:util';
import { startCluster } from './search/cluster.ts';
import { indexing } from './search/indexing.ts';
import { reads } from './search/reads.ts';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '32000' },
    batch: { type: 'string', default: '4000' },
    rounds: { type: 'string', default: '11' },
    reads: { type: 'string' },
  },
});
const [count, batch, rounds] = [values.events, values.batch, values.rounds].map(Number);

const cluster = await startCluster('2g');
try {
  const result =
    values.reads === undefined
      ? await indexing(cluster, { count, batch, rounds })
      : await reads(cluster, { count: Number(values.reads), batch });
  console.log(JSON.stringify(result));
} finally {
  cluster.stop();
}
