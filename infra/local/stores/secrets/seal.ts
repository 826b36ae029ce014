// Encryption at rest for data that contains addresses for a while: records of the stream, and failed batches.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { SettingError } from '#settings/error.ts';
import { keptSecret } from './secret.ts';

export interface Seal {
  /**
   * Encrypts; `about` is authenticated but not stored, and opening needs the same value, so that encrypted bytes can't
   * be swapped.
   */
  close(plain: Uint8Array, about: string): Uint8Array;
  /** Throws if the bytes were changed, or were encrypted with another key or another `about`. */
  open(sealed: Uint8Array, about: string): Buffer;
}

const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

/** AES-256-GCM (NIST SP 800-38D) with a key kept in `folder`/key, readable by its owner only and made on first use. */
export function openSeal(folder: string): Seal {
  const key = keptKey(folder);
  return {
    close(plain, about) {
      // Random nonces are safe for 2^32 messages per key; a message is a block of records, not a record.
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(about));
      return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    },
    open(sealed, about) {
      const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, nonceBytes), { authTagLength: tagBytes })
        .setAAD(Buffer.from(about))
        .setAuthTag(bytes.subarray(-tagBytes));
      const plain = decipher.update(bytes.subarray(nonceBytes, -tagBytes));
      decipher.final();
      return plain;
    },
  };
}

function keptKey(folder: string): Buffer {
  const key = keptSecret(folder, 'key', () => randomBytes(keyBytes));
  if (key.length !== keyBytes)
    throw new SettingError(
      `${join(folder, 'key')} holds ${key.length} bytes instead of ${keyBytes}: it is not a key of this program`,
    );
  return key;
}
