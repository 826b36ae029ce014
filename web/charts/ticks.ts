/**
 * At most five ticks of whole numbers from 0 to `most` or above it, at steps of 1, 2 or 5 times a power of ten: counts
 * have no halves.
 */
export function wholeTicks(most: number): number[] {
  const least = Math.max(1, most) / 4;
  const power = 10 ** Math.max(0, Math.floor(Math.log10(least)));
  const step = [1, 2, 5, 10].map((times) => times * power).find((step) => step >= least) ?? power;
  return Array.from({ length: Math.ceil(Math.max(1, most) / step) + 1 }, (_, index) => index * step);
}
