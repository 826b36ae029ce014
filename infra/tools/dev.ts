// npm run dev [-- FLAGS OF npm start]: the server restarts when its code changes, and the pages reload.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createServer } from 'vite';

const root = join(import.meta.dirname, '../..');
const port = 8080;
const origin = `http://127.0.0.1:${port}`;

const watched = ['functions', 'infra', 'layers'].map((folder) => `--watch-path=${join(root, folder)}`);

const server = spawn(
  process.execPath,
  // Stages run in threads, whose files --watch alone does not watch.
  [...watched, 'infra/local/start.ts', '--port', String(port), ...process.argv.slice(2)],
  { cwd: root, stdio: 'inherit' },
);
const pages = await createServer({
  configFile: join(root, 'web/vite.config.ts'),
  server: { host: '127.0.0.1', port: 5173, proxy: { '/v1/': origin, '/points.json': origin, '/hit.js': origin } },
});
await pages.listen();
console.log(`pages http://127.0.0.1:${pages.config.server.port}, which ask ${origin}`);

server.on('exit', (code) => process.exit(code ?? 1));
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, async () => {
    server.kill(signal);
    await pages.close();
  });
