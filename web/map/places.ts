// Cities by name: for the map's labels, and to say in words where something is.

import type { NameOf } from './countries.ts';

export interface Place {
  name: string;
  lon: number;
  lat: number;
  /** The zoom from which its name is shown. */
  zoom: number;
  country: string;
}

/** As map/basemap.ts wrote them, by zoom; steps in hundredths of a degree, the first of each zoom from 0, 0. */
export interface PackedPlaces {
  countries: string[];
  zooms: [zoom: number, names: string[], steps: number[], countries: number[]][];
}

export function unpackPlaces({ countries, zooms }: PackedPlaces): Place[] {
  return zooms.flatMap(([zoom, names, steps, country]) => {
    let [x, y] = [0, 0];
    return names.map((name, index) => {
      x += steps[2 * index];
      y += steps[2 * index + 1];
      return { name, lon: x / 100, lat: y / 100, zoom, country: countries[country[index]] };
    });
  });
}

const kmOfDegree = 111.2;

/** The nearest city and its distance; undefined if the list is empty. */
export function nearest(places: Place[], lat: number, lon: number): { place: Place; km: number } | undefined {
  let [best, least] = [undefined as Place | undefined, Number.POSITIVE_INFINITY];
  const narrow = Math.cos((lat * Math.PI) / 180);
  for (const place of places) {
    const east = Math.abs(place.lon - lon) % 360;
    const distance = Math.hypot(Math.min(east, 360 - east) * narrow, place.lat - lat);
    if (distance < least) [best, least] = [place, distance];
  }
  return best && { place: best, km: least * kmOfDegree };
}

/** Kilometres. A point farther from any city is described by its country alone. */
const nearby = 60;
/** Kilometres. A point this near is in the city: IP addresses are located to the city at best. */
const within = 15;

/** `in Berlin, Germany`, `near Nairobi, Kenya`, and `in Kenya` where no city is near. */
export const cityNamer =
  (country: NameOf, places: Place[]): NameOf =>
  (lat, lon) => {
    const found = nearest(places, lat, lon);
    if (!found || found.km > nearby) return country(lat, lon);
    const { name, country: of } = found.place;
    return `${found.km < within ? 'in' : 'near'} ${of === name ? name : `${name}, ${of}`}`;
  };
