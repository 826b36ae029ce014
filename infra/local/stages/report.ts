// Puts the weekly report among the alerts, once a week.
import { createHash } from 'node:crypto';
import type { ClaimStore } from '#core/stores.ts';
import { type ReportOptions, weeklyReport } from '#serve/report.ts';
import type { ResolvedSettings } from '#settings/schema.ts';
import type { Alerts } from '../stores/alerts.ts';

export interface WeeklyOptions extends Omit<ReportOptions, 'now'> {
  day: NonNullable<ResolvedSettings['reportDay']>;
  alerts: ClaimStore & Pick<Alerts, 'add'>;
  clock: () => number;
  newId: () => string;
}

const rule = 'weekly report';
const firstHour = 8;
const days = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];

/** Adds the report where it is due and nobody has claimed it; call it now and then. */
export async function reportWhenDue({ day, alerts, clock, newId, ...stores }: WeeklyOptions): Promise<void> {
  const now = clock();
  const date = new Date(now);
  if (days[date.getUTCDay()] !== day || date.getUTCHours() < firstHour) return;
  const key = JSON.stringify([rule, date.toISOString().slice(0, 10)]);
  const mine = newId();
  if ((await alerts.claim(key, mine)) !== mine) return;
  const id = createHash('sha256').update(key).digest('base64url').slice(0, 22);
  await alerts.add({ id, time: now, rule, when: 'report', text: await weeklyReport({ ...stores, now }), data: {} });
}
