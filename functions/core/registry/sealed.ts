// Encrypts quarantined entries at rest, because they contain strangers' texts. Each UTC day has a key, which is
// destroyed after `quarantineBounds.days`, so that every copy becomes unreadable at once; masking addresses is only a
// second defence.
import type { Quarantined } from '../event.ts';

/** The limits of the quarantine: the oldest entries are dropped first. */
export const quarantineBounds = { days: 30, bytes: 256 * 1024 * 1024, pageBytes: 1024 * 1024 };

const dayMs = 86_400_000;
const nonceBytes = 12;

/** The name of the key for the UTC day of a time, milliseconds since the epoch. */
export const quarantineKeyName = (time: number): string => `quarantine ${new Date(time).toISOString().slice(0, 10)}`;

/**
 * When the key of an entry with this time is destroyed: never later than the key of an entry made now, because a clock
 * may have been ahead.
 */
export function quarantineKeyExpiry(time: number, now: number): number {
  const lives = (quarantineBounds.days + 1) * dayMs;
  return Math.max(now + dayMs, Math.min(Math.floor(time / dayMs) * dayMs, now) + lives);
}

const keyOf = (key: Uint8Array) =>
  crypto.subtle.importKey('raw', new Uint8Array(key), 'AES-GCM', false, ['encrypt', 'decrypt']);
const parameters = (id: string, iv: Uint8Array<ArrayBuffer>) => ({
  name: 'AES-GCM',
  iv,
  additionalData: new TextEncoder().encode(id),
});

/** Encrypts an entry (AES-256-GCM). Its id is authenticated, so that encrypted entries can't be swapped. */
export async function sealEntry(entry: Quarantined, key: Uint8Array): Promise<Uint8Array> {
  // Random nonces are safe for 2^32 entries a day.
  const nonce = crypto.getRandomValues(new Uint8Array(nonceBytes));
  const plain = new TextEncoder().encode(JSON.stringify(entry));
  const sealed = new Uint8Array(await crypto.subtle.encrypt(parameters(entry.id, nonce), await keyOf(key), plain));
  const bytes = new Uint8Array(nonceBytes + sealed.length);
  bytes.set(nonce);
  bytes.set(sealed, nonceBytes);
  return bytes;
}

/** Throws if the bytes were changed, or were encrypted for another id or with another key. */
export async function openEntry(id: string, sealed: Uint8Array, key: Uint8Array): Promise<Quarantined> {
  const bytes = new Uint8Array(sealed);
  const plain = await crypto.subtle.decrypt(
    parameters(id, bytes.slice(0, nonceBytes)),
    await keyOf(key),
    bytes.slice(nonceBytes),
  );
  return JSON.parse(new TextDecoder().decode(plain));
}
