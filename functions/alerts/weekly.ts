// Puts the weekly report among the alerts, once a week.
import { createHash } from 'node:crypto';
import type { AlertFeed, ClaimStore } from '#core/stores.ts';
import { type ReportOptions, weeklyReport } from './report.ts';

export type Weekday = (typeof days)[number];

export interface WeeklyOptions extends Omit<ReportOptions, 'now'> {
  day: Weekday;
  alerts: ClaimStore & Pick<AlertFeed, 'add'>;
  clock: () => number;
  newId: () => string;
}

const rule = 'weekly report';
const firstHour = 8;
const days = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'] as const;

/** Adds the report if it is due and no other process has claimed it; to be called regularly. */
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
