import { variables } from '#aws/env.ts';

const names = [
  'CHECKPOINTS_TABLE',
  'EVENTS_TABLE',
  'KEYS_TABLE',
  'ALERTS_TABLE',
  'BUCKET',
  'SEARCH_ENDPOINT',
  'SEARCH_SIGNED',
  'RULES',
  'CLASS_RULES',
  'PULL_WINDOW_SECONDS',
  'IP_TABLE',
  'NETWORKS',
  'POINTS',
  'SHARD_PREFIX',
  'KEEP_EVENTS_DAYS',
  'METRICS',
] as const;
export type Variables = Record<(typeof names)[number], string>;
export const readVariables = (): Variables => variables(names);

const exportNames = [
  'CHECKPOINTS_TABLE',
  'BUCKET',
  'REGISTRY_STREAM',
  'HITS_STREAM',
  'KEEP_DAYS',
  'MOST_DOMAINS',
  'POINTS',
  'ALERTS_TABLE',
  'ANONYMOUS_LEAST',
  'PRIVATE_HOSTS_ON',
  'METRICS',
] as const;
export type ExportVariables = Record<(typeof exportNames)[number], string>;
export const readExportVariables = (): ExportVariables => variables(exportNames);
