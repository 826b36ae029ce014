// Signing in and out in a browser. The session is a random secret in a cookie; the store has its digest.
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { deleteCookie, getCookie, setCookie } from 'hono/cookie';
import type { CookieOptions } from 'hono/utils/cookie';
import { type Claims, callerOf, type RoleRules } from '#core/access.ts';
import type { CredentialStore } from '#core/stores.ts';
import { digestOf, newSecret } from '#http/bearer.ts';
import { type ApiError, notFound } from '#http/errors.ts';
import { error, json, router } from './parameters.ts';
import { escaped } from './replies.ts';

/** What the browser keeps while it is at the issuer. */
interface Pending {
  state: string;
  nonce: string;
  verifier: string;
}

/** Thrown if the issuer can't be reached, or is not an OpenID issuer. */
export class IssuerDown extends Error {
  override name = 'IssuerDown';
}

/** Thrown if the issuer or the person refused, or if the callback does not belong to the request. */
export class SignInRefused extends Error {
  override name = 'SignInRefused';
}

export interface OpenId {
  /** Throws IssuerDown if the issuer does not respond as an OpenID issuer. */
  reach(): Promise<void>;
  /** Returns the URL to send the browser to. Throws IssuerDown. */
  start(redirectUri: string): Promise<{ url: URL; pending: Pending }>;
  /** Returns the claims of the person who came back to `url`. Throws SignInRefused or IssuerDown. */
  finish(url: URL, pending: Pending): Promise<Claims>;
}

export interface SessionOptions {
  /** Sign-in by OpenID Connect; undefined if nobody signs in. */
  openId?: OpenId;
  /** `https://NAME[/BASE]`, without a slash at the end: what browsers call this server. */
  publicUrl: string;
  sessionHours: number;
  rules: RoleRules;
  credentials: CredentialStore;
  clock: () => number;
  report: (cause: unknown) => void;
}

const page = (description: string) => ({ description, content: { 'text/html': { schema: z.string() } } });

const login = createRoute({
  method: 'get',
  path: '/v1/session/login',
  summary: 'Sends a browser to the issuer to sign in',
  request: {
    query: z.object({
      to: z
        .string()
        .max(2048, 'must be at most 2048 characters')
        .optional()
        .openapi({ description: 'The page to come back to', example: 'people' }),
    }),
  },
  responses: {
    302: { description: 'To the issuer.' },
    404: json(error, 'This server has no sign-in page.'),
    502: page('The issuer is down.'),
  },
});
const callback = createRoute({
  method: 'get',
  path: '/v1/session/callback',
  summary: 'Where the issuer sends a browser back to',
  responses: {
    303: { description: 'Signed in: back to the page.' },
    400: page('The sign-in failed.'),
    403: page('Signed in, but without a role here.'),
    404: json(error, 'This server has no sign-in page.'),
    502: page('The issuer is down.'),
  },
});
const logout = createRoute({
  method: 'post',
  path: '/v1/session/logout',
  summary: "Ends this browser's session at once",
  responses: { 204: { description: 'Signed out.' }, 403: json(error, 'The request came from another site.') },
});

/** Cookies that only this host and, over HTTPS, only HTTPS may set: browsers enforce this by the prefix of the name. */
export function cookieName(publicUrl: string, name: 'whalewatch' | 'whalewatch-login'): string {
  const { protocol, pathname } = new URL(publicUrl);
  if (protocol === 'http:') return name;
  return pathname === '/' ? `__Host-${name}` : `__Secure-${name}`;
}

const pendingSeconds = 15 * 60;

