// OpenID Connect with any issuer: authorization code with PKCE, state and nonce; ID tokens are verified with the
// issuer's keys.
import * as openid from 'openid-client';
import { claimsFor, type RoleRules } from '#core/access.ts';
import { IssuerDown, type OpenId, SignInRefused } from './session.ts';

export interface OpenIdOptions {
  /** The URL below which `/.well-known/openid-configuration` is found. */
  issuer: string;
  clientId: string;
  /** Undefined for a public client, which only PKCE secures. */
  clientSecret?: () => Promise<string>;
  scopes: string[];
  rules: RoleRules;
}

const timeoutSeconds = 10;

export function openOpenId({ issuer, clientId, clientSecret, scopes, rules }: OpenIdOptions): OpenId {
  let known: Promise<openid.Configuration> | undefined;

  /** Discovered once; again after a failure. */
  const configuration = () => {
    known ??= discover().catch((cause) => {
      known = undefined;
      throw new IssuerDown(`the issuer ${issuer} does not respond as an OpenID provider: ${reasonOf(cause)}`, {
        cause,
      });
    });
    return known;
  };

  async function discover() {
    const url = new URL(issuer);
    const insecure = url.protocol === 'http:' ? [openid.allowInsecureRequests] : [];
    const auth = clientSecret ? secretAuth(await clientSecret()) : openid.None();
    return openid.discovery(url, clientId, undefined, auth, {
      timeout: timeoutSeconds,
      execute: [...insecure, openid.enableNonRepudiationChecks],
    });
  }

  return {
    async reach() {
      await configuration();
    },
    async start(redirect_uri) {
      const config = await configuration();
      const [state, nonce, verifier] = [openid.randomState(), openid.randomNonce(), openid.randomPKCECodeVerifier()];
      const url = openid.buildAuthorizationUrl(config, {
        ...{ redirect_uri, state, nonce, scope: scopes.join(' ') },
        ...{ code_challenge: await openid.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' },
      });
      return { url, pending: { state, nonce, verifier } };
    },
    async finish(url, { state, nonce, verifier }) {
      const config = await configuration();
      try {
        const tokens = await openid.authorizationCodeGrant(config, url, {
          ...{ expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true },
        });
        const identity = tokens.claims() as openid.IDToken;
        const claims = claimsFor(rules, identity);
        // Many issuers put only the subject into the ID token.
        if (!config.serverMetadata().userinfo_endpoint || claims[rules.userClaim]) return claims;
        const more = await openid.fetchUserInfo(config, tokens.access_token, identity.sub);
        return claimsFor(rules, { ...more, ...identity });
      } catch (cause) {
        throw new SignInRefused(reasonOf(cause), { cause });
      }
    },
  };
}

/**
 * Sends the client secret in the header, the default of OpenID Connect, unless the issuer accepts it only in the body.
 */
const secretAuth =
  (secret: string): openid.ClientAuth =>
  (server, ...rest) => {
    const methods = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
    const auth = methods.includes('client_secret_basic') ? openid.ClientSecretBasic : openid.ClientSecretPost;
    return auth(secret)(server, ...rest);
  };

/** What went wrong, without data about the person. */
function reasonOf(cause: unknown): string {
  if (cause instanceof openid.AuthorizationResponseError || cause instanceof openid.ResponseBodyError)
    return cause.error_description ? `${cause.error} (${cause.error_description})` : cause.error;
  // If the connection failed, fetch has the reason only in its cause.
  let root = cause;
  while (root instanceof Error && root.cause instanceof Error) root = root.cause;
  const { message = String(root), code = '' } = root as Partial<NodeJS.ErrnoException>;
  return untrusted.includes(code)
    ? `${message}: if your own authority signed the certificate, set NODE_EXTRA_CA_CERTS=FILE to the authority's certificate`
    : message || code;
}

/** Node's error codes for a certificate from an unknown authority. */
const untrusted = [
  ...['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'SELF_SIGNED_CERT_IN_CHAIN'],
  'DEPTH_ZERO_SELF_SIGNED_CERT',
];
