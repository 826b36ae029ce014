// Turns the access settings into what serve needs: who calls, how people sign in, what everyone sees.
import type { Context } from 'hono';
import type { AccessSettings, Role } from '#core/access.ts';
import type { CredentialStore } from '#core/stores.ts';
import { proxyMatcher } from '#http/address.ts';
import { type Access, unnamed } from './access.ts';
import type { CredentialOptions } from './credentials.ts';
import { identifier } from './identify.ts';
import type { OpenIdOptions } from './openid.ts';
import { cookieName, type OpenId, type SessionOptions } from './session.ts';

export interface SignInOptions {
  settings: AccessSettings;
  credentials: CredentialStore;
  clock: () => number;
  /** Address of the connection a call came over. */
  peer: (c: Context) => string;
  clientSecret?: () => Promise<string>;
  /** An owner's token that is stored elsewhere in the deployment. */
  ownerToken?: () => Promise<string>;
  /** Whether this machine's own user calls. Used only if nobody signs in. */
  isOwnUser?: (c: Context) => Promise<boolean>;
}

export type SignIn = Access & { everyone: Role } & Pick<CredentialOptions, 'credentials' | 'signIn'> &
  Omit<SessionOptions, 'clock' | 'report'>;

export function openSignIn(options: SignInOptions): SignIn {
  const { settings, credentials, clock, peer, clientSecret, ownerToken, isOwnUser } = options;
  const { publicUrl = unnamed, signIn, rules, everyone, publicMap, publicMapLeast, sessionHours } = settings;
  const byOpenId = signIn && 'issuer' in signIn ? signIn : undefined;
  const byProxy = signIn && 'proxies' in signIn ? signIn : undefined;
  const isProxy = proxyMatcher(byProxy?.proxies ?? []);
  return {
    ...{ publicMap, publicMapLeast, publicUrl, sessionHours, rules, credentials },
    // Stated in the OpenAPI document.
    everyone: isOwnUser && !signIn ? 'owner' : everyone,
    signIn: byOpenId ? 'openid' : byProxy && 'proxy',
    openId: byOpenId && openIdLater({ ...byOpenId, clientSecret, rules }),
    identify: identifier({
      ...{ credentials, clock, rules, everyone, ownerToken },
      cookie: byOpenId && cookieName(publicUrl, 'whalewatch'),
      proxy: byProxy && { ...byProxy, isProxy: (c) => isProxy(peer(c)) },
      isOwnUser: signIn ? undefined : isOwnUser,
    }),
  };
}

/** Loaded at the first sign-in, so that no cold start waits for it. */
function openIdLater(options: OpenIdOptions): OpenId {
  let opened: Promise<OpenId> | undefined;
  const open = () => {
    opened ??= import('./openid.ts').then(({ openOpenId }) => openOpenId(options));
    return opened;
  };
  return {
    reach: async () => (await open()).reach(),
    start: async (redirectUri) => (await open()).start(redirectUri),
    finish: async (url, pending) => (await open()).finish(url, pending),
  };
}
