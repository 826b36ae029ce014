import type { Names } from '#core/map/pyramid.ts';

/** Packs names into one column of UTF-8. */
export function packNames(names: string[]): Names {
  const encoder = new TextEncoder();
  const offsets = new Uint32Array(names.length + 1);
  let utf8 = new Uint8Array(names.length * 16 + 64);
  let end = 0;
  for (let i = 0; i < names.length; i++) {
    if (end + names[i].length * 3 > utf8.length) {
      const grown = new Uint8Array(Math.max(utf8.length * 2, end + names[i].length * 3));
      grown.set(utf8);
      utf8 = grown;
    }
    end += encoder.encodeInto(names[i], utf8.subarray(end)).written;
    offsets[i + 1] = end;
  }
  if (end > 0xffffffff) throw new RangeError(`names hold ${end} bytes; one snapshot holds at most 4 GiB of them`);
  return { offsets, utf8: utf8.slice(0, end) };
}
