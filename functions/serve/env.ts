import { variables } from '#aws/env.ts';

const names = [
  'CHECKPOINTS_TABLE',
  'EVENTS_TABLE',
  'KEYS_TABLE',
  'ALERTS_TABLE',
  'BUCKET',
  'SEARCH_ENDPOINT',
  'SEARCH_SIGNED',
  'CREDENTIALS_TABLE',
  'OWNER_TOKEN_ID',
  'CLIENT_SECRET_ID',
  'ACCESS',
  'REGISTRIES',
  'KEEP_DAYS',
  'UNHEALTHY_AFTER_SECONDS',
  'IP_TABLE_BUILT_AT',
  'METRICS',
] as const;
export type Variables = Record<(typeof names)[number], string>;
export const readVariables = (): Variables => variables(names);

const tileNames = ['BUCKET_URL', 'METRICS'] as const;
export type TileVariables = Record<(typeof tileNames)[number], string>;
export const readTileVariables = (): TileVariables => variables(tileNames);
