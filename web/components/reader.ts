// The reader of the page, which decides what the page may request.
import { useEffect, useState } from 'preact/hooks';
import { type Me, me } from '../api.ts';

const roles = ['public', 'user', 'team', 'owner'] as const satisfies Me['role'][];

/** The reader; undefined until the service responds, null if it doesn't say. A new `turn` asks again. */
export function useReader(turn = 0): Me | null | undefined {
  const [known, setKnown] = useState<{ turn: number; reader: Me | null }>();
  useEffect(() => {
    let gone = false;
    me().then((reader) => gone || setKnown({ turn, reader: reader ?? null }));
    return () => {
      gone = true;
    };
  }, [turn]);
  return known?.turn === turn ? known.reader : undefined;
}

/** Whether a reader has a role; if it is unknown, the service decides. */
export const has = (reader: Me | null, role: Me['role']): boolean =>
  reader === null || roles.indexOf(reader.role) >= roles.indexOf(role);
