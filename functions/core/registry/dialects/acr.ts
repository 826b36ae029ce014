// Azure Container Registry: https://learn.microsoft.com/azure/container-registry/container-registry-webhook-reference.
// One event of Distribution's form without the envelope; charts, quarantine and `ping` beside. It reports no pulls.
import { type Fields, text } from '../fields.ts';
import { type Dialect, whole } from './dialect.ts';
import { readDistribution } from './distribution.ts';

export const acr: Dialect = {
  name: 'acr',
  fits: ({ id, action, timestamp, target }) =>
    typeof action === 'string' && typeof id === 'string' && (timestamp !== undefined || target !== undefined),
  items: whole,
  read: (item) =>
    ['ping', 'chart_push', 'chart_delete', 'quarantine'].includes(text(item as Fields, 'action'))
      ? []
      : readDistribution(item),
};
