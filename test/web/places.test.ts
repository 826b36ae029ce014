import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countries, places } from '../../web/map/basemap.ts';
import { namer } from '../../web/map/countries.ts';
import { cityNamer, nearest, unpackPlaces } from '../../web/map/places.ts';
import { citiesZoom, mostZoom } from '../../web/map/zooms.ts';

const all = unpackPlaces(JSON.parse(places()));
const nameOf = cityNamer(namer(JSON.parse(countries())), all);

test('cities are labelled from their zoom on, and all of them at the deepest', () => {
  assert.ok(all.length > 7000, `${all.length} cities`);
  for (const { name, lon, lat, zoom } of all) {
    assert.ok(name && Math.abs(lon) <= 180 && Math.abs(lat) <= 90, name);
    assert.ok(zoom >= citiesZoom && zoom <= mostZoom, `${name} from zoom ${zoom}`);
  }
  const at = (name: string) => all.find((place) => place.name === name);
  assert.deepEqual(at('Tokyo'), { name: 'Tokyo', lon: 139.75, lat: 35.69, zoom: citiesZoom, country: 'Japan' });
  assert.deepEqual(at('Cherbourg')?.zoom, 7);
});

test('the nearest city is found on the other side of the date line too', () => {
  const [east, west] = [
    { name: 'east', lon: 179.5, lat: 0, zoom: 4, country: 'A' },
    { name: 'west', lon: -170, lat: 0, zoom: 4, country: 'B' },
  ];
  const found = nearest([west, east], 0, -179.5);
  assert.equal(found?.place.name, 'east');
  assert.equal(Math.round(found?.km ?? 0), 111);
  assert.equal(nearest([], 0, 0), undefined);
});

test('a location is named by city and country, by country if no city is near, or by degrees', () => {
  assert.equal(nameOf(52.5, 13.4), 'in Berlin, Germany');
  assert.equal(nameOf(52.75, 13.4), 'near Berlin, Germany');
  // A city state is named once.
  assert.equal(nameOf(1.3, 103.85), 'in Singapore');
  assert.equal(nameOf(25.5, 23), 'in Libya');
  assert.equal(nameOf(-45, -120), 'at 45° S, 120° W');
});
