import type { Variables } from '#collect/env.ts';

/** The environment of collect's function, except the endpoints of AWS. */
export const collectVariables: Variables = {
  REGISTRY_STREAM: 's',
  HITS_STREAM: 's',
  WEBHOOK_TOKEN_ID: 't',
  TRUSTED_PROXIES: '',
  ADDRESS_HEADER: 'X-Forwarded-For',
  NETWORKS: '{}',
  DOMAINS: '',
  REFUSE_HITS: 'false',
  METRICS: 'Whalewatch',
  CREDENTIALS_TABLE: 'c',
  REGISTRIES: '[]',
};
