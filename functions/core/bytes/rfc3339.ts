const DAY_MS = 86_400_000;
/** The last days written, as 2026-11-21T00:00:00.000Z: the times of a snapshot share a few. */
const DAYS = 64;
const dayText = new Uint8Array(24 * DAYS);
const dayOf = new Float64Array(DAYS).fill(Number.NaN);

/** The number of characters that writeTime writes. */
export const TIME_CHARACTERS = 24;

/**
 * Writes a time (milliseconds since the epoch, in the years 0..9999) as RFC 3339 UTC with milliseconds into bytes at ..
 * at + 24: what Date.toISOString gives, without a string.
 */
export function writeTime(bytes: Uint8Array, at: number, time: number): void {
  const day = Math.floor(time / DAY_MS);
  const slot = day & (DAYS - 1);
  if (dayOf[slot] !== day) {
    const text = new Date(day * DAY_MS).toISOString();
    for (let i = 0; i < TIME_CHARACTERS; i++) dayText[TIME_CHARACTERS * slot + i] = text.charCodeAt(i);
    dayOf[slot] = day;
  }
  for (let i = 0; i < TIME_CHARACTERS; i++) bytes[at + i] = dayText[TIME_CHARACTERS * slot + i];
  const rest = Math.floor(time - day * DAY_MS);
  const seconds = (rest / 1000) | 0;
  const minutes = (seconds / 60) | 0;
  const hours = (minutes / 60) | 0;
  const milliseconds = rest - seconds * 1000;
  writeTwo(bytes, at + 11, hours);
  writeTwo(bytes, at + 14, minutes - hours * 60);
  writeTwo(bytes, at + 17, seconds - minutes * 60);
  bytes[at + 20] = 48 + ((milliseconds / 100) | 0);
  writeTwo(bytes, at + 21, milliseconds % 100);
}

function writeTwo(bytes: Uint8Array, at: number, value: number): void {
  const tens = (value / 10) | 0;
  bytes[at] = 48 + tens;
  bytes[at + 1] = 48 + value - tens * 10;
}
