// Roles, and how a signed-in person gets one. What each role may call: functions/http/access.ts.

/** Each role may do all that those before it may. */
export const roles = ['public', 'user', 'team', 'owner'] as const;
export type Role = (typeof roles)[number];

/** Who calls. */
export interface Caller {
  role: Role;
  /** The registry's user name; undefined for everyone and for scripts. */
  user?: string;
}

export const atLeast = (role: Role, least: Role): boolean => roles.indexOf(role) >= roles.indexOf(least);

/** What those who are not signed in see of the map. */
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
  /** What the whole claim must match; its first group is the user name, or all of it. A claim that doesn't match names nobody. */
  userPattern?: string;
  /** Values of claims that give a role; any one is enough. Without `user` everybody who signs in has that role. */
  roles: { [R in Exclude<Role, 'public'>]?: Record<string, string[]> };
}

/** The claims that the rules ask for; `email` only where the issuer doesn't say that it is unverified. */
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

/** The caller of these claims. Several user names name nobody: whose history would it be? */
export function callerOf(claims: Claims, { userClaim, userPattern, roles }: RoleRules): Caller {
  const names = claims[userClaim] ?? [];
  const match = names.length === 1 ? new RegExp(`^(?:${userPattern ?? '.+'})$`, 's').exec(names[0]) : null;
  const user = match ? (match[1] ?? match[0]) : undefined;
  const has = (role: 'user' | 'team' | 'owner') =>
    Object.entries(roles[role] ?? {}).some(([name, values]) => claims[name]?.some((value) => values.includes(value)));
  const role = has('owner') ? 'owner' : has('team') ? 'team' : has('user') || !roles.user ? 'user' : 'public';
  return { role, ...(user ? { user } : {}) };
}

/** Who signs in how, and what each may see: the settings of both wirings, checked and with their defaults. */
export interface AccessSettings {
  /** `https://NAME[/BASE]`; undefined where nobody but this machine's user calls. */
  publicUrl?: string;
  signIn?: OpenIdSettings | ProxySettings;
  rules: RoleRules;
  everyone: Role;
  publicMap: PublicMap;
  /** Hits a day below which nothing is on the anonymous map, nor in its sums. */
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
  /** Addresses, ranges or `loopback` that the headers are believed from. */
  proxies: string[];
  userHeader: string;
  groupsHeader?: string;
}

/** The access of a server that only its own user reaches: everybody else sees nothing. */
export const closedAccess: AccessSettings = {
  rules: { userClaim: 'preferred_username', roles: {} },
  everyone: 'public',
  publicMap: false,
  publicMapLeast: 5,
  sessionHours: 12,
};
