// Who is signed in, and the tokens of scripts: the owner can list, make and end them.
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { type Caller, mapFor, type PublicMap, roles } from '#core/access.ts';
import { quoted } from '#core/quoted.ts';
import type { Credential, CredentialStore } from '#core/stores.ts';
import { digestOf, newSecret } from '#http/bearer.ts';
import { notFound, wrongParameter } from '#http/errors.ts';
import { error, failures, integer, iso, json, oneOf, router, userName } from './parameters.ts';

export interface CredentialOptions {
  credentials: CredentialStore;
  publicMap: PublicMap;
  /** How people sign in, if at all: at our page, or at the proxy in front. */
  signIn?: 'openid' | 'proxy';
  clock: () => number;
}

const role = z.enum(roles);
const tokenRole = oneOf(['user', 'team', 'owner']);

export const me = createRoute({
  method: 'get',
  path: '/v1/me',
  summary: 'Who the caller is, and what they may see',
  responses: {
    200: json(
      z.object({
        role,
        user: z.string().optional().openapi({ description: 'Your user name at the registry' }),
        map: z
          .union([z.enum(['names', 'anonymous']), z.literal(false)])
          .openapi({ description: 'What you see of the map' }),
        signedIn: z.boolean().openapi({ description: 'Whether by a session, which POST /v1/session/logout ends' }),
        signIn: z.enum(['openid', 'proxy']).optional().openapi({ description: 'How people sign in here' }),
      }),
      'You',
    ),
  },
});

const token = z
  .object({
    id: z.string(),
    name: z.string(),
    role,
    user: z.string().optional(),
    createdAt: z.iso.datetime(),
    expiresAt: z.iso.datetime().optional(),
    usedAt: z.iso.datetime().optional().openapi({ description: 'To the minute' }),
  })
  .openapi('Token');

export const tokens = createRoute({
  method: 'get',
  path: '/v1/tokens',
  summary: 'The API tokens of scripts',
  responses: { 200: json(z.object({ items: z.array(token) }), 'Tokens, oldest first') },
});

export const makeToken = createRoute({
  method: 'post',
  path: '/v1/tokens',
  summary: 'Makes an API token with a role; only this response ever shows it',
  request: {
    query: z.object({
      name: z
        .string({ error: 'give name=, what the token is for' })
        .min(1, 'must not be empty')
        .max(100, 'must be at most 100 characters'),
      role: tokenRole,
      user: userName.optional().openapi({ description: 'With the role user: the user whose history it may read' }),
      days: integer(1, 3650).optional().openapi({ description: 'Until it expires; never when left out' }),
    }),
  },
  responses: { 201: json(token.extend({ token: z.string() }), 'The token'), ...failures },
});

export const removeToken = createRoute({
  method: 'delete',
  path: '/v1/tokens',
  summary: 'Ends an API token at once',
  request: { query: z.object({ id: z.string('give id=ID, from GET /v1/tokens') }) },
  responses: { 200: json(token, 'What was removed'), ...failures, 404: json(error, 'There is no such token.') },
});

const session = z
  .object({ user: z.string(), createdAt: z.iso.datetime(), expiresAt: z.iso.datetime().optional() })
  .openapi('Session');

export const sessions = createRoute({
  method: 'get',
  path: '/v1/sessions',
  summary: 'Who is signed in',
  responses: { 200: json(z.object({ items: z.array(session) }), 'Sessions, oldest first') },
});

export const endSessions = createRoute({
  method: 'delete',
  path: '/v1/sessions',
  summary: "Ends all of a user's sessions",
  request: { query: z.object({ user: userName }) },
  responses: { 200: json(z.object({ user: z.string(), ended: z.int() }), 'How many sessions were ended'), ...failures },
});

/** A token's public id: the beginning of its digest. */
const idOf = ({ digest }: Credential) => digest.slice(0, 12);

export interface NewToken extends Caller {
  name: string;
  days?: number;
}

/** Makes a token and stores its digest. */
export async function createToken(
  store: Pick<CredentialStore, 'put'>,
  { days, ...given }: NewToken,
  now: number,
): Promise<{ token: string; credential: Credential }> {
  const secret = newSecret('ww_');
  const credential: Credential = {
    ...{ kind: 'token', digest: digestOf(secret), createdAt: now, ...given },
    ...(days === undefined ? {} : { expiresAt: now + days * 86_400_000 }),
  };
  await store.put(credential);
  return { token: secret, credential };
}

export function credentialRoutes({ credentials, publicMap, signIn, clock }: CredentialOptions): OpenAPIHono {
  const app = router();
  app.openapi(me, (c) => {
    const { role, user, by } = c.get('identity');
    return c.json({ role, user, map: mapFor(role, publicMap), signedIn: by === 'session', signIn }, 200);
  });
  app.openapi(tokens, async (c) => c.json({ items: (await credentials.list('token')).map(tokenOf) }, 200));
  app.openapi(makeToken, async (c) => {
    const { name, role, user, days } = c.req.valid('query');
    if (user !== undefined && role !== 'user')
      throw wrongParameter('user', user, `may be given only with role=user; ${role} reads everybody's history`);
    const made = await createToken(credentials, { name, role, ...(user ? { user } : {}), days }, clock());
    return c.json({ ...tokenOf(made.credential), token: made.token }, 201);
  });
  app.openapi(removeToken, async (c) => {
    const { id } = c.req.valid('query');
    const found = (await credentials.list('token')).find((credential) => idOf(credential) === id);
    if (!found || !(await credentials.remove('token', found.digest)))
      throw notFound(`There is no token ${quoted(id)}: GET /v1/tokens lists them.`);
    return c.json(tokenOf(found), 200);
  });
  app.openapi(sessions, async (c) => {
    const items = (await credentials.list('session')).map(({ name, createdAt, expiresAt }) => ({
      ...{ user: name, createdAt: iso(createdAt) },
      ...(expiresAt === undefined ? {} : { expiresAt: iso(expiresAt) }),
    }));
    return c.json({ items }, 200);
  });
  app.openapi(endSessions, async (c) => {
    const { user } = c.req.valid('query');
    let ended = 0;
    for (const { name, digest } of await credentials.list('session'))
      if (name === user && (await credentials.remove('session', digest))) ended++;
    return c.json({ user, ended }, 200);
  });
  return app;
}

const tokenOf = (credential: Credential) => {
  const { name, role = 'public', user, createdAt, expiresAt, usedAt } = credential;
  return {
    ...{ id: idOf(credential), name, role, user, createdAt: iso(createdAt) },
    ...(expiresAt === undefined ? {} : { expiresAt: iso(expiresAt) }),
    ...(usedAt === undefined ? {} : { usedAt: iso(usedAt) }),
  };
};
