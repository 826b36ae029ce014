// Roles, and how a signed-in user gets one. functions/http/access.ts says what each role may call.

/** Each role includes the rights of those before it. */
export const roles = ['public', 'user', 'team', 'owner'] as const;
export type Role = (typeof roles)[number];

/** The caller of a request. */
export interface Caller {
  role: Role;
  /** The registry's user name; undefined for callers who are not signed in, and for scripts. */
  user?: string;
}

export const atLeast = (role: Role, least: Role): boolean => roles.indexOf(role) >= roles.indexOf(least);

/** What callers without the role team see of the map. */
export type PublicMap = 'names' | 'anonymous' | false;

/** What a caller sees of the map: domain names are for the team, unless the owner opens them to everyone. */
export function mapFor(role: Role, publicMap: PublicMap): PublicMap {
  if (atLeast(role, 'team')) return 'names';
  return publicMap === false && role === 'user' ? 'anonymous' : publicMap;
}

/** Values of an identity's claims by name. Only those that the rules name are kept. */
export type Claims = Record<string, string[]>;

/** How claims become a role and a user name of the registry. */
export interface RoleRules {
  /** The claim that holds the user name. */
  userClaim: string;
  /**
   * What the whole claim must match; the user name is its first group, or the whole claim. A claim that doesn't match
   * names nobody.
   */
  userPattern?: string;
  /**
   * For each role, claims and values that give it; any one is enough. Without `user`, everybody who signs in has the
   * role user.
   */
  roles: { [R in Exclude<Role, 'public'>]?: Record<string, string[]> };
}

/** The claims that the rules use; `email` only if the issuer doesn't say that it is unverified. */
export function claimsFor({ userClaim, roles }: RoleRules, given: Record<string, unknown>): Claims {
  const names = new Set([userClaim, ...Object.values(roles).flatMap((rule) => Object.keys(rule ?? {}))]);
  const claims: Claims = {};
  for (const name of names) {
    if (name === 'email' && given.email_verified === false) continue;
    const value = claimAt(given, name);
    const texts = (Array.isArray(value) ? value : [value]).filter((each) => typeof each === 'string' && each !== '');
    if (texts.length > 0) claims[name] = texts;
  }
  return claims;
}

/** `groups`, `https://id.example/roles`, or a path such as `realm_access.roles`. */
function claimAt(given: Record<string, unknown>, name: string): unknown {
  if (Object.hasOwn(given, name)) return given[name];
  let value: unknown = given;
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

/**
 * The caller of these claims. With several user names the caller has none: it would be unclear whose history is theirs.
 */
export function callerOf(claims: Claims, { userClaim, userPattern, roles }: RoleRules): Caller {
  const names = claims[userClaim] ?? [];
  const match = names.length === 1 ? new RegExp(`^(?:${userPattern ?? '.+'})$`, 's').exec(names[0]) : null;
  const user = match ? (match[1] ?? match[0]) : undefined;
  const has = (role: 'user' | 'team' | 'owner') =>
    Object.entries(roles[role] ?? {}).some(([name, values]) => claims[name]?.some((value) => values.includes(value)));
  const role = has('owner') ? 'owner' : has('team') ? 'team' : has('user') || !roles.user ? 'user' : 'public';
  return { role, ...(user ? { user } : {}) };
}

/** How people sign in and what each role may see: the settings of both wirings, checked and with their defaults. */
export interface AccessSettings {
  /** `https://NAME[/BASE]`; undefined if only this machine's user calls. */
  publicUrl?: string;
  signIn?: OpenIdSettings | ProxySettings;
  rules: RoleRules;
  everyone: Role;
  publicMap: PublicMap;
  /** The fewest hits a day that something needs to be on the anonymous map or in its sums. */
  publicMapLeast: number;
  sessionHours: number;
}

export interface OpenIdSettings {
  issuer: string;
  clientId: string;
  scopes: string[];
}

/** A proxy that signs people in itself, such as oauth2-proxy or Authelia. */
export interface ProxySettings {
  /** Addresses, ranges or `loopback` from which the headers are trusted. */
  proxies: string[];
  userHeader: string;
  groupsHeader?: string;
}
