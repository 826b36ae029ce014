// Tables, and the cells that they have in common.
import type { ComponentChildren } from 'preact';
import { ago, full, shortDigest } from '../text/format.ts';

export interface Column<Row> {
  head: string;
  /** Names may break anywhere; times are muted; numbers and times are aligned right. */
  as: 'name' | 'number' | 'when' | 'text';
  cell: (row: Row) => ComponentChildren;
  /** Hidden on phones. */
  wide?: boolean;
}

const classes = { name: 'name', number: 'number', when: 'number when', text: undefined };

export function Table<Row>({
  rows,
  columns,
  keyOf,
  caption,
}: {
  rows: Row[];
  columns: Column<Row>[];
  keyOf: (row: Row, index: number) => string | number;
  /** Its name for screen readers. */
  caption?: string;
}) {
  const classOf = ({ as, wide }: Column<Row>) => [classes[as], wide && 'phone-off'].filter(Boolean).join(' ');
  return (
    <div class="scroll">
      <table>
        {caption && <caption class="hidden-text">{caption}</caption>}
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={column.head} scope="col" class={classOf(column)}>
                {column.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={keyOf(row, index)}>
              {columns.map((column) => (
                <td key={column.head} class={classOf(column)}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** How long ago; the whole time is its title. */
export const Ago = ({ time, now }: { time: string; now: number }) => (
  <time dateTime={time} title={full(time)}>
    {ago(time, now)}
  </time>
);

/** Lets a name break after its slashes first, elsewhere only if it must. */
export const Name = ({ of }: { of: string }) => (
  <>
    {of.split(/(?<=\/)/).map((part, index) => (
      <>
        {index > 0 && <wbr />}
        {part}
      </>
    ))}
  </>
);

export const repositoryPage = (repository: string, registry?: string) =>
  `./repositories?name=${encodeURIComponent(repository)}${registry ? `&registry=${encodeURIComponent(registry)}` : ''}`;

interface Image {
  repository: string;
  registry?: string;
  tag?: string;
  digest?: string;
}

/** A repository's name as a link to its page, with the tag muted; an untagged image has its digest. */
export function ImageName({ repository, registry, tag = '', digest = '' }: Image) {
  const version = tag || shortDigest(digest);
  return (
    <span class="mono" title={digest || undefined}>
      <a href={repositoryPage(repository, registry)}>
        <Name of={repository} />
      </a>
      {version && <span class="tag">:{version}</span>}
      <RegistryBadge of={registry} />
    </span>
  );
}

/** The default registry has no name to show. */
export const RegistryBadge = ({ of }: { of?: string }) =>
  of && of !== 'default' ? <span class="registry">{of}</span> : null;

export const PersonName = ({ user }: { user: string }) => (
  <a href={`./people?user=${encodeURIComponent(user)}`}>{user}</a>
);
