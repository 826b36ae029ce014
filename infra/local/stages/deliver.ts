// Posts messages to the owner's webhook, signed, one after another and each at most once: a message is marked as handed
// out before it is posted. A receiver checks `X-Whalewatch-Signature: t=SECONDS,v1=HEX`, where HEX is the HMAC-SHA256 of
// "SECONDS.BODY" under the shared secret, and refuses old seconds.
import { createHmac } from 'node:crypto';
import type { Notice } from '#core/rules.ts';

export interface DeliverOptions {
  url: string;
  secret: string;
  next: () => Notice | undefined;
  clock: () => number;
  report: (text: string) => void;
  post?: typeof fetch;
}

/** Posts what waits; resolves when nothing does. */
export async function deliver({ url, secret, next, clock, report, post = fetch }: DeliverOptions): Promise<void> {
  for (let notice = next(); notice; notice = next()) {
    const body = JSON.stringify({ ...notice, time: new Date(notice.time).toISOString() });
    const headers = {
      'Content-Type': 'application/json',
      'X-Whalewatch-Id': notice.id,
      'X-Whalewatch-Signature': signature(secret, Math.floor(clock() / 1000), body),
    };
    try {
      const { ok, status } = await post(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(5000) });
      if (!ok) report(`the webhook for messages answered ${status}; message ${notice.id} is not sent again`);
    } catch (cause) {
      report(`the webhook for messages can't be reached (${(cause as Error).message}); message ${notice.id} is lost`);
    }
  }
}

export function signature(secret: string, seconds: number, body: string): string {
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}
