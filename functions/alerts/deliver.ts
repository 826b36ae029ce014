// Hands alerts to the receivers, one after another and each at most once: an alert is marked as handed out before it is
// sent. In a storm of alerts a rule sends at most `perHour` within an hour; a digest sums up the rest.
import type { AlertQueue } from '#core/stores.ts';
import type { Receiver } from './receivers/receiver.ts';

export interface DeliverOptions {
  receivers: Receiver[];
  alerts: AlertQueue;
  /** The most alerts that one rule sends in an hour. */
  perHour: number;
  report: (text: string) => void;
  /** Whether there is time for another alert. Default: always. */
  goesOn?: () => boolean;
}

/** Sends the waiting alerts and the digests that are due; resolves when none is left. */
export async function deliver({
  receivers,
  alerts,
  perHour,
  report,
  goesOn = () => true,
}: DeliverOptions): Promise<void> {
  while (goesOn()) {
    const alert = (await alerts.next(perHour)) ?? (await alerts.digest());
    if (!alert) return;
    const { id } = alert;
    const sent = await Promise.allSettled(receivers.map((receiver) => receiver.send(alert)));
    for (const [at, result] of sent.entries())
      if (result.status === 'rejected')
        report(`${receivers[at].name} did not take alert ${id}, which is not sent again: ${result.reason.message}`);
  }
}
