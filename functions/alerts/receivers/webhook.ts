// Posts an alert as JSON, signed. A receiver checks `X-Whalewatch-Signature: t=SECONDS,v1=HEX`, where HEX is the
// HMAC-SHA256 of "SECONDS.BODY" under the shared secret, and refuses old timestamps.
import { createHmac } from 'node:crypto';
import type { Alert } from '#core/rules.ts';
import { post } from './post.ts';

export const webhook =
  (url: string, secret: string, clock: () => number) =>
  async (alert: Alert): Promise<void> => {
    const body = JSON.stringify({ ...alert, time: new Date(alert.time).toISOString() });
    await post(url, body, {
      'X-Whalewatch-Id': alert.id,
      'X-Whalewatch-Signature': signature(secret, Math.floor(clock() / 1000), body),
    });
  };

function signature(secret: string, seconds: number, body: string): string {
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}
