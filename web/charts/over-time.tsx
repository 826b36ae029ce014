// A card with pulls by day, week or month, in total or split.
import { useState } from 'preact/hooks';
import { get } from '../api.ts';
import { DataCard, Note } from '../components/card.tsx';
import { Segments } from '../components/controls.tsx';
import { Csv, type Range } from '../components/csv.tsx';
import { useEvery, useLoad } from '../load.ts';
import { countryName } from '../text/country.ts';
import { utcDay } from '../text/format.ts';
import { className } from '../text/kinds.ts';
import { bucketStarts, type Interval } from './buckets.ts';
import { PullsInEvents } from './pulls.tsx';
import { mostKeys, SplitPulls } from './split.tsx';

const intervals = [
  ['day', 'Days'],
  ['week', 'Weeks'],
  ['month', 'Months'],
] as const;
const daysBack: Record<Interval, number> = { day: 29, week: 181, month: 364 };
const splits = [
  ['all', 'All'],
  ['tag', 'Tag'],
  ['class', 'Kind'],
  ['country', 'Country'],
  ['client', 'Client'],
] as const;
export type Split = (typeof splits)[number][0];
/** A chart that is redrawn more often is hard to read. */
const refreshMs = 60_000;
const height = 240;

function keyName(split: Split, key: string): string {
  if (split === 'tag') return key || 'by digest';
  if (key === '') return 'unknown';
  if (split === 'class') return className(key);
  return split === 'country' ? countryName(key) : key;
}

export function OverTime({
  of,
  range,
  first,
}: {
  of: { user: string } | { repository: string };
  range: Range;
  first: Split;
}) {
  const [interval, setInterval] = useState<Interval>('day');
  const [split, setSplit] = useState<Split>(first);
  const isOpen = !range.from && !range.to;
  const from = isOpen ? utcDay(Date.now(), daysBack[interval]) : range.from;
  const asked = {
    ...{ ...of, interval, from, to: range.to },
    ...(split === 'all' ? {} : { by: split, top: mostKeys - 1 }),
  };
  const loaded = useLoad(JSON.stringify(asked), (signal) => get('/v1/pulls', asked, { signal }));
  useEvery(refreshMs, loaded.reload);
  return (
    <DataCard
      id="over-time"
      title="Pulls over time"
      span={12}
      aside={
        <span class="asides">
          <Segments
            label="Split by"
            value={split}
            options={splits.filter(([name]) => name !== 'tag' || 'repository' in of)}
            onChange={setSplit}
          />
          <Segments label="Interval" value={interval} options={intervals} onChange={setInterval} />
          <Csv path="/v1/pulls" parameters={asked} name={`pulls-by-${interval}`} />
        </span>
      }
      of={loaded}
      what="Pulls over time"
      lines={10}
    >
      {({ buckets }) => {
        if (!buckets.some(({ pulls, raw }) => pulls + raw > 0))
          return (
            <Note title="No pulls in this time.">
              {isOpen ? 'Choose weeks or months to look further back.' : 'Choose other days above, or none for all.'}
            </Note>
          );
        const to = Math.min(Date.now(), range.to ? Date.parse(range.to) : Number.POSITIVE_INFINITY);
        const starts = bucketStarts(buckets, interval, {
          to,
          ...(interval === 'day' && from ? { from: Date.parse(from) } : {}),
        });
        const drawn = { buckets, starts, interval, height };
        return split === 'all' ? (
          <PullsInEvents {...drawn} />
        ) : (
          <SplitPulls {...drawn} nameOf={(key) => keyName(split, key)} mono={split === 'tag'} />
        );
      }}
    </DataCard>
  );
}
