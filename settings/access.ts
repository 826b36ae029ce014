import type { AccessSettings } from '#core/access.ts';
import { isLoopback } from '#core/address.ts';
import { SettingError } from './error.ts';
import type { ResolvedSettings } from './schema.ts';

/**
 * How people sign in and what they see, with defaults for a server that others can reach, or for one that only its user
 * reaches.
 */
export function accessOf(settings: ResolvedSettings, reached: boolean): AccessSettings {
  const { publicUrl, signIn, userPattern, roles, everyone = 'public' } = settings;
  const { publicMapLeast, sessionHours } = settings;
  const { userClaim = signIn && 'proxies' in signIn ? 'user' : 'preferred_username' } = settings;
  const { publicMap = reached ? 'anonymous' : false } = settings;
  const rules = { userClaim, userPattern, roles };
  return { publicUrl, signIn, rules, everyone, publicMap, publicMapLeast, sessionHours };
}

/** Throws SettingError if others could reach a server without sign-in, unless the owner explicitly allows it. */
export function localAccess(settings: ResolvedSettings): AccessSettings {
  const { listen, publicUrl, signIn, everyone } = settings;
  const reached = publicUrl !== undefined || !(listen === 'localhost' || isLoopback(listen));
  if (signIn && !publicUrl)
    throw new SettingError(
      'publicUrl is missing: must be given with signIn, as https://NAME: browsers are sent back to it',
    );
  if (reached && !signIn && everyone === undefined)
    throw new SettingError(
      `${publicUrl ? `publicUrl is "${publicUrl}"` : `listen is "${listen}"`}: needs signIn, so that others sign in (docs/team.md), or --everyone public, which shows only the anonymous map without sign-in`,
    );
  return accessOf(settings, reached);
}

/** The hits a day that a domain needs to be on the anonymous map; undefined if nobody sees that map. */
export const anonymousLeast = (
  { publicMapLeast }: ResolvedSettings,
  { publicMap, signIn, everyone }: AccessSettings,
) =>
  publicMap === 'anonymous' || (publicMap === false && (signIn || everyone === 'user')) ? publicMapLeast : undefined;

/** Which maps show hosts of private networks: by default only maps for people who are signed in. */
export const privateHostsOn = (
  { privateHosts }: ResolvedSettings,
  { publicMap }: AccessSettings,
): ('names' | 'anonymous')[] => (privateHosts ? ['names', 'anonymous'] : publicMap === 'names' ? [] : ['names']);
