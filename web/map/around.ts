// Names for locations.
import { named, places as placesAddress } from 'virtual:basemap';
import { useEffect, useState } from 'preact/hooks';
import { plural } from '../text/format.ts';
import { degrees, type NameOf, namer } from './countries.ts';
import { cityNamer, unpackPlaces } from './places.ts';

async function read<T>(address: string): Promise<T> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address} responded with ${response.status}`);
  return response.json();
}

/** Reads once; after a failure the next call reads again. */
function once<T>(load: () => Promise<T>): () => Promise<T> {
  let loaded: Promise<T> | undefined;
  return () => {
    loaded ??= load().catch((cause) => {
      loaded = undefined;
      throw cause;
    });
    return loaded;
  };
}

const countries = once(() => read<Parameters<typeof namer>[0]>(named).then(namer));
export const readPlaces = once(() => read<Parameters<typeof unpackPlaces>[0]>(placesAddress).then(unpackPlaces));

const asDegrees: NameOf = (lat, lon) => `at ${degrees(lat, lon)}`;

/** Names countries, and also cities if the reader is `close` enough; degrees until the names have loaded. */
export function useNames(close: boolean): NameOf {
  const [country, setCountry] = useState<NameOf>(() => asDegrees);
  const [city, setCity] = useState<NameOf>();
  useEffect(() => {
    countries().then(
      (found) => setCountry(() => found),
      () => {},
    );
  }, []);
  useEffect(() => {
    if (!close) return;
    Promise.all([countries(), readPlaces()]).then(
      ([land, places]) => setCity(() => cityNamer(land, places)),
      () => {},
    );
  }, [close]);
  return (close && city) || country;
}

/** A cluster's middle lies there; its domains need not. */
const centredAt = (where: string) => `centred ${where.replace(/^in (?=.*,)/, 'near ')}`;
export const centred = (number: number, where: string) => `${plural(number, 'domain')} ${centredAt(where)}`;
