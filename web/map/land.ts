// Reads the base map that map/basemap.ts wrote.

type Position = [lon: number, lat: number];

interface Packed {
  /** Degrees of one step. */
  unit: number;
  land: number[][][];
  borders: number[][];
  /** `rank`: the zoom from which the country is wide enough for its name. */
  names: [name: string, lon: number, lat: number, rank: number][];
}

/** Polygons of land (Antarctica's as ice), lines of borders and points of names, distinguished by `kind`. */
export async function readLand(address: string): Promise<GeoJSON.FeatureCollection> {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`the base map responded with ${response.status}`);
  const packed: Packed = await response.json();
  const unpack = (steps: number[]): Position[] => {
    const line: Position[] = [];
    for (let i = 0, x = 0, y = 0; i < steps.length; i += 2) {
      x += steps[i];
      y += steps[i + 1];
      line.push([x * packed.unit, y * packed.unit]);
    }
    return line;
  };
  const shape = (kind: string, geometry: GeoJSON.Geometry, more = {}): GeoJSON.Feature => ({
    type: 'Feature',
    properties: { kind, ...more },
    geometry,
  });
  const land = packed.land.map((polygon) => polygon.map(unpack));
  const isIce = ([outer]: Position[][]) => outer.every(([, lat]) => lat < -60);
  return {
    type: 'FeatureCollection',
    features: [
      shape('land', { type: 'MultiPolygon', coordinates: land.filter((polygon) => !isIce(polygon)) }),
      shape('ice', { type: 'MultiPolygon', coordinates: land.filter(isIce) }),
      shape('border', { type: 'MultiLineString', coordinates: packed.borders.map(unpack) }),
      ...packed.names.map(([name, lon, lat, rank]) =>
        shape('name', { type: 'Point', coordinates: [lon, lat] }, { name, rank }),
      ),
    ],
  };
}
