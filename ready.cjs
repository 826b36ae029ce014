// node --require, of the scripts of package.json: says in one line why one can't run, before an import fails for it,
// keeps compiled code for the next run, and ends the server with its npm. CommonJS and old syntax, so that any Node reads it.
const { existsSync, readFileSync } = require('node:fs');
const { enableCompileCache } = require('node:module');
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

// Two thirds of the processor time of a command's start are spent on compiling. Node does without if the folder can't be
// written, and leaves NODE_COMPILE_CACHE as it is.
enableCompileCache(join(__dirname, 'build/compile-cache'));

// Who ends npm start means the server. But npm hands a signal to its shell, which ends without handing it on, and an npm
// that is killed leaves its shell running. So the server ends once it has another parent, or its shell has, than at the
// start. This begins here, at the first moment of a start; if npm had ended even earlier, that parent runs no scripts.
if (process.env.npm_lifecycle_event === 'start') {
  const parent = process.ppid;
  const above = parentOf(parent);
  // Where a shell runs the script itself, its parent is npm; otherwise ours is.
  const isOrphan = !runsScripts(/start\.ts/.test(commandOf(parent)) ? above : parent);
  const watch = setInterval(() => {
    if (process.ppid === parent && parentOf(parent) === above && !isOrphan) return;
    clearInterval(watch);
    process.kill(process.pid, 'SIGTERM');
  }, 200);
  watch.unref();
}

/** Whether a process can be npm or one like it; true where the system doesn't say. */
function runsScripts(pid) {
  return pid === undefined || /npm|yarn|bun|node/.test(commandOf(pid));
}

/** The command line of a process; where the system doesn't say, that of npm. */
function commandOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch (_) {
    return 'npm';
  }
}

/** The parent of a process; undefined where the system doesn't say. */
function parentOf(pid) {
  try {
    return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').pop().split(' ')[1]);
  } catch (_) {
    return undefined;
  }
}
