// Posts alerts to the owner's webhook, signed, one after another and each at most once: an alert is marked as handed
// out before it is posted. A receiver checks `X-Whalewatch-Signature: t=SECONDS,v1=HEX`, where HEX is the HMAC-SHA256 of
// "SECONDS.BODY" under the shared secret, and refuses old seconds.
import { createHmac } from 'node:crypto';
import type { Alert } from '#core/rules.ts';

export interface DeliverOptions {
  url: string;
  secret: string;
  next: () => Alert | undefined;
  clock: () => number;
  report: (text: string) => void;
  post?: typeof fetch;
}

/** Posts what waits; resolves when nothing does. */
export async function deliver({ url, secret, next, clock, report, post = fetch }: DeliverOptions): Promise<void> {
  for (let alert = next(); alert; alert = next()) {
    const body = JSON.stringify({ ...alert, time: new Date(alert.time).toISOString() });
    const headers = {
      'Content-Type': 'application/json',
      'X-Whalewatch-Id': alert.id,
      'X-Whalewatch-Signature': signature(secret, Math.floor(clock() / 1000), body),
    };
    try {
      const { ok, status } = await post(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(5000) });
      if (!ok) report(`the alert webhook responded ${status}; alert ${alert.id} is not sent again`);
    } catch (cause) {
      report(`the alert webhook can't be reached (${(cause as Error).message}); alert ${alert.id} is lost`);
    }
  }
}

export function signature(secret: string, seconds: number, body: string): string {
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}
