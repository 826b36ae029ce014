// An open loop: requests are sent when they are due, however late the responses are, and each is timed from when it was
// due. So a server that stops for a second makes all requests due in that second late.
import { Agent, get } from 'node:http';

export interface Load {
  requests: number;
  failed: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

export async function openLoop(
  urlOf: (n: number) => string,
  { perSecond, seconds }: { perSecond: number; seconds: number },
): Promise<Load> {
  const agent = new Agent({ keepAlive: true });
  const requests = perSecond * seconds;
  const times = new Float64Array(requests);
  const start = performance.now() + 100;
  let failed = 0;
  let left = requests;
  const done = Promise.withResolvers<void>();
  const send = (n: number) => {
    const due = start + (n * 1000) / perSecond;
    const over = (ok: boolean) => {
      times[n] = performance.now() - due;
      if (!ok) failed++;
      if (--left === 0) done.resolve();
    };
    get(urlOf(n), { agent }, (response) => {
      response.resume();
      response.on('end', () => over(response.statusCode === 200));
    }).on('error', () => over(false));
  };
  let next = 0;
  const timer = setInterval(() => {
    for (; next < requests && performance.now() >= start + (next * 1000) / perSecond; next++) send(next);
    if (next === requests) clearInterval(timer);
  }, 1);
  await done.promise;
  agent.destroy();
  times.sort();
  const at = (share: number) => times[Math.ceil(share * requests) - 1];
  return { requests, failed, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}
