// The part of the API that the pages use; GET /v1/openapi.json describes all of it.

import type { Replies } from '#serve/types.ts';

type Method = 'GET' | 'POST' | 'DELETE';
type PathOf<M extends Method> = keyof Replies extends infer Key
  ? Key extends `${M} ${infer Path}`
    ? Path
    : never
  : never;
/** The response of a path, from the route's own schema. */
export type Reply<Path extends string, M extends Method = 'GET'> = Replies[`${M} ${Path}` & keyof Replies];
/** One row of a list. */
type Item<Path extends string> = Reply<Path> extends { items: (infer Row)[] } ? Row : never;

export type Me = Reply<'/v1/me'>;
/** A domain with its location. */
export type Leaf = Reply<'/points.json'>['points'][number];
type Properties = Reply<'/v1/clusters'>['features'][number]['properties'];
/** What a cluster or a single point carries, in tiles and in /v1/clusters alike. */
export interface ClusterProperties
  extends Partial<Extract<Properties, { point_count: number }>>,
    Partial<Extract<Properties, { domain: string }>> {}
export type Outdated = Item<'/v1/outdated'>;
export type Pulls = Reply<'/v1/pulls'>;
export type Recommendation = Item<'/v1/recommendations'>;
export type ModelCard = Item<'/v1/model'>;
/** Before the first export its snapshot is empty. */
export type Latest = Reply<'/v1/points/latest'> | { snapshot: ''; updatedAt: null; points: 0; staleSeconds: null };

/** The service's error, or status 0 if it could not be reached. */
export class ServiceError extends Error {
  override name = 'ServiceError';
  status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }

  /** Whether it needs sign-in or another role. */
  get isPrivate(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

const tokenKey = 'whalewatch.token';

/** An API token, stored only in this tab's session storage, so that it is gone when the tab is closed. */
export const token = {
  get(): string | null {
    try {
      return sessionStorage.getItem(tokenKey);
    } catch {
      return null;
    }
  },
  /** Throws where storage is turned off. */
  set(text: string): void {
    sessionStorage.setItem(tokenKey, text);
    asked = undefined;
  },
  clear: () => sessionStorage.removeItem(tokenKey),
};

/** Called for every response that needs sign-in, or a role that the reader does not have. */
export const refused = new EventTarget();

/** The URL of a path of the service, which is beside the pages, under any base path. */
export const here = (path: string): string => new URL(`.${path}`, location.href).href;

export type Parameters = Record<string, string | number | undefined>;

/** GETs JSON. Undefined parameters are left out. `revalidate` asks the service each time, which costs a 304. */
export const get = <Path extends PathOf<'GET'>>(
  path: Path,
  parameters: Parameters = {},
  options: { signal?: AbortSignal; revalidate?: boolean; accept?: number[] } = {},
): Promise<Reply<Path>> =>
  ask('GET', path, byRegistry.has(path) ? { registry: chosenRegistry(), ...parameters } : parameters, options);

/** Paths that accept a registry. */
const byRegistry = new Set<string>([
  '/v1/users',
  '/v1/history',
  '/v1/recommendations',
  '/v1/pulls',
  '/v1/outdated',
  '/v1/similar',
  '/v1/pullers',
  '/v1/repositories',
  '/v1/unused',
  '/v1/images',
  '/v1/alerts',
  '/v1/quarantine',
] satisfies PathOf<'GET'>[]);

const registryKey = 'whalewatch.registry';

/** The selected registry, from the address or chosen in this tab; undefined for all. */
export function chosenRegistry(): string | undefined {
  const named = new URLSearchParams(location.search).get('registry');
  if (named !== null) return named || undefined;
  try {
    return sessionStorage.getItem(registryKey) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Redraws the page for one registry or for all. */
export function chooseRegistry(name: string | undefined): void {
  const address = new URL(location.href);
  address.searchParams.delete('registry');
  try {
    if (name === undefined) sessionStorage.removeItem(registryKey);
    else sessionStorage.setItem(registryKey, name);
  } catch {
    if (name !== undefined) address.searchParams.set('registry', name);
  }
  history.replaceState(null, '', address);
  location.reload();
}

let asked: Promise<Me | undefined> | undefined;

/** Requested once per page, and again with a new token; undefined if the service doesn't say. */
export function me(): Promise<Me | undefined> {
  asked ??= get('/v1/me').catch(() => undefined);
  return asked;
}

/** The URL that begins the sign-in, which then returns to this page. */
export const signInAddress = (): string => {
  const page = location.pathname.slice(location.pathname.lastIndexOf('/') + 1);
  return `${here('/v1/session/login')}?to=${encodeURIComponent(page + location.search)}`;
};

/** Ends the session and drops the token, then redraws the page as visitors see it. */
export async function signOut(): Promise<void> {
  token.clear();
  if ((await me())?.signedIn) await fetch(here('/v1/session/logout'), { method: 'POST' });
  location.reload();
}

/** Sends a change; parameters are in the query, as everywhere in this API. */
export const change = <M extends 'POST' | 'DELETE', Path extends PathOf<M>>(
  method: M,
  path: Path,
  parameters: Parameters = {},
): Promise<Reply<Path, M>> => ask(method, path, parameters, {});

/** Sends a request with a JSON body, for data that is too long for a URL. */
export const post = <Path extends PathOf<'POST'>>(
  path: Path,
  body: Parameters | object,
): Promise<Reply<Path, 'POST'>> =>
  ask('POST', path, {}, { body: byRegistry.has(path) ? { registry: chosenRegistry(), ...body } : body });

async function ask<T>(
  method: string,
  path: string,
  parameters: Parameters,
  {
    signal,
    revalidate,
    accept,
    body: sent,
  }: { signal?: AbortSignal; revalidate?: boolean; accept?: number[]; body?: object },
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
      headers: {
        ...(given ? { Authorization: `Bearer ${given}` } : {}),
        ...(sent ? { 'Content-Type': 'application/json' } : {}),
      },
      ...(sent ? { body: JSON.stringify(sent) } : {}),
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ServiceError(
      0,
      navigator.onLine
        ? "The service can't be reached: is it running, and is anything in between blocking it?"
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
      `${path} responded with something that is not JSON: a proxy on the way may have put its own page in its place.`,
    );
  return body;
}

/** Errors that come from a proxy in between, not from the service. */
function statusText(status: number): string {
  if (status === 429) return 'Too many requests in a short time: wait a minute.';
  if (status === 502 || status === 503 || status === 504)
    return `The service is not responding (${status}): it may be starting or overloaded.`;
  return `The service responded with ${status} and gave no reason.`;
}
