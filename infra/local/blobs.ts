import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type ObjectStore, PreconditionFailed } from '#core/stores.ts';
export function openObjects(folder: string): ObjectStore {
  mkdirSync(folder, { recursive: true });
  const file = (key: string) => join(folder, ...key.split('/').map(encodeURIComponent));
  const read = (key: string) => {
    try {
      return readFileSync(file(key));
    } catch {
      return undefined;
    }
  };
  const tag = (b: Uint8Array) => `"${createHash('md5').update(b).digest('hex')}"`;
  return {
    async get(key) {
      const body = read(key);
      return body && { body, etag: tag(body) };
    },
    async head(key) {
      const body = read(key);
      return body && { key, etag: tag(body), size: body.length, modified: statSync(file(key)).mtimeMs };
    },
    async put(key, body, { ifMatch, ifNoneMatch } = {}) {
      const bytes = Buffer.from(body as Uint8Array);
      const held = read(key);
      if ((ifNoneMatch && held) || (ifMatch && (!held || tag(held) !== ifMatch))) throw new PreconditionFailed(key);
      mkdirSync(dirname(file(key)), { recursive: true });
      writeFileSync(`${file(key)}.tmp`, bytes);
      renameSync(`${file(key)}.tmp`, file(key));
      return { etag: tag(bytes) };
    },
    async list(prefix) {
      return readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((e) => e.isFile())
        .map((e) => join(e.parentPath, e.name))
        .map((f) => ({
          f,
          key: f
            .slice(folder.length + 1)
            .split('/')
            .map(decodeURIComponent)
            .join('/'),
        }))
        .filter(({ key }) => key.startsWith(prefix))
        .sort((a, b) => (a.key < b.key ? -1 : 1))
        .map(({ f, key }) => ({ key, etag: '', size: 0, modified: statSync(f).mtimeMs }));
    },
    async remove(keys) {
      for (const key of keys) rmSync(file(key), { force: true });
    },
  };
}
