// The tables of search that lie by week.
import { byWeek } from '../sqlite/weeks.ts';

export const documentWeeks = byWeek('documents', 'documents_week');
export const mixWeeks = { rows: 'mixes', week: 'week' };
export const userDayWeeks = { rows: 'user_days', week: 'week' };
