// Registries as callers name them: `registry=` in requests, `registry` beside each `repository` in responses. The
// stores use keys (functions/core/registry/name.ts), which no response contains.
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { quoted } from '#core/quoted.ts';
import { defaultRegistry, keyOf, partsOf, type Registry } from '#core/registry/name.ts';
import type { Credential, CredentialStore } from '#core/stores.ts';
import { ApiError, notFound, wrongParameter } from '#http/errors.ts';
import { error, failures, iso, json, oneOf, router } from './parameters.ts';
import { addToken, endToken, registryNames, rotateToken, TokenRefused, tokenId, tokensOf } from './registry-tokens.ts';

/** Only this registry. */
export const registry = z
  .string()
  .optional()
  .openapi({ description: 'Only of this registry: a name in the setting `registries`, or `default`' });

/** The field beside `repository`, if there are several registries. */
export const registryShown = z.string().optional().openapi({ description: 'Its registry, if there are several' });

export interface Registries {
  names: string[];
  /** Checks a `registry=`. Throws a 400 if it is unknown. */
  known(registry: string | undefined): string | undefined;
  /** The query for the stores: one repository of one registry or of all, or all repositories of one registry. */
  scope(asked: { registry?: string; repository?: string }): { registry?: string; repository?: string | string[] };
  /** The keys of a repository, in one registry or in all, the default one first. */
  keys(repository: string, registry?: string): string[];
  /** A key as responses show it. */
  shown(key: string): { repository: string; registry?: string };
  /** Columns of a CSV: the registry, if there are several. */
  columns<Name extends string>(names: readonly Name[]): (Name | 'registry')[];
}

export function registriesOf(registries: Pick<Registry, 'name'>[] = []): Registries {
  const names = registryNames(registries);
  const known = (registry: string | undefined) => {
    if (registry !== undefined && !names.includes(registry))
      throw wrongParameter('registry', registry, `must be one of ${names.join(', ')}`);
    return registry;
  };
  const keys = (repository: string, registry?: string) =>
    (registry === undefined ? names : [registry]).map((name) => keyOf(name, repository));
  return {
    names,
    known,
    keys,
    scope({ registry, repository }) {
      known(registry);
      if (repository === undefined) return registry === undefined ? {} : { registry };
      const all = keys(repository, registry);
      return { repository: all.length === 1 ? all[0] : all };
    },
    columns<Name extends string>(columns: readonly Name[]) {
      const others = columns.filter((name) => name !== 'registry');
      if (names.length < 2) return others;
      return others.flatMap((name): (Name | 'registry')[] => (name === 'repository' ? [name, 'registry'] : [name]));
    },
    shown(key) {
      const { registry, repository } = partsOf(key);
      return { repository, ...(names.length > 1 || registry !== defaultRegistry ? { registry } : {}) };
    },
  };
}

export const list = createRoute({
  method: 'get',
  path: '/v1/registries',
  summary: 'The registries by name',
  responses: {
    200: json(
      z.object({ items: z.array(z.object({ name: z.string() })) }),
      'Starts with `default`, the one without its own name',
    ),
  },
});

const token = z
  .object({
    id: z.string(),
    registry: z.string(),
    createdAt: z.iso.datetime(),
    usedAt: z.iso.datetime().optional().openapi({ description: 'To the minute' }),
  })
  .openapi('RegistryToken');

const required = z.string('give registry=NAME, as GET /v1/registries lists them');
const refused = { 409: json(error, 'Two tokens are valid already; the message says which to end.') };

export const tokens = createRoute({
  method: 'get',
  path: '/v1/registries/tokens',
  summary: 'The webhook tokens made for registries, with their last use',
  request: { query: z.object({ registry }) },
  responses: { 200: json(z.object({ items: z.array(token) }), 'Tokens, oldest first'), ...failures },
});

export const makeToken = createRoute({
  method: 'post',
  path: '/v1/registries/tokens',
  summary: 'Makes a webhook token, which only this response ever shows; the previous one stays valid',
  request: {
    query: z.object({
      registry: required,
      rotate: oneOf(['true', 'false'])
        .default('false')
        .openapi({ description: 'If there are two, the older one ends, provided that the newer one was used' }),
    }),
  },
  responses: { 201: json(token.extend({ token: z.string() }), 'The token'), ...failures, ...refused },
});

export const removeToken = createRoute({
  method: 'delete',
  path: '/v1/registries/tokens',
  summary: 'Ends a webhook token at once',
  request: { query: z.object({ registry: required, id: z.string('give id=ID, from GET /v1/registries/tokens') }) },
  responses: { 200: json(token, 'What was removed'), ...failures, 404: json(error, 'There is no such token.') },
});

export interface RegistryRoutesOptions {
  registries: Registries;
  credentials: CredentialStore;
  clock: () => number;
}

export function registryRoutes({ registries, credentials, clock }: RegistryRoutesOptions): OpenAPIHono {
  const app = router();
  app.openapi(list, (c) => c.json({ items: registries.names.map((name) => ({ name })) }, 200));
  app.openapi(tokens, async (c) => {
    const { registry } = c.req.valid('query');
    const names = registry === undefined ? registries.names : [registries.known(registry) as string];
    const held = await Promise.all(names.map((name) => tokensOf(credentials, name)));
    return c.json({ items: held.flat().map(tokenOf) }, 200);
  });
  app.openapi(makeToken, async (c) => {
    const { registry, rotate } = c.req.valid('query');
    registries.known(registry);
    const make = rotate === 'true' ? rotateToken : addToken;
    const made = await make(credentials, registry, clock()).catch((cause) => {
      throw cause instanceof TokenRefused ? new ApiError(409, 'two_tokens', `${cause.message}.`) : cause;
    });
    return c.json({ ...tokenOf(made.credential), token: made.token }, 201);
  });
  app.openapi(removeToken, async (c) => {
    const { registry, id } = c.req.valid('query');
    const ended = await endToken(credentials, registry, id);
    if (!ended) throw notFound(`${quoted(registry)} has no token ${quoted(id)}: GET /v1/registries/tokens lists them.`);
    return c.json(tokenOf(ended), 200);
  });
  return app;
}

const tokenOf = (credential: Credential) => ({
  ...{ id: tokenId(credential), registry: credential.name, createdAt: iso(credential.createdAt) },
  ...(credential.usedAt === undefined ? {} : { usedAt: iso(credential.usedAt) }),
});
