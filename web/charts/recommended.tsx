// Recommendations, best first. Text and links are HTML over bars that G2 draws. A bar compares a repository with the
// best of its source, because sources have no common scale. Repositories that are only popular or trending have no bar:
// they match nobody in particular.
import type { Recommendation } from '../api.ts';
import { ImageName, repositoryPage } from '../components/table.tsx';
import { count, percent, plural } from '../text/format.ts';
import { Chart } from './chart.tsx';
import { matches } from './match.ts';

const words: Record<string, string> = { trending: 'pulled recently', popular: 'popular here' };

/** Why it is recommended, in parts of one phrase; names at most two of the user's own pulls. */
function because({ source, because }: Recommendation): string[] {
  if (because.length === 0) return [words[source] ?? 'fits the pulls so far'];
  if (source === 'similar') return [`goes with ${because[0].repository}`];
  return because
    .slice(0, 2)
    .map(({ repository, share }, index) => `${index === 0 ? 'because of' : 'and'} ${repository} (${percent(share)})`);
}

/** Pixels, as in .recommended of charts.css. */
const rowHeight = 64;

/** Where there is little room, the part before the last slash is cut, because the part after it says more. */
function Parted({ name }: { name: string }) {
  const last = name.lastIndexOf('/') + 1;
  return (
    <>
      {last > 0 && <span>{name.slice(0, last)}</span>}
      <span class="last">{name.slice(last)}</span>
    </>
  );
}

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
      table={{
        head: ['Repository', 'Others'],
        rows: rows.map(({ repository, registry, pulledBy, why }) => [
          <>
            <ImageName repository={repository} registry={registry} />
            <span class="under">{why.join(' ')}</span>
          </>,
          count(pulledBy),
        ]),
      }}
      over={
        <ol class="recommended">
          {rows.map(({ repository, why, others }) => (
            <li key={repository}>
              <a class="mono" href={repositoryPage(repository)} aria-label={repository} title={repository}>
                <Parted name={repository} />
              </a>
              <span>{others}</span>
              <p title={why.join(' ')}>
                {why.map((part) => (
                  <span key={part}>{part}</span>
                ))}
              </p>
            </li>
          ))}
        </ol>
      }
      options={({ accent, line }) => {
        const match = matches(rows);
        const bar = { type: 'interval', tooltip: false };
        return {
          type: 'view',
          data: rows.map(({ repository }, at) => ({ repository, share: match[at], whole: 1 })),
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
              ...bar,
              encode: { x: 'repository', y: 'whole' },
              style: { fill: line, fillOpacity: 0.6, maxWidth: 6, radius: 3 },
            },
            {
              ...bar,
              encode: { x: 'repository', y: 'share' },
              style: { fill: accent, fillOpacity: 1, maxWidth: 6, radius: 3 },
            },
          ],
        };
      }}
    />
  );
}
