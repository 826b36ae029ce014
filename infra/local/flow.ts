// The whole flow on one machine: the server and a thread for each stage, which share only the stores of the data
// folder.
import { existsSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { flushCompileCache } from 'node:module';
import { join } from 'node:path';
import { readManifest } from '#core/hits/manifest.ts';
import { defaultRegistry } from '#core/registry/name.ts';
import type { CredentialStore } from '#core/stores.ts';
import { addToken, endToken, tokenId, tokensOf } from '#serve/registry-tokens.ts';
import { localAccess } from '#settings/access.ts';
import { SettingError } from '#settings/error.ts';
import type { ResolvedSettings } from '#settings/schema.ts';
import { builtPages } from '../../web/build.ts';
import { ipDatabaseBuiltAt } from './defaults.ts';
import { demo, type Post } from './demo/demo.ts';
import { demoHarbor } from './demo/registries.ts';
import { diskFaults, sumFaults, threadFaults } from './faults.ts';
import { keptToken, openFolder } from './folder.ts';
import { holdFolder } from './hold.ts';
import { openLog } from './log.ts';
import { openMetrics } from './metrics.ts';
import { lagOf, listen, localApp, unhealthyAfterSeconds } from './server.ts';
import { startThread, type Thread } from './stages/threads.ts';
import { olderEvents } from './stores/older-events.ts';
import { eventsOfServer, openReader } from './stores/search/reading.ts';
import { replaceLostSearch } from './stores/search/refill.ts';
import { olderDocuments } from './stores/search/search.ts';
import { openSeal } from './stores/secrets/seal.ts';
import { checkDatabases, emptyDatabases, faultOf, foldLogs, scrubDatabases } from './stores/sqlite/integrity.ts';
import { hasOlderRows } from './stores/sqlite/older.ts';
import { clock, openStores } from './stores/stores.ts';

/** Whoever can reach the server can try shorter tokens one after the other. */
const guessable = 16;

/** Starts the server and the stages; resolves when it is ready. */
export async function start(given: ResolvedSettings): Promise<void> {
  const settings = given.demo ? withDemoRegistry(given) : given;
  const access = localAccess(settings);
  const log = openLog(settings.log);
  const folder = openFolder(settings.data);
  holdFolder(folder, 'npm start');
  // Its key is needed only when a batch fails, but a damaged key must be reported at the start.
  openSeal(join(folder, 'failures'));
  if (settings.opensearch) await lookFor(settings.opensearch, folder);
  const token = () => settings.token ?? keptToken(folder);
  const web = await builtPages(() => console.log('building the pages, once'));
  const lost = settings.opensearch ? undefined : replaceLostSearch(folder);
  if (lost) log.error(`${join(folder, 'search.db')} ${lost}: it is rebuilt from events`);
  for (const [name, older] of [
    ['events.db', olderEvents],
    ['search.db', olderDocuments],
  ] as const)
    if (hasOlderRows(join(folder, name), older))
      log.info(`the rows of ${name} are moved to the tables of this version: about 15 s for a million events`);
  const empty = emptyDatabases(folder);
  const opened = openStores(folder, settings.opensearch, 'serve');
  // After a first start on a full disk a file may be empty, but nothing was exported yet.
  const { manifest } = await readManifest(opened.objects).catch(() => ({ manifest: undefined }));
  const lostFiles = manifest?.generation === 0 ? [] : empty;
  const stores = { ...opened, events: eventsOfServer(join(folder, 'events.db'), opened.events) };
  const search = settings.opensearch ? stores.search : openReader(join(folder, 'search.db'));
  let threads: Thread[] = [];
  let damaged = lostFiles.map((file) => faultOf(folder, { file, found: 'it was empty at the start' }));
  const metrics = openMetrics({
    ...{ ...stores, search, folder, settings, clock, unhealthyAfterSeconds },
    lag: async () => lagOf(stores),
    ipTableBuiltAt: ipDatabaseBuiltAt,
  });
  const app = localApp({
    stores: { ...stores, search },
    settings,
    token,
    web,
    log,
    access,
    faults: async () => [
      ...threadFaults(threads),
      ...(await diskFaults(folder, opened.ready)),
      ...sumFaults(stores.sums),
      ...damaged,
    ],
    metrics,
  });
  const { port, server } = await listen(app, settings.port, settings.listen);
  metrics.watch(server as Server);
  const loopback = loopbackUrl(settings.listen, port);
  const origin = access.publicUrl ?? loopback;

  threads = (['processor', 'hits-processor', 'exporter', 'trainer'] as const).map((name) =>
    startThread(
      name,
      { folder, settings },
      { report: log.error, count: ({ count, stage }) => metrics.count(count, stage) },
    ),
  );
  const demonstration = settings.demo ? await startDemo() : undefined;

  const named = settings.registries
    .map(({ name }) => `\n            ${name}: npm run token -- add --registry ${name}`)
    .join('');
  console.log(`
  Page      ${origin}/
  Webhook   ${origin}/v1/registry-events
            Authorization: Bearer ${token()}${named}
  Beacon    <script defer src="${origin}/hit.js"></script>
  Data      ${folder}${settings.demo ? '\n  Demo      marked traffic (demo-…, *.demo.example) is being sent' : ''}
`);
  if (settings.publicUrl && token().length < guessable)
    log.error(`the token has ${token().length} characters and can be guessed: leave it out to have one made`);
  let isStopping = false;
  // The signal may come twice, from npm and from whoever ended npm (ready.cjs), so only a second Ctrl-C ends at once.
  process.on('SIGTERM', stop);
  process.once('SIGINT', stop);
  console.log(`ready ${loopback}`);
  // Without this, compiled code is written only at a clean exit.
  flushCompileCache();
  checkDatabases(folder)
    .then((faults) => {
      damaged = [...damaged, ...faults];
      for (const { reason } of faults) log.error(reason);
      return faults.length > 0 ? undefined : scrubDatabases(folder);
    })
    .catch(log.error);

  async function startDemo() {
    const tokens: Record<string, string> = {
      [defaultRegistry]: token(),
      [demoHarbor]: await onlyToken(stores.credentials, demoHarbor, clock()),
    };
    const marker = join(folder, 'demo');
    const running = demo({ seed: 1, now: clock, send, filledBefore: existsSync(marker) });
    running.filled
      .then((whole) => whole && writeFileSync(marker, 'The demo has sent its two weeks.\n'))
      .catch(log.error);
    return running;

    async function send({ path, body, from, registry = defaultRegistry }: Post): Promise<void> {
      const headers = {
        'Content-Type': 'application/json',
        Authorization: `Bearer ${tokens[registry]}`,
        ...(from ? { 'X-Forwarded-For': from } : {}),
      };
      const response = await fetch(loopback + path, { method: 'POST', headers, body: JSON.stringify(body) });
      if (!response.ok) throw new Error(`demo traffic got ${response.status}: ${await response.text()}`);
    }
  }

  async function stop() {
    if (isStopping) return;
    isStopping = true;
    console.log('stopping: finishing what was accepted');
    demonstration?.stop();
    server.close();
    await Promise.all(threads.map((thread) => thread.stop()));
    try {
      foldLogs(folder);
    } catch (cause) {
      log.error(cause);
    }
    console.log('stopped');
    process.exit(0);
  }
}

/** The demo sends as two registries, of which the second makes and ends tokens of its own. */
function withDemoRegistry(settings: ResolvedSettings): ResolvedSettings {
  if (settings.registries.some(({ name }) => name === demoHarbor))
    throw new SettingError(
      `registries has "${demoHarbor}", the name of the demo's own: give another, or leave --demo out`,
    );
  return { ...settings, registries: [...settings.registries, { name: demoHarbor }] };
}

/** Makes a registry's token, and ends those that it had: nobody else sends them. */
async function onlyToken(credentials: CredentialStore, registry: string, now: number): Promise<string> {
  for (const held of await tokensOf(credentials, registry)) await endToken(credentials, registry, tokenId(held));
  return (await addToken(credentials, registry, now)).token;
}

/** The server's address for this machine itself. */
function loopbackUrl(host: string, port: number): string {
  const name = ['0.0.0.0', '::'].includes(host) ? '127.0.0.1' : host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}

/**
 * If OpenSearch does not respond, a first start is refused, because its URL may be wrong. Later starts go on: the map
 * does not need it, and pulls wait for it.
 */
async function lookFor(opensearch: string, folder: string): Promise<void> {
  try {
    await fetch(opensearch, { signal: AbortSignal.timeout(5000) });
  } catch (cause) {
    const { message } = ((cause as Error).cause ?? cause) as Error;
    const found = `--opensearch ${opensearch} does not respond: ${message}`;
    if (!existsSync(join(folder, 'checkpoints.db'))) throw new SettingError(found, { cause });
    console.error(`${found}; pulls wait until it does`);
  }
}
