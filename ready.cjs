// node --require, of the scripts of package.json: says in one line why one can't run, before an import fails for it, and
// ends the server with its npm. CommonJS and old syntax, so that any Node reads it.
const { existsSync, readFileSync } = require('node:fs');
const { join } = require('node:path');

const installed = existsSync(join(__dirname, 'node_modules/.package-lock.json'));
const old = Number(process.versions.node.split('.')[0]) < 24;
if (!installed || old) {
  console.error(
    installed
      ? `this is Node ${process.version}: npm scripts need the Node 24 that npm ci installs (run it without --ignore-scripts and --omit)`
      : 'the packages are not installed: run npm ci first',
  );
  process.exit(1);
}

// npm hands a signal to its shell, which ends and hands on nothing: who ends npm start means the server. From here on, so
// that no moment of its start is left out; whoever was ended before has a parent that is neither.
if (process.env.npm_lifecycle_event === 'start') {
  const parent = process.ppid;
  const isOrphan = !/npm|start\.ts/.test(commandOf(parent));
  const watch = setInterval(() => {
    if (process.ppid === parent && !isOrphan) return;
    clearInterval(watch);
    process.kill(process.pid, 'SIGTERM');
  }, 200);
  watch.unref();
}

/** The command line of a process; where the system doesn't say, that of npm. */
function commandOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch (_) {
    return 'npm';
  }
}
