// The portal and the service for the beacon's situations: one server under two host names. Each situation has its
// folder.
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buildPages } from '../../../web/build.ts';

interface Hit {
  domain: string;
  action: string;
  path: string;
  id: string;
}

interface Post {
  path: string;
  status: number | 'none';
  hits: Hit[];
  bytes: number;
  headers: IncomingMessage['headers'];
}

const script = readFileSync(join(await buildPages(), 'hit.js'));
const frameworks = join(import.meta.dirname, '../../../build/frameworks');
/** Why there are no routers to try. */
export const noRouters = !existsSync(frameworks) && 'build the routers: test/web/frameworks/install.sh';

/** What the server of one row was sent, and how it responds: a status, or nothing at all. */
export class Row {
  posts: Post[] = [];
  status: number | 'none' = 202;
  headers: Record<string, string> = {};
  html: (path: string) => string = () => '';
  /**
   * The hits that count, each id once as in the service: a request that is under way when its page is left may look failed to the
   * page, which then sends its hits again.
   */
  get hits(): Hit[] {
    const accepted = this.posts.flatMap(({ status, hits }) => (status === 202 ? hits : []));
    const ids = accepted.map(({ id }) => id);
    return accepted.filter(({ id }, at) => ids.indexOf(id) === at);
  }
}
export const rows = new Map<string, Row>();

const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
  const path = decodeURI((request.url ?? '/').split('?')[0]);
  const key = path.split('/')[1];
  const row = rows.get(key);
  if (path.endsWith('/hit.js')) {
    response.writeHead(200, {
      'Content-Type': 'text/javascript',
      'Access-Control-Allow-Origin': '*',
      'Cross-Origin-Resource-Policy': 'cross-origin',
    });
    return response.end(script);
  }
  if (row && request.method === 'POST') {
    const body = await new Response(request as never).text();
    row.posts.push({
      path,
      status: row.status,
      hits: JSON.parse(body),
      bytes: Buffer.byteLength(body),
      headers: request.headers,
    });
    if (row.status === 'none') return response.destroy();
    return response.writeHead(row.status, { 'Access-Control-Allow-Origin': '*' }).end();
  }
  const file = join(frameworks, path);
  if (/\.(js|css|html)$/.test(path) && existsSync(file)) {
    const type = path.endsWith('.html') ? 'text/html' : path.endsWith('.css') ? 'text/css' : 'text/javascript';
    return response.writeHead(200, { 'Content-Type': type }).end(readFileSync(file));
  }
  if (!row) return response.writeHead(404).end();
  response.writeHead(200, { 'Content-Type': 'text/html', ...row.headers }).end(`<!doctype html>${row.html(path)}`);
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const { port } = server.address() as AddressInfo;
/** The portal is another origin than the service, as it is out there. */
export const portal = `http://localhost:${port}`;
export const service = `http://127.0.0.1:${port}`;

/** Ends what the server holds open. */
export function closeSite(): void {
  server.closeAllConnections();
  server.close();
}

export const tag = (key: string, attributes = '') =>
  `<script defer src="${service}/${key}/hit.js" ${attributes}></script>`;
