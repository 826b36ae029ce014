// Identifies the caller: by an API token, as this machine's own user, by a session, or by the headers of a trusted
// proxy; otherwise everyone.
import type { Context } from 'hono';
import { getCookie } from 'hono/cookie';
import { type Caller, callerOf, type Role, type RoleRules } from '#core/access.ts';
import { isDue } from '#core/age.ts';
import type { Credential, CredentialStore } from '#core/stores.ts';
import { bearerOf, digestOf, sameToken } from '#http/bearer.ts';

export interface IdentifyOptions {
  credentials: CredentialStore;
  clock: () => number;
  rules: RoleRules;
  /** The role of callers who are not signed in. */
  everyone: Role;
  /** The name of the session cookie, if people sign in. */
  cookie?: string;
  /** An owner's token that is stored elsewhere in the deployment. */
  ownerToken?: () => Promise<string>;
  proxy?: SigningProxy;
  /** Whether this machine's own user calls directly. Nobody else is the owner without signing in. */
  isOwnUser?: (c: Context) => Promise<boolean>;
}

/** A proxy that signs people in and passes their names in a header. */
interface SigningProxy {
  userHeader: string;
  /** The header of the groups, separated by commas. */
  groupsHeader?: string;
  /** Whether this connection is the proxy's. From anybody else the headers are ignored. */
  isProxy: (c: Context) => boolean;
}

export interface Identity extends Caller {
  /** How the caller proved who they are. */
  by: 'token' | 'session' | 'proxy' | 'machine' | 'nothing';
  session?: Credential;
  /** The token is unknown: the caller is refused, not treated as everyone. */
  wrongToken?: boolean;
}

declare module 'hono' {
  interface ContextVariableMap {
    identity: Identity;
  }
}

/** Reads a proxy's headers as claims. */
const proxyClaims = { user: 'user', groups: 'groups' } as const;

const notedEveryMs = 60_000;

export function identifier(options: IdentifyOptions): (c: Context) => Promise<Identity> {
  const { credentials, clock, rules, everyone, cookie, ownerToken, proxy, isOwnUser } = options;

  return async (c) => {
    const token = bearerOf(c.req.header('authorization'));
    const known = token === undefined ? undefined : await byToken(token);
    if (known) return known;
    if (isOwnUser && !isForeign(c) && (await isOwnUser(c))) return { role: 'owner', by: 'machine' };
    if (token !== undefined) return { role: everyone, by: 'nothing', wrongToken: true };
    const secret = cookie && getCookie(c, cookie);
    if (secret) {
      const session = await credentials.find('session', digestOf(secret));
      if (session) return { ...callerOf(session.claims ?? {}, rules), by: 'session', session };
    }
    const claims = proxy?.isProxy(c) && headerClaims(c, proxy);
    if (claims) return { ...callerOf(claims, rules), by: 'proxy' };
    return { role: everyone, by: 'nothing' };
  };

  async function byToken(token: string): Promise<Identity | undefined> {
    const digest = digestOf(token);
    const found = await credentials.find('token', digest);
    if (found?.role) {
      if (isDue(found.usedAt ?? 0, clock(), notedEveryMs)) await credentials.used('token', digest, clock());
      return { role: found.role, ...(found.user ? { user: found.user } : {}), by: 'token' };
    }
    return ownerToken && sameToken(token, await ownerToken()) ? { role: 'owner', by: 'token' } : undefined;
  }
}

function headerClaims(c: Context, { userHeader, groupsHeader }: SigningProxy) {
  const user = c.req.header(userHeader);
  // A repeated header arrives joined by a comma: one of the two is not from the proxy.
  if (!user || user.includes(',')) return undefined;
  const groups =
    (groupsHeader &&
      c.req
        .header(groupsHeader)
        ?.split(',')
        .map((group) => group.trim())) ||
    [];
  return { [proxyClaims.user]: [user], [proxyClaims.groups]: groups.filter(Boolean) };
}

/**
 * Whether a page of another origin than `own` makes this call. Following a link to here does not count: the page can't
 * read the response. Older browsers, and all of them over plain HTTP, send no Sec-Fetch-Site, but an Origin with all
 * but plain reads.
 */
export function isForeign(c: Context, own?: string): boolean {
  const site = c.req.header('sec-fetch-site');
  const origin = c.req.header('origin');
  if (site === undefined && own !== undefined && origin !== undefined) return origin !== own;
  if (site === undefined || site === 'same-origin' || site === 'none') return false;
  return c.req.method !== 'GET' || c.req.header('sec-fetch-mode') !== 'navigate';
}
