// Recommendations as one bar list, best first: name above its bar, why below. A bar is as long as many others pulled the
// image: scores of different sources (model, trend, popularity) have no common scale.
import type { Recommendation } from '../api.ts';
import { count, percent, plural } from '../format.ts';
import { ImageName, repositoryPage } from '../table.tsx';
import { Chart } from './chart.tsx';
import { fitting } from './fitting.ts';

/** Why it is recommended, in words: at most `most` of one's own pulls are named. */
export function because({ source, because }: Recommendation, most = 2): string {
  if (because.length > 0) {
    const names = because.slice(0, most).map(({ repository, share }) => `${repository} (${percent(share)})`);
    return source === 'similar' ? `goes with ${because[0].repository}` : `because of ${names.join(' and ')}`;
  }
  const words: Record<string, string> = {
    trending: 'pulled more and more these days',
    popular: 'pulled by most people here',
  };
  return words[source] ?? 'people with similar pulls have it';
}

const rowHeight = 64;

export function Recommended({ items }: { items: Recommendation[] }) {
  const rows = items.map((item) => ({
    ...item,
    why: because(item),
    others: `pulled by ${plural(item.pulledBy, 'other')}`,
  }));
  return (
    <Chart
      of={items}
      height={rows.length * rowHeight}
      sentence={`${plural(rows.length, 'recommended repository', 'recommended repositories')}, best first: ${rows
        .slice(0, 3)
        .map(({ repository, others }) => `${repository}, ${others}`)
        .join('; ')}.`}
      onPick={(row) => {
        const { repository } = (row ?? {}) as Partial<Recommendation>;
        if (repository) location.assign(repositoryPage(repository));
      }}
      table={{
        head: ['Repository', 'Pulled by others', 'Why'],
        rows: rows.map(({ repository, pulledBy, why }) => [
          <ImageName key={repository} repository={repository} />,
          count(pulledBy),
          why,
        ]),
      }}
      options={({ ink, muted, accent, line, sans, mono }, width) => {
        // What others pulled stands at the right end of the name's line.
        const nameFits = fitting(`13px ${mono}`, width - 140);
        const whyFits = fitting(`12px ${sans}`, width);
        const most = Math.max(1, ...rows.map(({ pulledBy }) => pulledBy));
        const label = { position: 'left', textAlign: 'left', textBaseline: 'middle', dx: 0, fillOpacity: 1 };
        return {
          type: 'view',
          data: rows.map((row) => ({ ...row, share: row.pulledBy / most, whole: 1 })),
          padding: 0,
          margin: 0,
          inset: 0,
          coordinate: { transform: [{ type: 'transpose' }] },
          scale: { x: { type: 'band', padding: 0 }, y: { domain: [0, 1] } },
          axis: false,
          legend: false,
          animate: false,
          children: [
            {
              type: 'interval',
              encode: { x: 'repository', y: 'whole' },
              style: { fill: line, fillOpacity: 0.6, maxWidth: 6, radius: 3 },
              tooltip: false,
              labels: [
                {
                  ...label,
                  text: ({ repository }: Recommendation) => nameFits(repository),
                  dy: -17,
                  fill: ink,
                  fontFamily: mono,
                  fontSize: 13,
                },
                {
                  ...label,
                  // One reason whole rather than two in part.
                  text: (row: (typeof rows)[number]) =>
                    whyFits(row.why) === row.why ? row.why : whyFits(because(row, 1)),
                  dy: 16,
                  fill: muted,
                  fontFamily: sans,
                  fontSize: 12,
                },
                {
                  position: 'right',
                  textAlign: 'right',
                  textBaseline: 'middle',
                  text: 'others',
                  dy: -17,
                  dx: -1,
                  fill: muted,
                  fillOpacity: 1,
                  fontFamily: sans,
                  fontSize: 12,
                },
              ],
            },
            {
              type: 'interval',
              encode: { x: 'repository', y: 'share' },
              style: { fill: accent, fillOpacity: 1, maxWidth: 6, radius: 3 },
              tooltip: false,
            },
          ],
        };
      }}
    />
  );
}
