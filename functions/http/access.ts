// Who may call what. Every route of collect and serve has a row: test/serve/access.test.ts calls each as each role.
import { atLeast, type Caller, mapFor, type PublicMap, type Role } from '#core/access.ts';

/**
 * What a route needs from its caller. `token`: a webhook token. `map`: whoever may see the map. `own`: role user for
 * the caller's own name in `user=`; other data about people is for the team.
 */
export type Needs = 'anyone' | 'token' | 'map' | 'own' | Exclude<Role, 'public'>;

const rows: Record<string, Needs> = {
  'POST /v1/registry-events': 'token',
  'POST /v1/hits': 'anyone',

  'GET /points.json': 'map',
  'GET /v1/points/latest': 'map',
  'GET /v1/points/days': 'map',
  'GET /v1/tiles/:snapshot/:z/:x/:file': 'map',
  'GET /v1/clusters': 'map',
  'GET /v1/clusters/leaves': 'map',
  'GET /v1/clusters/yandex': 'map',
  'GET /v1/hits': 'map',
  'GET /v1/embed/badge.svg': 'map',
  'GET /v1/embed/map': 'map',

  'GET /v1/history': 'own',
  'GET /v1/recommendations': 'own',
  'GET /v1/pulls': 'own',
  'GET /v1/outdated': 'own',
  'POST /v1/recommendations': 'user',
  'GET /v1/similar': 'user',

  'GET /v1/users': 'team',
  'GET /v1/pullers': 'team',
  'GET /v1/repositories': 'team',
  'GET /v1/unused': 'team',
  'GET /v1/images': 'team',
  'GET /v1/model': 'team',
  'GET /v1/alerts': 'team',
  'GET /v1/registries': 'user',

  'GET /v1/health/live': 'anyone',
  'GET /v1/health/ready': 'anyone',
  'GET /metrics': 'owner',
  'GET /v1/health': 'owner',
  'GET /v1/quarantine': 'owner',
  'POST /v1/model/rollback': 'owner',
  'DELETE /v1/model/rollback': 'owner',
  'DELETE /v1/users': 'owner',
  'GET /v1/tokens': 'owner',
  'POST /v1/tokens': 'owner',
  'DELETE /v1/tokens': 'owner',
  'GET /v1/registries/tokens': 'owner',
  'POST /v1/registries/tokens': 'owner',
  'DELETE /v1/registries/tokens': 'owner',
  'GET /v1/sessions': 'owner',
  'DELETE /v1/sessions': 'owner',

  'GET /v1/me': 'anyone',
  'GET /v1/session/login': 'anyone',
  'GET /v1/session/callback': 'anyone',
  'POST /v1/session/logout': 'anyone',
  'GET /v1/openapi.json': 'anyone',
};

const patterns = Object.entries(rows).map(([route, needs]) => {
  const [method, path] = route.split(' ');
  return { method, needs, path: new RegExp(`^${path.replaceAll('.', '\\.').replace(/:\w+/g, '[^/]+')}$`) };
});

/** What a call needs; undefined if there is no such route. */
export function needsOf(method: string, path: string): Needs | undefined {
  const asked = method === 'HEAD' ? 'GET' : method;
  return rows[`${asked} ${path}`] ?? patterns.find((row) => row.method === asked && row.path.test(path))?.needs;
}

/** Throws for a route without a row, so that no route is served before it is decided who may call it. */
export function assertRow(method: string, path: string): void {
  if (!Object.hasOwn(rows, `${method} ${path.replace(/\{(\w+)\}/g, ':$1')}`))
    throw new Error(`${method} ${path} has no row in functions/http/access.ts: say there who may call it`);
}

/** Whether this caller may make the call. `users` are the values of `user=`. */
export function may({ role, user }: Caller, needs: Needs, users: string[], publicMap: PublicMap): boolean {
  if (needs === 'anyone' || needs === 'token') return true;
  if (needs === 'map') return mapFor(role, publicMap) !== false;
  if (needs !== 'own') return atLeast(role, needs);
  // A repeated `user=` is refused: it would be unclear which one is meant.
  return atLeast(role, 'team') || (role === 'user' && user !== undefined && users.length === 1 && users[0] === user);
}
