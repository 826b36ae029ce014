// The card of somebody's or something's pulls by day, week or month.
import { useState } from 'preact/hooks';
import { get } from '../api.ts';
import { DataCard, Note } from '../card.tsx';
import { Segments } from '../controls.tsx';
import { Csv } from '../csv.tsx';
import { utcDay } from '../format.ts';
import { useEvery, useLoad } from '../load.ts';
import type { Interval } from './buckets.ts';
import { PullsOverTime } from './pulls.tsx';

const intervals = [
  ['day', 'Days'],
  ['week', 'Weeks'],
  ['month', 'Months'],
] as const;
const daysBack: Record<Interval, number> = { day: 29, week: 181, month: 364 };
/** A chart that is redrawn more often is hard to read. */
const refreshMs = 60_000;

export function OverTime({ of }: { of: { user: string } | { repository: string } }) {
  const [interval, setInterval] = useState<Interval>('day');
  const from = utcDay(Date.now(), daysBack[interval]);
  const loaded = useLoad(`${interval} ${from} ${JSON.stringify(of)}`, (signal) =>
    get('/v1/pulls', { ...of, interval, from }, { signal }),
  );
  useEvery(refreshMs, loaded.reload);
  return (
    <DataCard
      id="over-time"
      title="Pulls over time"
      span={7}
      aside={
        <span class="asides">
          <Segments label="Interval" value={interval} options={intervals} onChange={setInterval} />
          <Csv path="/v1/pulls" parameters={{ ...of, interval, from }} name={`pulls-by-${interval}`} />
        </span>
      }
      of={loaded}
      what="Pulls over time"
      lines={10}
    >
      {({ buckets }) =>
        buckets.length === 0 ? (
          <Note title="No pulls in this time.">Choose weeks or months to look further back.</Note>
        ) : (
          <PullsOverTime buckets={buckets} interval={interval} from={interval === 'day' ? from : undefined} />
        )
      }
    </DataCard>
  );
}
