import type { Credential, CredentialStore } from '#core/stores.ts';
import { openDatabase } from './sqlite/sqlite.ts';
import { steadyClock } from './sqlite/steady-clock.ts';
import { wipe } from './sqlite/wipe.ts';

export function openCredentials(file: string, clock: () => number): CredentialStore {
  const database = openDatabase(
    file,
    `CREATE TABLE IF NOT EXISTS credentials (
       kind TEXT, digest TEXT, user TEXT, created_at REAL, expires_at REAL, used_at REAL, doc TEXT,
       PRIMARY KEY (kind, digest)) WITHOUT ROWID;
     CREATE INDEX IF NOT EXISTS credentials_expiring ON credentials (expires_at) WHERE expires_at IS NOT NULL;`,
  );
  const time = steadyClock(database, clock);
  const prepare = (sql: string) => database.prepare(sql);
  const put = prepare('INSERT OR REPLACE INTO credentials VALUES (?, ?, ?, ?, ?, ?, ?)');
  const expire = prepare('DELETE FROM credentials WHERE expires_at <= ?');
  const live = '(expires_at IS NULL OR expires_at > ?)';
  const find = prepare(`SELECT used_at, doc FROM credentials WHERE kind = ? AND digest = ? AND ${live}`);
  const list = prepare(`SELECT used_at, doc FROM credentials WHERE kind = ? AND ${live} ORDER BY created_at, digest`);
  const used = prepare('UPDATE credentials SET used_at = max(coalesce(used_at, 0), ?) WHERE kind = ? AND digest = ?');
  const remove = prepare('DELETE FROM credentials WHERE kind = ? AND digest = ?');
  const forget = prepare('DELETE FROM credentials WHERE user = ?');

  return {
    async put(credential) {
      // Whoever signs in while the clock is ahead must not end what lasts until then.
      expire.run(time());
      const { kind, digest, user = null, createdAt, expiresAt = null, usedAt = null } = credential;
      put.run(kind, digest, user, createdAt, expiresAt, usedAt, JSON.stringify(credential));
    },
    async find(kind, digest) {
      const row = find.get(kind, digest, clock());
      return row && credentialOf(row);
    },
    async list(kind) {
      return list.all(kind, clock()).map(credentialOf);
    },
    async used(kind, digest, at) {
      used.run(at, kind, digest);
    },
    async remove(kind, digest) {
      return remove.run(kind, digest).changes > 0;
    },
    async forget(user) {
      const rows = Number(forget.run(user).changes);
      await wipe(file);
      return rows;
    },
  };
}

const credentialOf = ({ used_at: usedAt, doc }: Record<string, unknown>): Credential => ({
  ...(JSON.parse(String(doc)) as Credential),
  ...(usedAt === null ? {} : { usedAt: Number(usedAt) }),
});
