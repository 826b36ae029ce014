// Several registries: which one is looked at, and their tokens.
import { useEffect, useState } from 'preact/hooks';
import { chooseRegistry, chosenRegistry, get, me } from '../api.ts';
import { useLoad, useNow } from '../load.ts';
import { DataCard } from './card.tsx';
import { Ago, Table } from './table.tsx';

/** Choose one registry, or see all; nothing where there is only one. */
export function RegistryChoice() {
  const [names, setNames] = useState<string[]>([]);
  useEffect(() => {
    me()
      .then((reader) => (reader && reader.role !== 'public' ? get('/v1/registries') : { items: [] }))
      .then(({ items }) => setNames(items.map(({ name }) => name)))
      // The page works without it.
      .catch(() => {});
  }, []);
  if (names.length < 2) return null;
  const chosen = chosenRegistry();
  return (
    <label class="registry-choice">
      Registry{' '}
      <select class="field" onChange={(event) => chooseRegistry(event.currentTarget.value || undefined)}>
        {['', ...names].map((name) => (
          <option key={name} value={name} selected={name === (chosen ?? '')}>
            {name || 'all'}
          </option>
        ))}
      </select>
    </label>
  );
}

/** For the owner: each registry's tokens, and when they were last used. */
export function RegistryTokens() {
  const now = useNow();
  const [isOwner, setOwner] = useState(false);
  useEffect(() => {
    me().then((reader) => setOwner(reader?.role === 'owner'));
  }, []);
  const loaded = useLoad(isOwner ? 'tokens' : null, (signal) =>
    get('/v1/registries/tokens', {}, { signal, revalidate: true }).then(({ items }) => items),
  );
  if (!loaded.data || loaded.data.length === 0) return null;
  return (
    <DataCard id="tokens" title="Tokens of registries" span={12} of={loaded} what="The tokens" lines={2}>
      {(rows) => (
        <Table
          rows={rows}
          keyOf={({ id }) => id}
          columns={[
            { head: 'Registry', as: 'name', cell: ({ registry }) => registry },
            { head: 'Token', as: 'text', cell: ({ id }) => <span class="mono">{id}</span> },
            { head: 'Made', as: 'when', wide: true, cell: ({ createdAt }) => <Ago time={createdAt} now={now} /> },
            {
              head: 'Last used',
              as: 'when',
              cell: ({ usedAt }) => (usedAt ? <Ago time={usedAt} now={now} /> : 'never'),
            },
          ]}
        />
      )}
    </DataCard>
  );
}
