// Words for where a cluster lies.
import { named } from 'virtual:basemap';
import { useEffect, useState } from 'preact/hooks';
import { plural } from '../text/format.ts';
import { degrees, type NameOf, namer } from './countries.ts';

let names: Promise<NameOf> | undefined;

/** Names of countries once they have come, which is when a list first needs them; degrees until then. */
export function useNames(): NameOf {
  const [nameOf, setNameOf] = useState<NameOf>(() => (lat: number, lon: number) => `at ${degrees(lat, lon)}`);
  useEffect(() => {
    names ??= fetch(named)
      .then((response) => response.json())
      .then(namer);
    names.then(
      (found) => setNameOf(() => found),
      () => {
        names = undefined;
      },
    );
  }, []);
  return nameOf;
}

/** A cluster's middle lies in a country; its domains need not. */
export const around = (number: number, where: string) =>
  `${plural(number, 'domain')} ${where.replace(/^(in|near) /, 'around ')}`;
