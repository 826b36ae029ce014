// Runs flow.ts by its settings, as start.ts begins it. The flow is loaded only for valid settings, so that help and
// errors come at once.
import { SettingError } from '#settings/error.ts';
import { unbreakableLog } from './logging.ts';
import { help, readSettings } from './settings.ts';

unbreakableLog();

try {
  const settings = await readSettings(process.argv.slice(2), process.env);
  if (settings) await (await import('./flow.ts')).start(settings);
  else console.log(help);
} catch (cause) {
  console.error(explain(cause));
  process.exit(1);
}

/** Returns one line for an error that the user can fix, and the whole error for an internal one. */
function explain(cause: unknown): unknown {
  if (cause instanceof SettingError) return cause.message;
  const { code, message, path, syscall } = cause as NodeJS.ErrnoException;
  const { port, address, hostname } = cause as { port?: number; address?: string; hostname?: string };
  if (path !== undefined) return `${path} can't be used: ${message}`;
  if (code === 'EADDRINUSE') return `port ${port} is in use: give another with --port, or --port 0 for any free one`;
  if (code === 'EACCES') return `port ${port} is not allowed to this user: give one above 1023 with --port`;
  if (code === 'EADDRNOTAVAIL' || syscall === 'getaddrinfo')
    return `--listen ${hostname ?? address} can't be used: it must be an address of this machine, or a host name of one`;
  return cause;
}
