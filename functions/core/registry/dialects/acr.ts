// Azure Container Registry: https://learn.microsoft.com/azure/container-registry/container-registry-webhook-reference.
// An event in Distribution's format without the envelope; also charts, quarantine and `ping`. It reports no pulls.
// Event Grid wraps the same event, as CloudEvents or in its own schema (an array):
// https://learn.microsoft.com/azure/event-grid/event-schema-container-registry.
import { type Fields, isObject, text } from '../fields.ts';
import { type Dialect, whole } from './dialect.ts';
import { readDistribution } from './distribution.ts';

export const acr: Dialect = {
  name: 'acr',
  fits: (body) => isEvent(body) || isWrapped(body),
  items: (body) => whole(isWrapped(body) ? (body.data as Fields) : body),
  read: (item) =>
    ['ping', 'chart_push', 'chart_delete', 'quarantine'].includes(text(item as Fields, 'action'))
      ? []
      : readDistribution(item),
};

const isEvent = ({ id, action, timestamp, target }: Fields) =>
  typeof action === 'string' && typeof id === 'string' && (timestamp !== undefined || target !== undefined);

const isWrapped = ({ type, eventType, data }: Fields) =>
  [type, eventType].some((name) => typeof name === 'string' && name.startsWith('Microsoft.ContainerRegistry.')) &&
  isObject(data);
