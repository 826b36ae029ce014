// Shares of a whole as one stacked strip and its table.
import { useMemo } from 'preact/hooks';
import { count, percent } from '../format.ts';
import { useDark } from '../load.ts';

export interface Part {
  name: string;
  number: number;
}

const words: Record<string, string> = {
  human: 'People',
  ci: 'CI jobs',
  cluster: 'Clusters',
  scanner: 'Scanners',
  mirror: 'Mirrors',
  signature: 'Signatures',
  'version-check': 'Version checks',
};
/** A class of pulls in words. */
export const className = (name: string) => words[name] ?? name;

const ones: Record<string, string> = {
  human: 'person',
  ci: 'CI job',
  cluster: 'cluster',
  scanner: 'scanner',
  mirror: 'mirror',
  signature: 'signature',
  'version-check': 'version check',
};
/** What one account of a class is. */
export const kindName = (name: string) => ones[name] ?? name;

const colours = ['var(--c3)', 'var(--c2)', 'var(--warn)', 'var(--c4)', 'var(--c1)', 'var(--muted)', 'var(--border)'];

export function Mix({ label, parts }: { label: string; parts: Part[] }) {
  useDark();
  const rows = useMemo(() => parts.filter(({ number }) => number > 0).sort((a, b) => b.number - a.number), [parts]);
  const total = rows.reduce((sum, { number }) => sum + number, 0);
  return (
    <>
      <div
        class="mix"
        role="img"
        aria-label={`${label}: ${rows.map(({ name, number }) => `${name} ${percent(number / total)}`).join(', ')}`}
      >
        {rows.map(({ name, number }, index) => (
          <i key={name} style={{ flexGrow: String(number), background: colours[index % colours.length] }} />
        ))}
      </div>
      <ul class="mix-list">
        {rows.map(({ name, number }, index) => (
          <li key={name}>
            <i style={{ background: colours[index % colours.length] }} />
            <span>{name}</span>
            <span class="number">{count(number)}</span>
            <span class="muted small number">{percent(number / total)}</span>
          </li>
        ))}
      </ul>
    </>
  );
}
