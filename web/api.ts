// The public surface, as the pages use it; GET /v1/openapi.json describes it whole.

export interface Latest {
  snapshot: string;
  updatedAt: string | null;
  points: number;
  staleSeconds: number | null;
}
export interface HitSum {
  day: string;
  key?: string;
  hits: number;
}
export interface Leaf {
  domain: string;
  lat: number;
  lon: number;
  updatedAt: string;
}
/** What a cluster or single point carries, in tiles and in /v1/clusters alike. */
export interface ClusterProperties {
  cluster_id?: number;
  point_count?: number;
  expansion_zoom?: number;
  domain?: string;
  updatedAt?: string;
}
export interface Clusters {
  features: {
    id?: number | string;
    geometry: { coordinates: [lon: number, lat: number] };
    properties: ClusterProperties;
  }[];
}
export interface Person {
  user: string;
  pulls: number;
  lastPull: string;
}
export interface HistoryItem {
  id: string;
  time: string;
  action: string;
  repository: string;
  tag?: string;
  digest?: string;
  class: string;
  client?: string;
}
export interface Recommendations {
  user: string;
  model: { id: string; trainedAt: string } | null;
  items: Recommendation[];
}
export interface Recommendation {
  repository: string;
  score: number;
  /** Which step of the chain found it: als, similar, trending, popular. */
  source: string;
  pulledBy: number;
  because: { repository: string; share: number }[];
}
export interface Repository {
  repository: string;
  pulls: number;
  raw: number;
  pulledBy: number;
  lastPull: string | null;
}
export interface Counts {
  pulls: number;
  raw: number;
  pushes: number;
}
export interface Pulls {
  total: Counts;
  buckets: ({ from?: string; key?: string } & Counts)[];
}
export interface Puller extends Person {
  repository: string;
}

/** What the service said, or that it could not be reached (status 0). */
export class ServiceError extends Error {
  override name = 'ServiceError';
  status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const tokenKey = 'whalewatch.token';

/** The reader's token for private pages; kept for this tab only. */
export const saveToken = (token: string) => sessionStorage.setItem(tokenKey, token);

/** GETs JSON. Undefined parameters are left out. `revalidate` asks the service each time, which costs a 304. */
export async function get<T>(
  path: string,
  parameters: Record<string, string | number | undefined> = {},
  options: { signal?: AbortSignal; revalidate?: boolean; accept?: number[] } = {},
): Promise<T> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) query.set(name, String(value));
  const token = sessionStorage.getItem(tokenKey);
  let response: Response;
  try {
    response = await fetch(query.size ? `${path}?${query}` : path, {
      signal: options.signal,
      cache: options.revalidate ? 'no-cache' : 'default',
      headers: token ? { Authorization: `Bearer ${token}` } : {},
    });
  } catch (cause) {
    if (options.signal?.aborted) throw cause;
    throw new ServiceError(0, 'The service cannot be reached.');
  }
  const body = await response.json().catch(() => undefined);
  if (!response.ok && !options.accept?.includes(response.status))
    throw new ServiceError(response.status, body?.error?.message ?? `The service answered ${response.status}.`);
  if (body === undefined) throw new ServiceError(response.status, 'The service answered with something unreadable.');
  return body;
}

/** Lists come bare or as {items}: both are read. */
export const items = <T>(answer: T[] | { items: T[] }): T[] => (Array.isArray(answer) ? answer : answer.items);
