// The rows of search that lie by week.
import { byWeek, weekOfRow } from '../sqlite/weeks.ts';
import { documentUsers } from './doc.ts';

/** Documents by user, repository and time. */
export const documentsByUser = byWeek('documents', 'documents_users');
/** Documents by repository and time. */
export const documentsByRepository = byWeek('documents', 'documents_repositories');
export const documentIndices = `
  CREATE INDEX IF NOT EXISTS documents_users ON documents (${weekOfRow}, user, repository, time, kind);
  CREATE INDEX IF NOT EXISTS documents_repositories ON documents (${weekOfRow}, repository, time, kind);
  CREATE INDEX IF NOT EXISTS documents_digests ON documents (${weekOfRow}, digest) WHERE digest IS NOT NULL;`;
export const mixWeeks = { rows: 'mixes', week: 'week' };
export const userDayWeeks = { rows: 'user_days', week: 'week' };
export const pairWeeks = { rows: 'pair_weeks', week: 'week' };

const isListed = 'IN (SELECT value FROM json_each(?))';
/** The condition that a document is of one of these weeks, a JSON list. */
export const ofWeeks = `${weekOfRow} ${isListed}`;
/** The same for the documents of one user, by name. */
export const ofUser = `${ofWeeks} AND ${documentUsers.isNamed}`;
/** The same for a row of `mixes`, `user_days` or `pair_weeks`. */
export const ofSummedWeeks = `week ${isListed}`;
