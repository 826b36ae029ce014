// Encryption at rest for what holds addresses for a time: records of the stream and batches that failed.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export interface Seal {
  /** Encrypts; `about` is not kept, and opening needs the same again, so that sealed bytes can't change places. */
  close(plain: Uint8Array, about: string): Uint8Array;
  /** Throws when the bytes were changed, or were sealed with another key or for another place. */
  open(sealed: Uint8Array, about: string): Buffer;
}

const nonceBytes = 12;
const tagBytes = 16;

/** AES-256-GCM (NIST SP 800-38D) with a key kept in `folder`/key, readable by its owner only and made on first use. */
export function openSeal(folder: string): Seal {
  const key = keptKey(folder);
  return {
    close(plain, about) {
      // Random nonces: safe for 2^32 messages of one key; a message is a block of records, not a record.
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
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, 'key');
  const key = readIfThere(file) ?? makeKey(folder, file);
  if (key.length !== 32)
    throw new Error(`${file} holds ${key.length} bytes instead of 32: it is not a key of this program`);
  return key;
}

/** A link appears whole or not at all and never replaces: of several openers at once, one makes the key of all. */
function makeKey(folder: string, file: string): Buffer {
  const draft = join(folder, `key-${randomBytes(8).toString('hex')}`);
  const handle = openSync(draft, 'wx', 0o600);
  try {
    writeSync(handle, randomBytes(32));
    fsyncSync(handle);
    linkSync(draft, file);
    syncFolder(folder);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
  } finally {
    closeSync(handle);
    rmSync(draft);
  }
  return readFileSync(file);
}

function readIfThere(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
  }
}

/** Makes a new or renamed entry of a folder survive a power cut. Windows has no such call, and needs none. */
export function syncFolder(folder: string): void {
  if (process.platform === 'win32') return;
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
