import { variables } from '#aws/env.ts';

const names = [
  'BUCKET',
  'SEARCH_ENDPOINT',
  'SEARCH_SIGNED',
  'SEED',
  'ALS',
  'MODEL',
  'TRAIN_BUDGET',
  'METRICS',
] as const;
export type Variables = Record<(typeof names)[number], string>;
export const readVariables = (): Variables => variables(names);
