#!/usr/bin/env bash
# Installs and builds the routers that test/web/beacon.test.ts tries the beacon with.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export PATH="$PWD/../../../node_modules/.bin:$PATH"
# Not npm ci: the lock file lacks an optional package of another platform, which that refuses.
[ -d node_modules ] || npm install --silent --no-save
node build.js
