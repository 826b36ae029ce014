#!/usr/bin/env bash
# Installs and builds the routers that test/web/beacon.test.ts tries the beacon with.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export PATH="$PWD/../../../node_modules/.bin:$PATH"
[ -d node_modules ] || npm ci --silent
node build.js