export function sessionRoutes(options: SessionOptions): OpenAPIHono {
  const { openId, publicUrl, sessionHours, rules, credentials, clock, report } = options;
  const base = new URL(`${publicUrl}/`);
  const [session, pending] = [cookieName(publicUrl, 'whalewatch'), cookieName(publicUrl, 'whalewatch-login')];
  const cookie: CookieOptions = {
    ...{ httpOnly: true, sameSite: 'Lax', secure: base.protocol === 'https:', path: base.pathname },
  };
  const redirectUri = `${publicUrl}/v1/session/callback`;
  const app = router();

  app.openapi(login, async (c) => {
    if (!openId) throw noSignIn();
    try {
      const started = await openId.start(redirectUri);
      const kept: Pending & { to?: string } = { ...started.pending, to: c.req.valid('query').to };
      setCookie(c, pending, Buffer.from(JSON.stringify(kept)).toString('base64url'), {
        ...cookie,
        maxAge: pendingSeconds,
      });
      return c.redirect(started.url.href, 302);
    } catch (cause) {
      return failed(c, cause);
    }
  });

  app.openapi(callback, async (c) => {
    if (!openId) throw noSignIn();
    try {
      const { to, ...kept } = readPending(getCookie(c, pending));
      deleteCookie(c, pending, cookie);
      // From the settings, because the caller chooses the Host header.
      const claims = await openId.finish(new URL(redirectUri + new URL(c.req.url).search), kept);
      const { role, user } = callerOf(claims, rules);
      if (role === 'public')
        return tell(c, 403, 'You are signed in, but have no role here', 'Ask the owner of this server for one.');
      await endSession(c);
      const secret = newSecret();
      const now = clock();
      const [name] = [user, ...(claims[rules.userClaim] ?? []), 'unnamed'].filter((text) => text !== undefined);
      await credentials.put({
        ...{ kind: 'session', digest: digestOf(secret), name, claims, createdAt: now },
        ...(user ? { user } : {}),
        expiresAt: now + sessionHours * 3_600_000,
      });
      setCookie(c, session, secret, { ...cookie, maxAge: sessionHours * 3600 });
      return c.redirect(ownPage(to, base), 303);
    } catch (cause) {
      return failed(c, cause);
    }
  });

  app.openapi(logout, async (c) => {
    await endSession(c);
    deleteCookie(c, session, cookie);
    return c.body(null, 204);
  });
  return app;

  async function endSession(c: Context): Promise<void> {
    const secret = getCookie(c, session);
    if (secret) await credentials.remove('session', digestOf(secret));
  }

  function failed(c: Context, cause: unknown) {
    if (cause instanceof IssuerDown) {
      report(cause.message);
      return tell(c, 502, 'The sign-in service is down', 'Try again in a minute; the log has the cause.');
    }
    if (!(cause instanceof SignInRefused)) throw cause;
    return tell(c, 400, 'The sign-in failed', cause.message);
  }

  /** A page, because a browser arrives here from the issuer. */
  function tell<Status extends 400 | 403 | 502>(c: Context, status: Status, title: string, text: string) {
    c.header('Content-Security-Policy', "default-src 'none'; frame-ancestors 'none'");
    const again = `<a href="${escaped(`${publicUrl}/v1/session/login`)}">Sign in again</a>`;
    return c.html(
      `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title><h1>${title}</h1><p>${escaped(text)}</p><p>${again} or go to <a href="${escaped(base.href)}">the map</a>.</p></html>`,
      status,
    );
  }
}

function noSignIn(): ApiError {
  return notFound('This server has no sign-in page: set signIn to an OpenID issuer.');
}

function readPending(text: string | undefined): Pending & { to?: string } {
  try {
    const { state, nonce, verifier, to } = JSON.parse(Buffer.from(text ?? '', 'base64url').toString());
    if ([state, nonce, verifier].every((each) => typeof each === 'string' && each !== ''))
      return { state, nonce, verifier, ...(typeof to === 'string' ? { to } : {}) };
  } catch {}
  throw new SignInRefused('It took longer than 15 minutes, or was started in another browser or tab.');
}

/** The page to return to; the map if it is outside this server. */
export function ownPage(to: string | undefined, base: URL): string {
  if (to === undefined || !URL.canParse(to, base)) return base.href;
  const { origin, pathname, search, hash } = new URL(to, base);
  return origin === base.origin && pathname.startsWith(base.pathname) ? origin + pathname + search + hash : base.href;
}
