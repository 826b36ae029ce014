// npm run soak [-- --hits 10000000 --events 20000 --kills 20 --hostile --minutes 60]: traffic through the running local stack while
// it is killed at random; then every sum is compared with what was sent, and memory with the first half's. --hostile:
// strangers, odd bodies, held connections and pauses beside it. --minutes spreads the traffic over that time, and then
// stops it.
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { parseArgs } from 'node:util';
import { seeded } from '#core/bytes/random.ts';
import { pullOf } from '../support/registry-event.ts';
import { dataFolder, eventually, type Running, startLocal } from '../support/run.ts';

export interface Soak {
  hits: number;
  events: number;
  kills: number;
  seed: number;
  /** Strangers, odd bodies and pauses beside the traffic. */
  hostile?: boolean;
  /** The time over which the traffic is spread; if left out, traffic is sent as fast as it is accepted. */
  minutes?: number;
  log?: (text: string) => void;
}

export interface Soaked {
  hits: number;
  events: number;
  kills: number;
  seconds: number;
  /** Requests that got no response because of a kill: each must be counted whole or not at all. */
  unanswered: number;
  /** Highest resident memory of the first and of the second half, MiB. */
  rssMiB: [number, number];
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
/** A pause of the machine during a request ends it with 408: treated as no response. */
const heard = (answer: Response | undefined) => (answer?.status === 408 ? undefined : answer);
const hitsOfRequest = 5000;
const domainsOfRequest = 10;
const people = 40;
const repositories = 60;

/** Runs the soak in `folder`; throws when a sum is not exact. */
export async function soak(
  { hits, events, kills, seed, hostile = false, minutes = 0, log = () => {} }: Soak,
  folder: string,
): Promise<Soaked> {
  const random = seeded(seed);
  const began = performance.now();
  const flags = ['--export-every', '1', '--train-every', '20'];
  let running: Running = await startLocal(folder, flags);
  let up = Promise.resolve();
  const requests = Math.ceil(hits / hitsOfRequest);
  const spent = () => (minutes > 0 ? (performance.now() - began) / (minutes * 60_000) : 0);
  /** Waits until this part of the traffic is due; returns false when the time is over. */
  const due = async (part: number) => {
    while (minutes > 0 && spent() < part) await pause(20);
    return spent() < 1;
  };
  const answered = new Array<boolean>(requests).fill(false);
  const pulls = new Map<string, number>();
  let sentEvents = 0;
  let done = 0;
  const rss: [number, number] = [0, 0];

  const sendHits = async () => {
    for (let request = 0; request < requests && (await due(request / requests)); request++) {
      await up;
      const batch = Array.from({ length: hitsOfRequest }, (_, n) => ({
        domain: `r${request}-${n % domainsOfRequest}.soak.example`,
        action: n % 3 === 0 ? 'login' : 'view',
      }));
      const from = `${1 + (request % 200)}.${(request * 7) % 250}.3.4`;
      const answer = heard(await running.post('/v1/hits', batch, { 'X-Forwarded-For': from }).catch(() => undefined));
      // As a back end does: refused hits are sent again.
      if (answer?.status === 503) {
        await pause(100);
        request--;
        continue;
      }
      if (answer && answer.status !== 202) throw new Error(`hits got ${answer.status}: ${await answer.text()}`);
      answered[request] = answer !== undefined;
      done = Math.max((request + 1) / requests, spent());
    }
    done = 1;
  };
  const sendEvents = async () => {
    for (let n = 0; n < events && (await due(n / events)); ) {
      await up;
      const batch = Array.from({ length: Math.min(20, events - n) }, (_, i) => event(n + i));
      // As a registry does: again and again until it is accepted.
      const answer = heard(await running.post('/v1/registry-events', { events: batch }).catch(() => undefined));
      if (answer === undefined || answer.status === 503) continue;
      if (answer.status !== 202) throw new Error(`events got ${answer.status}`);
      for (const { actor, target } of batch) {
        const key = `${actor.name} ${target.repository}`;
        pulls.set(key, (pulls.get(key) ?? 0) + 1);
      }
      n += batch.length;
      sentEvents = n;
    }
  };
  const watch = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${running.child.pid}/status`, 'utf8');
      const mib = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
      const half = done < 0.5 ? 0 : 1;
      rss[half] = Math.max(rss[half], mib);
    } catch {} // no server runs between a kill and the next start
  }, 250);
  const kill = async () => {
    for (let n = 0; n < kills; n++) {
      const at = (n + random()) / kills;
      while (done < at && done < 1) await new Promise((resolve) => setTimeout(resolve, 20));
      const restart = Promise.withResolvers<void>();
      up = restart.promise;
      await running.kill();
      running = await startLocal(folder, flags);
      restart.resolve();
      log(`killed ${n + 1} of ${kills}; ${Math.round(done * 100)} % of the hits, ${sentEvents} events sent`);
    }
  };
  try {
    await Promise.all([sendHits(), sendEvents(), kill(), hostile ? harass() : undefined]);
    const counted = await countedDomains(answered);
    const exact = await verify(counted);
    return {
      hits: exact,
      events: sentEvents,
      kills,
      seconds: (performance.now() - began) / 1000,
      unanswered: answered.filter((is) => !is).length,
      rssMiB: [Math.round(rss[0]), Math.round(rss[1])],
    };
  } finally {
    clearInterval(watch);
    await running.kill();
  }

  /**
   * Until all hits are sent: the faults of test/local/faults.test.ts in random order. None of them counts as a hit or
   * pull.
   */
  async function harass() {
    const odd = seeded(seed + 1);
    const acts = [
      () => running.post('/v1/hits', '['.repeat(100_000)),
      () => running.post('/v1/hits', `"${'x'.repeat(2_000_000)}"`),
      () => running.post('/v1/registry-events', `{"events": ${'['.repeat(50_000)}`),
      () => running.post('/v1/registry-events', { events: [{}] }, { Authorization: 'Bearer wrong' }),
      () => running.post('/v1/registry-events', { events: [{ id: 'x'.repeat(100_000 * odd()) }] }),
      () => fetch(`${running.origin}/v1/quarantine?limit=1000`).then((answer) => answer.text()),
      () => fetch(`${running.origin}/v1/users?user=nobody`, { method: 'DELETE' }),
      () => fetch(`${running.origin}/v1/history?user=${'a'.repeat(5000)}`),
      () => fetch(`${running.origin}/v1/tiles/latest/99/-1/x.mvt`),
      async () => {
        const { port } = new URL(running.origin);
        const sockets = Array.from({ length: 100 }, () => connect(Number(port), '127.0.0.1').on('error', () => {}));
        for (const socket of sockets) socket.write('POST /v1/hits HTTP/1.1\r\nContent-Length: 1000\r\n\r\n[{');
        await pause(200);
        for (const socket of sockets) socket.destroy();
      },
      async () => {
        const { child } = running;
        child.kill('SIGSTOP');
        // Sometimes as long as the migration of a virtual machine takes.
        await pause((odd() < 0.02 ? 20_000 : 1000) * odd());
        child.kill('SIGCONT');
      },
    ];
    while (done < 1) {
      await up;
      const act = acts[Math.floor(odd() * acts.length)];
      // A kill may come between.
      await act().catch(() => {});
      await pause(20);
    }
  }

  /** The counted hits of each request, once everything accepted is folded. */
  async function countedDomains(answered: boolean[]): Promise<number[]> {
    const read = async () => {
      const sums = new Array<number>(requests).fill(0);
      let cursor: string | undefined;
      do {
        const page: { items: { key: string; hits: number }[]; cursor?: string } = await running.get(
          `/v1/hits?by=domain&limit=10000${cursor ? `&cursor=${cursor}` : ''}`,
        );
        for (const { key, hits } of page.items) sums[Number(/^r(\d+)-/.exec(key)?.[1])] += hits;
        cursor = page.cursor;
      } while (cursor);
      return sums;
    };
    const settled = (sums: number[]) => answered.every((was, request) => (was ? sums[request] >= hitsOfRequest : true));
    await eventually(900, read, settled);
    // Requests without a response may still be on their way: waits for two equal readings a few exports apart.
    for (let last = ''; ; ) {
      const sums = await read();
      if (JSON.stringify(sums) === last) return sums;
      last = JSON.stringify(sums);
      await new Promise((resolve) => setTimeout(resolve, 3000));
    }
  }

  async function verify(counted: number[]): Promise<number> {
    for (const [request, sum] of counted.entries())
      if (sum !== hitsOfRequest && !(sum === 0 && !answered[request]))
        throw new Error(
          `request ${request} (${answered[request] ? '' : 'not '}answered) has ${sum} hits, not ${hitsOfRequest}`,
        );
    const total = counted.reduce((sum, hits) => sum + hits, 0);
    for (const by of ['day', 'country', 'action']) {
      const { items } = await running.get<{ items: { hits: number }[] }>(`/v1/hits?by=${by}&limit=10000`);
      const sum = items.reduce((sum, { hits }) => sum + hits, 0);
      if (sum !== total) throw new Error(`by ${by} there are ${sum} hits, not ${total}`);
    }
    await eventually(
      60,
      () => running.get<{ total: { pulls: number; raw: number } }>('/v1/pulls'),
      ({ total }) => total.raw === sentEvents && total.pulls === sentEvents,
    );
    const rows =
      await running.get<{ repository: string; pulls: number; pulledBy: number }[]>('/v1/repositories?limit=1000');
    for (const { repository, pulls: found, pulledBy } of rows) {
      const own = [...pulls].filter(([key]) => key.endsWith(` ${repository}`));
      const expected = own.reduce((sum, [, count]) => sum + count, 0);
      if (found !== expected || pulledBy !== own.length)
        throw new Error(`${repository} has ${found} pulls by ${pulledBy}, not ${expected} by ${own.length}`);
    }
    return total;
  }

  function event(n: number) {
    const r = seeded(seed * 1_000_003 + n);
    const repository = `soak/image-${Math.floor(r() * repositories)}`;
    const user = `person-${Math.floor(r() * people)}`;
    return pullOf(user, repository, { id: `soak-${seed}-${n}`, n, time: Date.UTC(2026, 9, 1) + n * 60_000 });
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      hits: { type: 'string', default: '10000000' },
      events: { type: 'string', default: '20000' },
      kills: { type: 'string', default: '20' },
      seed: { type: 'string', default: '1' },
      minutes: { type: 'string', default: '0' },
      hostile: { type: 'boolean', default: false },
    },
  });
  const { hostile, ...rest } = values;
  const numbers = Object.fromEntries(Object.entries(rest).map(([name, text]) => [name, Number(text)]));
  const cleanUps: (() => void)[] = [];
  const folder = dataFolder({ after: (work) => cleanUps.push(work) });
  const result = await soak({ ...(numbers as unknown as Soak), hostile, log: console.log }, folder);
  for (const cleanUp of cleanUps) cleanUp();
  console.log('every sum is exact');
  console.log(JSON.stringify(result));
}
