// Hands alerts to the receivers, one after another and each at most once: an alert is marked as handed out before it is
// sent. In a storm a rule sends so many within an hour; the rest is summed up in a digest.
import type { Receiver } from '../receivers/receiver.ts';
import type { Alerts } from '../stores/alerts.ts';

export interface DeliverOptions {
  receivers: Receiver[];
  alerts: Pick<Alerts, 'next' | 'digest'>;
  /** Alerts of one rule, at most. */
  perHour: number;
  report: (text: string) => void;
}

/** Sends what waits and the digests that are due; resolves when nothing does. */
export async function deliver({ receivers, alerts, perHour, report }: DeliverOptions): Promise<void> {
  const next = () => alerts.next(perHour) ?? alerts.digest();
  for (let alert = next(); alert; alert = next()) {
    const { id } = alert;
    const sent = await Promise.allSettled(
      receivers.map((receiver) => receiver.send(alert as NonNullable<typeof alert>)),
    );
    for (const [at, result] of sent.entries())
      if (result.status === 'rejected')
        report(`${receivers[at].name} did not take alert ${id}, which is not sent again: ${result.reason.message}`);
  }
}
