// Traffic that goes on until the server accepts no more: a stop must lose none of it.
import { pullOf } from './registry-event.ts';

export interface Traffic {
  /** Posts with response 202. */
  accepted: number;
  sent: number;
  /** Resolves when the server accepts no more. */
  over: Promise<void>;
}

/** Posts pulls of `repository`, each by a user of its own, several at once. */
export function pullTraffic(origin: string, token: string, repository: string): Traffic {
  const traffic: Traffic = { accepted: 0, sent: 0, over: Promise.resolve() };
  const send = async (): Promise<void> => {
    for (;;) {
      const n = traffic.sent++;
      const response = await fetch(`${origin}/v1/registry-events`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
        body: JSON.stringify({ events: [pullOf(`user-${n}`, repository)] }),
      }).catch(() => undefined);
      if (response?.status !== 202) return;
      traffic.accepted++;
    }
  };
  traffic.over = Promise.all(Array.from({ length: 4 }, send)).then(() => {});
  return traffic;
}
