// Lists as CSV files, and the choice of their days.
import { useState } from 'preact/hooks';
import { here, type Parameters, token } from '../api.ts';

/** Byte order mark: without it, Excel reads UTF-8 in the local code page. */
const byteOrderMark = '\uFEFF';

/** Downloads a list. It is fetched first: a link can't carry a token. */
export function Csv({ path, parameters, name }: { path: string; parameters: Parameters; name: string }) {
  const [failed, setFailed] = useState(false);
  const query = new URLSearchParams({ format: 'csv' });
  for (const [key, value] of Object.entries(parameters)) if (value !== undefined) query.set(key, String(value));
  const href = `${here(path)}?${query}`;
  const fetchFirst = async (event: Event) => {
    event.preventDefault();
    const given = token.get();
    const response = await fetch(href, given ? { headers: { Authorization: `Bearer ${given}` } } : {}).catch(
      () => undefined,
    );
    setFailed(!response?.ok);
    if (!response?.ok) return;
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([byteOrderMark, await response.text()], { type: 'text/csv' }));
    link.download = `${name}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  };
  return (
    <a class="quiet csv" href={href} download={`${name}.csv`} onClick={fetchFirst}>
      {failed ? 'CSV failed: try again' : 'CSV'}
    </a>
  );
}

export interface Range {
  from?: string;
  to?: string;
}

/** The first and last UTC day; an empty one means no limit. */
export function Days({ value, onChange }: { value: Range; onChange: (range: Range) => void }) {
  const field = (side: keyof Range, label: string) => (
    <label>
      {label}
      <input
        class="field"
        type="date"
        value={value[side] ?? ''}
        min={side === 'to' ? value.from : undefined}
        max={side === 'from' ? value.to : undefined}
        onChange={(event) => onChange({ ...value, [side]: event.currentTarget.value || undefined })}
      />
    </label>
  );
  return (
    <div class="days">
      {field('from', 'From')}
      {field('to', 'To')}
    </div>
  );
}
