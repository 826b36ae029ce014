// The two registries of the demo, and how each reports what happened: Distribution 3 in envelopes of many events,
// Harbor in CloudEvents of one artifact, without the client's address and name, and only GETs of manifests and pushes.
import { createHash } from 'node:crypto';
import { defaultRegistry } from '#core/registry/name.ts';

/** The name of the demo's Harbor among the server's registries; its other registry is the default one. */
export const demoHarbor = 'demo-harbor';

export interface Target {
  repository: string;
  mediaType: string;
  digest: string;
  size: number;
  references?: { mediaType: string; digest: string; size: number }[];
}

/** A request that a registry served. */
export interface Served {
  id: string;
  /** Milliseconds since the epoch. */
  at: number;
  action: 'pull' | 'push';
  method: string;
  target: Target;
  tag?: string;
  user: string;
  /** The client's address. */
  from: string;
  useragent: string;
}

/** A notification: the registry that posts it, and its body. */
export interface Notification {
  registry: string;
  body: object;
}

const eventsInEnvelope = 250;

/** Returns the notifications of requests, in their order. `isHarbors`: whether Harbor has this repository. */
export function notifications(served: Served[], isHarbors: (repository: string) => boolean): Notification[] {
  const { harbor = [], distribution = [] } = Object.groupBy(served, ({ target }) =>
    isHarbors(target.repository) ? 'harbor' : 'distribution',
  );
  const notified: Notification[] = [];
  for (let start = 0; start < distribution.length; start += eventsInEnvelope)
    notified.push({
      registry: defaultRegistry,
      body: { events: distribution.slice(start, start + eventsInEnvelope).map(distributionEvent) },
    });
  const reported = harbor.filter(({ method, target }) => method !== 'HEAD' && isManifest(target));
  return [...notified, ...reported.map((one) => ({ registry: demoHarbor, body: harborEvent(one) }))];
}

function distributionEvent({ id, at, action, method, target, tag, user, from, useragent }: Served): object {
  return {
    id,
    timestamp: new Date(at).toISOString(),
    action,
    target: {
      ...target,
      length: target.size,
      url: `https://registry.demo.example/v2/${target.repository}/manifests/${target.digest}`,
      ...(tag ? { tag } : {}),
    },
    request: { id: uuid(`${id} request`), addr: `${from}:40404`, host: 'registry.demo.example', method, useragent },
    actor: { name: user },
    source: { addr: 'registry.demo.example:5000', instanceID: uuid('demo registry') },
  };
}

function harborEvent({ id, at, action, target, tag, user }: Served): object {
  const [namespace, name] = target.repository.split('/');
  return {
    specversion: '1.0',
    id,
    source: '/projects/1/webhook/policies/1',
    type: `harbor.artifact.${action}ed`,
    datacontenttype: 'application/json',
    time: new Date(at).toISOString(),
    operator: user,
    data: {
      resources: [
        {
          digest: target.digest,
          tag: tag ?? target.digest,
          resource_url: `harbor.demo.example/${target.repository}${tag ? `:${tag}` : `@${target.digest}`}`,
        },
      ],
      repository: { name, namespace, repo_full_name: target.repository, repo_type: 'private' },
    },
  };
}

const isManifest = ({ mediaType }: Pick<Target, 'mediaType'>): boolean => /image\.(index|manifest)\./.test(mediaType);

/** The same text always has the same one. */
export function uuid(content: string): string {
  const hex = createHash('sha256').update(content).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
