// Ways for tests to call serve: as a fixed role, or with every way of signing in.
import type { AccessSettings, Role } from '#core/access.ts';
import { openCredentials } from '#local/stores/credentials.ts';
import type { SignIn } from '#serve/sign-in.ts';

/** The access settings of a server for this machine's user only: everybody else sees nothing. */
const closedAccess: AccessSettings = {
  rules: { userClaim: 'preferred_username', roles: {} },
  everyone: 'public',
  publicMap: false,
  publicMapLeast: 5,
  sessionHours: 12,
};

/** Every caller has this role. */
export function accessAs(role: Role, user?: string): SignIn {
  const { rules, publicMap, publicMapLeast, sessionHours } = closedAccess;
  return {
    ...{ rules, publicMap, publicMapLeast, sessionHours, everyone: role },
    publicUrl: 'http://127.0.0.1',
    credentials: openCredentials(':memory:', () => 0),
    identify: async () => ({ role, user, by: 'machine' }),
  };
}
