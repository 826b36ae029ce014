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
  /** Why nothing comes from the model. */
  note?: string;
}
export interface Recommendation {
  repository: string;
  score: number;
  /** Which step of the chain found it: als, similar, trending, popular. */
  source: string;
  pulledBy: number;
  because: { repository: string; share: number }[];
}
/** An image that a user still pulls, and what says that it is outdated. */
export interface Outdated {
  user: string;
  repository: string;
  tag?: string;
  digest?: string;
  class: string;
  lastPull: string;
  evidence:
    | { reason: 'pushed-anew'; pushedAt: string; digest: string }
    | { reason: 'others-moved'; to: string; moved: number; others: number }
    | { reason: 'deleted'; deletedAt: string; what: 'tag' | 'digest' | 'repository' };
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

/** Who the reader is here, and how people sign in. */
export interface Me {
  role: 'public' | 'user' | 'team' | 'owner';
  user?: string;
  map: 'names' | 'anonymous' | false;
  signedIn: boolean;
  signIn?: 'openid' | 'proxy';
}

/** What the service said, or that it could not be reached (status 0). */
export class ServiceError extends Error {
  override name = 'ServiceError';
  status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }

  /** Asks to sign in, or for another role. */
  get isPrivate(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

const tokenKey = 'whalewatch.token';

/** An API token: in this tab's session storage only, so that it goes when the tab is closed. */
export const token = {
  get(): string | null {
    try {
      return sessionStorage.getItem(tokenKey);
    } catch {
      return null;
    }
  },
  /** Throws where storage is turned off. */
  set: (text: string) => sessionStorage.setItem(tokenKey, text),
  clear: () => sessionStorage.removeItem(tokenKey),
};

/** Told of every answer that asks to sign in, or for a role that the reader hasn't. */
export const refused = new EventTarget();

/** Where a path of the service is: beside the pages, under whatever base path those are. */
export const here = (path: string): string => new URL(`.${path}`, location.href).href;

export type Parameters = Record<string, string | number | undefined>;

/** GETs JSON. Undefined parameters are left out. `revalidate` asks the service each time, which costs a 304. */
export const get = <T>(
  path: string,
  parameters: Parameters = {},
  options: { signal?: AbortSignal; revalidate?: boolean; accept?: number[] } = {},
): Promise<T> => ask('GET', path, parameters, options);

let asked: Promise<Me | undefined> | undefined;

/** Asked once a page; undefined where the service doesn't say. */
export function me(): Promise<Me | undefined> {
  asked ??= get<Me>('/v1/me').catch(() => undefined);
  return asked;
}

/** Where signing in begins; it comes back to this page. */
export const signInAddress = (): string => {
  const page = location.pathname.slice(location.pathname.lastIndexOf('/') + 1);
  return `${here('/v1/session/login')}?to=${encodeURIComponent(page + location.search)}`;
};

/** Ends the session and drops the token, then draws the page as others see it. */
export async function signOut(): Promise<void> {
  token.clear();
  if ((await me())?.signedIn) await fetch(here('/v1/session/logout'), { method: 'POST' });
  location.reload();
}

/** Changes something; parameters stand in the query, as everywhere in this API. */
export const change = <T>(method: 'POST' | 'DELETE', path: string, parameters: Parameters = {}): Promise<T> =>
  ask(method, path, parameters, {});

async function ask<T>(
  method: string,
  path: string,
  parameters: Parameters,
  { signal, revalidate, accept }: { signal?: AbortSignal; revalidate?: boolean; accept?: number[] },
): Promise<T> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) query.set(name, String(value));
  const given = token.get();
  const address = here(path);
  let response: Response;
  try {
    response = await fetch(query.size ? `${address}?${query}` : address, {
      ...{ method, signal },
      cache: revalidate ? 'no-cache' : 'default',
      headers: given ? { Authorization: `Bearer ${given}` } : {},
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ServiceError(
      0,
      navigator.onLine
        ? 'The service cannot be reached: is it running, and does nothing on the way block it?'
        : 'This computer is offline.',
    );
  }
  const body = await response.json().catch(() => undefined);
  if (!response.ok && (body?.error || !accept?.includes(response.status))) {
    const error = new ServiceError(response.status, body?.error?.message ?? statusText(response.status));
    if (error.isPrivate) refused.dispatchEvent(new Event('refused'));
    throw error;
  }
  if (body === undefined)
    throw new ServiceError(
      response.status,
      `${path} answered with something that is no JSON: a proxy on the way may have put its own page in its place.`,
    );
  return body;
}

/** What a proxy on the way answers without a word of ours. */
function statusText(status: number): string {
  if (status === 429) return 'Too many requests in a short time: wait a minute.';
  if (status === 502 || status === 503 || status === 504)
    return `The service does not answer at the moment (${status}): it may be starting, or too busy.`;
  return `The service answered ${status} and said no more.`;
}

/** Lists come bare or as {items}: both are read. */
export const items = <T>(answer: T[] | { items: T[] }): T[] => (Array.isArray(answer) ? answer : answer.items);
