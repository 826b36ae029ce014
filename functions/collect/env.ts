import { variables } from '#aws/env.ts';

const names = [
  'REGISTRY_STREAM',
  'HITS_STREAM',
  'WEBHOOK_TOKEN_ID',
  'TRUSTED_PROXIES',
  'ADDRESS_HEADER',
  'NETWORKS',
  'DOMAINS',
  'REFUSE_HITS',
  'METRICS',
  'CREDENTIALS_TABLE',
  'REGISTRIES',
] as const;
export type Variables = Record<(typeof names)[number], string>;
export const readVariables = (): Variables => variables(names);

const serverNames = [...names, 'PORT'] as const;
export type ServerVariables = Record<(typeof serverNames)[number], string>;
export const readServerVariables = (): ServerVariables => variables(serverNames);
