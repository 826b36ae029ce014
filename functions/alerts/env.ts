import { variables } from '#aws/env.ts';

const names = [
  'ALERTS_TABLE',
  'BUCKET',
  'SEARCH_ENDPOINT',
  'SEARCH_SIGNED',
  'TOPIC',
  'RECEIVERS_SECRET_ID',
  'MAIL_TO',
  'MAIL_FROM',
  'ALERTS_PER_HOUR',
  'REPORT_DAY',
  'METRICS',
] as const;
export type Variables = Record<(typeof names)[number], string>;
export const readVariables = (): Variables => variables(names);
