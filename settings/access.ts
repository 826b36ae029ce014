import type { AccessSettings } from '#core/access.ts';
import { isLoopback } from '#core/address.ts';
import { SettingError } from './error.ts';
import type { ResolvedSettings } from './schema.ts';

/** Who signs in how and sees what, with the defaults of a server that others reach, or that only its user does. */
export function accessOf(settings: ResolvedSettings, reached: boolean): AccessSettings {
  const { publicUrl, signIn, userPattern, roles, everyone = 'public' } = settings;
  const { publicMapLeast, sessionHours } = settings;
  const { userClaim = signIn && 'proxies' in signIn ? 'user' : 'preferred_username' } = settings;
  const { publicMap = reached ? 'anonymous' : false } = settings;
  const rules = { userClaim, userPattern, roles };
  return { publicUrl, signIn, rules, everyone, publicMap, publicMapLeast, sessionHours };
}

/** Throws SettingError where others could reach a server that nobody signs in to, unless the owner says so by name. */
export function localAccess(settings: ResolvedSettings): AccessSettings {
  const { listen, publicUrl, signIn, everyone } = settings;
  const reached = publicUrl !== undefined || !(listen === 'localhost' || isLoopback(listen));
  if (signIn && !publicUrl)
    throw new SettingError(
      'publicUrl is missing: must be given with signIn, as https://NAME: browsers come back to it',
    );
  if (reached && !signIn && everyone === undefined)
    throw new SettingError(
      `${publicUrl ? `publicUrl is "${publicUrl}"` : `listen is "${listen}"`}: must have signIn beside it, so that others sign in (docs/team.md); or, to let nobody sign in, --everyone public, which shows the anonymous map only`,
    );
  return accessOf(settings, reached);
}

/** Hits a day that a domain needs to be on the anonymous map; undefined where nobody sees that map. */
export const anonymousLeast = (
  { publicMapLeast }: ResolvedSettings,
  { publicMap, signIn, everyone }: AccessSettings,
) =>
  publicMap === 'anonymous' || (publicMap === false && (signIn || everyone === 'user')) ? publicMapLeast : undefined;

/** The maps that hosts of private networks are on: by default none that people see who are not signed in. */
export const privateHostsOn = (
  { privateHosts }: ResolvedSettings,
  { publicMap }: AccessSettings,
): ('names' | 'anonymous')[] => (privateHosts ? ['names', 'anonymous'] : publicMap === 'names' ? [] : ['names']);
