import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after } from 'node:test';
import { openAlerts } from '#local/stores/alerts.ts';
import { openCheckpoints } from '#local/stores/checkpoints.ts';
import { openCredentials } from '#local/stores/credentials.ts';
import { openEvents } from '#local/stores/events.ts';
import { openObjects } from '#local/stores/objects.ts';
import { openRefusals } from '#local/stores/refusals.ts';
import { openReader } from '#local/stores/search/reading.ts';
import { openSearch } from '#local/stores/search/search.ts';
import { openStream } from '#local/stores/stream.ts';
import { alertContract } from '../../contracts/alerts.ts';
import { checkpointContract } from '../../contracts/checkpoints.ts';
import { claimContract } from '../../contracts/claims.ts';
import { credentialContract } from '../../contracts/credentials.ts';
import { eventContract } from '../../contracts/events.ts';
import { objectContract } from '../../contracts/objects.ts';
import { refusalContract } from '../../contracts/refusals.ts';
import { searchContract } from '../../contracts/search.ts';
import { streamContract } from '../../contracts/stream.ts';

const root = mkdtempSync(join(tmpdir(), 'stores-'));
after(() => rmSync(root, { recursive: true }));
const fresh = () => mkdtempSync(join(root, 'store-'));

streamContract('embedded stream', async () => {
  const stream = openStream(fresh(), { shards: 2, clock: Date.now });
  const read = async () =>
    stream
      .shards()
      .flatMap(({ id }) => stream.read(id, '0', Infinity).records.map((record) => ({ shard: id, ...record })));
  return { stream, read };
});

checkpointContract('embedded checkpoints', async () => openCheckpoints(join(fresh(), 'checkpoints.db')));

eventContract('embedded events', async (clock, bounds) => openEvents(join(fresh(), 'events.db'), clock, bounds));

/** The tables of 0.1.0, and those that followed: in the order of users, then as they came. */
const olderTables = [
  `CREATE TABLE events (id TEXT PRIMARY KEY, user TEXT, repository TEXT, time REAL, origin TEXT, doc TEXT) WITHOUT ROWID;
   CREATE TABLE pulls (id TEXT PRIMARY KEY, user TEXT, repository TEXT, time REAL, doc TEXT) WITHOUT ROWID;`,
  `CREATE TABLE events (id TEXT NOT NULL UNIQUE, user TEXT, repository TEXT, time REAL, origin TEXT, doc TEXT,
     PRIMARY KEY (user, repository, time, id)) WITHOUT ROWID;
   CREATE TABLE pulls (
     id TEXT, user TEXT, repository TEXT, time REAL, doc TEXT, PRIMARY KEY (user, repository, time, id)) WITHOUT ROWID;
   CREATE INDEX pulls_history ON pulls (user, time DESC, id DESC);`,
  `CREATE TABLE events (id TEXT NOT NULL UNIQUE, user TEXT, repository TEXT, time REAL, origin TEXT, doc TEXT);
   CREATE TABLE pulls (id TEXT, user TEXT, repository TEXT, time REAL, doc TEXT);`,
];
for (const [at, tables] of olderTables.entries())
  eventContract(`embedded events in a file of an older version (${at})`, async (clock, bounds) => {
    const file = join(fresh(), 'events.db');
    const older = new DatabaseSync(file);
    older.exec(tables);
    older.close();
    return openEvents(file, clock, bounds);
  });

credentialContract('embedded credentials', async (clock) => openCredentials(join(fresh(), 'credentials.db'), clock));

refusalContract('embedded refusals', async (clock) => openRefusals(join(fresh(), 'refusals.db'), clock));

claimContract('embedded claims', async () => openAlerts(join(fresh(), 'notices.db'), Date.now));

alertContract('embedded alerts', async (clock) => openAlerts(join(fresh(), 'notices.db'), clock));

objectContract('embedded objects', async () => openObjects(fresh()));

searchContract('embedded search', async () => ({
  store: openSearch(join(fresh(), 'search.db')),
  settled: async () => {},
}));

searchContract('embedded search, long queries in a thread', async () => ({
  store: openReader(join(fresh(), 'search.db')),
  settled: async () => {},
}));
