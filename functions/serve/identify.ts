// Who calls: an API token, this machine's own user, a session, or what a named proxy says; else everyone.
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
  /** The role of those who are not signed in. */
  everyone: Role;
  /** Name of the session's cookie, where people sign in. */
  cookie?: string;
  /** An owner's token that the deployment keeps elsewhere. */
  ownerToken?: () => Promise<string>;
  proxy?: SigningProxy;
  /** Does this machine's own user call, directly? Nobody else is the owner without signing in. */
  isOwnUser?: (c: Context) => Promise<boolean>;
}

/** A proxy that signs people in and names them in a header. */
export interface SigningProxy {
  userHeader: string;
  /** Groups with commas between. */
  groupsHeader?: string;
  /** Is this connection the proxy's? From anybody else the headers mean nothing. */
  isProxy: (c: Context) => boolean;
}

export interface Identity extends Caller {
  /** How the caller proved who they are. */
  by: 'token' | 'session' | 'proxy' | 'machine' | 'nothing';
  session?: Credential;
  /** An unknown token was given: the caller is refused, not treated as everyone. */
  wrongToken?: boolean;
}

declare module 'hono' {
  interface ContextVariableMap {
    identity: Identity;
  }
}

/** The claims that a proxy's headers are read as. */
export const proxyClaims = { user: 'user', groups: 'groups' } as const;

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
  // A header sent twice arrives joined by a comma: one of the two is not the proxy's.
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

/** Does a page of another origin make this call? Following a link to here does not count: the page can't read the reply. */
export function isForeign(c: Context): boolean {
  const site = c.req.header('sec-fetch-site');
  if (site === undefined || site === 'same-origin' || site === 'none') return false;
  return c.req.method !== 'GET' || c.req.header('sec-fetch-mode') !== 'navigate';
}
