// Where the reader is on the map, in words, and a scale.
import { sentence } from '../text/format.ts';
import { useNames } from './around.ts';

/** Lengths of the scale's line in metres; the first that fits is drawn. */
const scales = [1, 2, 5].flatMap((step) => [1e3, 1e4, 1e5].map((unit) => step * unit)).sort((a, b) => b - a);
const longestScale = 96;

/** Names the middle of the visible part: at deep zooms little else shows where it is. */
export function Where({ lat, lon, zoom }: { lat: number; lon: number; zoom: number }) {
  const nameOf = useNames(true);
  const metre = (512 * 2 ** zoom) / (40_075_016 * Math.cos((lat * Math.PI) / 180));
  const length = scales.find((metres) => metres * metre <= longestScale);
  const where = sentence(nameOf(lat, lon).replace(/^(in|at) /, ''));
  return (
    <p class="where">
      <span>{where}</span>
      {length && (
        <span class="scale" style={{ width: `${length * metre}px` }}>
          {length / 1000} km
        </span>
      )}
    </p>
  );
}
