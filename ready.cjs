// node --require: says in one line why a script of package.json can't run, before an import fails for it. CommonJS and
// old syntax, so that any Node reads it.
const { existsSync } = require('node:fs');
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
