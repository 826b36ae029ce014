// Past pulls and pushes from access logs of registries and proxies, and from Harbor's audit log. The formats:
// Distribution's JSON log (configuration `log.formatter: json`; internal/dcontext/http.go names the fields), the
// combined format of nginx, Apache and Distribution's own access log, Harbor's GET /api/v2.0/audit-logs.

/** The content of a log line: a row for `backfill`, or nothing to count. */
export type LogRow = Record<string, unknown> | undefined;

const manifestPath = /\/v2\/(.+)\/manifests\/([^/?#]+)(?:[?#]|$)/;
const actions: Partial<Record<string, string>> = { GET: 'pull', HEAD: 'pull', PUT: 'push' };

interface LoggedRequest {
  time: unknown;
  user?: unknown;
  method: string;
  uri: string;
  status: number;
  address?: unknown;
  userAgent?: unknown;
  mediaType?: unknown;
}

/** Only what a registry itself would report: successful requests for manifests. */
function rowOf({ method, uri, status, ...logged }: LoggedRequest): LogRow {
  const path = manifestPath.exec(uri);
  const action = actions[method];
  if (!path || !action || status < 200 || status >= 300) return undefined;
  const [repository, reference] = [decoded(path[1]), decoded(path[2])];
  return {
    ...logged,
    action,
    method,
    repository,
    ...(reference.includes(':') ? { digest: reference } : { tag: reference }),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const combined =
  /^(?:\S+:\d+ )?(\S+) \S+ (.*?) \[(\d\d)\/(\w{3})\/(\d{4}):(\d\d:\d\d:\d\d) ([+-]\d\d)(\d\d)\] "([A-Z]+) (\S+)[^"]*" (\d{3}) (?:\d+|-)(?: "(?:[^"\\]|\\.)*" "((?:[^"\\]|\\.)*)")?/;
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Whether a line is in the combined (or common) format. */
export const isCombined = (line: string): boolean => combined.test(line);

/** The row of a line in the combined format, or a text with the reason why the line can't be read. */
export function combinedRow(line: string): LogRow | string {
  const found = combined.exec(line);
  if (!found) return 'it is not in the combined log format';
  const [, address, user, day, month, year, clock, hours, minutes, method, uri, status, agent] = found;
  const number = months.indexOf(month) + 1;
  if (number === 0) return `month ${JSON.stringify(month)} is unknown`;
  return rowOf({
    time: `${year}-${String(number).padStart(2, '0')}-${day}T${clock}${hours}:${minutes}`,
    ...(user === '-' ? { user: '' } : { user }),
    ...{ method, uri, status: Number(status), address },
    ...(agent && agent !== '-' ? { userAgent: agent.replace(/\\(.)/g, '$1') } : {}),
  });
}

type Fields = Record<string, unknown>;

/** Whether a JSON line is one of Distribution's log. */
export const isDistributionLog = (row: Fields): boolean =>
  typeof row.msg === 'string' && ('http.request.uri' in row || 'go.version' in row || 'level' in row);

/** More requests than a registry handles at a time. */
const mostUnderWay = 10_000;

/**
 * Reads Distribution's JSON log line by line. A request's user is in one line ("authorized request") and its outcome in
 * a later one ("response completed"); both have the request's id.
 */
export function distributionLog(): (row: Fields) => LogRow {
  const users = new Map<unknown, unknown>();
  return (row) => {
    const id = row['http.request.id'];
    const user = row['auth.user.name'];
    if (user !== undefined && id !== undefined) {
      users.set(id, user);
      if (users.size > mostUnderWay) users.delete(users.keys().next().value);
    }
    if (row.msg !== 'response completed') return undefined;
    const known = user ?? users.get(id) ?? '';
    users.delete(id);
    const address = row['http.request.remoteaddr'];
    return rowOf({
      time: row.time,
      user: known,
      method: String(row['http.request.method']),
      uri: String(row['http.request.uri']),
      status: Number(row['http.response.status']),
      ...(address ? { address } : {}),
      ...(row['http.request.useragent'] ? { userAgent: row['http.request.useragent'] } : {}),
      ...(row['http.response.contenttype'] ? { mediaType: row['http.response.contenttype'] } : {}),
    });
  };
}

/** Whether a row is from Harbor's audit log, as its API or its table writes it. */
export const isHarborAudit = (row: Fields): boolean => 'op_time' in row && 'operation' in row && 'resource' in row;

const operations: Partial<Record<string, string>> = { pull: 'pull', create: 'push', push: 'push' };

/** `resource` is repository:tag or repository@digest. */
export function harborAuditRow(row: Fields): LogRow {
  const action = operations[String(row.operation)];
  if (!action || (row.resource_type !== undefined && row.resource_type !== 'artifact')) return undefined;
  if (row.operation_result === false || row.operation_result === 'false') return undefined;
  const [, repository, digest, tag] = /^(.*?)(?:@(\w+:\w+)|:([\w][\w.-]*))?$/.exec(String(row.resource)) ?? [];
  return {
    time: row.op_time,
    user: row.username ?? '',
    action,
    repository,
    ...(digest ? { digest } : {}),
    ...(tag ? { tag } : {}),
  };
}
