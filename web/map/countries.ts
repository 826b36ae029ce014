// Where a domain is, in words.

interface Packed {
  /** Degrees of one step. */
  unit: number;
  countries: [name: string, rings: number[][]][];
}

/** Degrees; a point farther from any coast is at sea. */
const nearby = 6;

export type NameOf = (lat: number, lon: number) => string;

/** Returns `in Kenya`, `near Fiji`, or the degrees if no country is near. */
export function namer({ unit, countries }: Packed): NameOf {
  // Small ones first: a country within another is found before the one around it.
  const rings = countries
    .flatMap(([name, packed]) => packed.map((steps) => ({ name, ring: unpack(steps, unit) })))
    .sort((a, b) => a.ring.length - b.ring.length);
  return (lat, lon) => {
    let [best, least] = ['', nearby];
    for (const { name, ring } of rings) {
      let inside = false;
      for (let i = 2; i < ring.length; i += 2) {
        const [ax, ay, bx, by] = [ring[i - 2], ring[i - 1], ring[i], ring[i + 1]];
        if (ay > lat !== by > lat && lon < ((bx - ax) * (lat - ay)) / (by - ay) + ax) inside = !inside;
        const distance = Math.hypot((ax - lon) * Math.cos((lat * Math.PI) / 180), ay - lat);
        if (distance < least) [best, least] = [name, distance];
      }
      if (inside) return `in ${name}`;
    }
    return best ? `near ${best}` : `at ${degrees(lat, lon)}`;
  };
}

function unpack(steps: number[], unit: number): Float64Array {
  const ring = new Float64Array(steps.length);
  for (let i = 0, x = 0, y = 0; i < steps.length; i += 2) {
    x += steps[i];
    y += steps[i + 1];
    ring[i] = x * unit;
    ring[i + 1] = y * unit;
  }
  return ring;
}

/** 51° N, 0° E */
export const degrees = (lat: number, lon: number) =>
  `${Math.abs(lat).toFixed(0)}° ${lat < 0 ? 'S' : 'N'}, ${Math.abs(lon).toFixed(0)}° ${lon < 0 ? 'W' : 'E'}`;
