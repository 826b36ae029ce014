#!/usr/bin/env bash
# Checks the packages that the package brings: allowed licences, a software bill of materials (CycloneDX), known advisories.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"
mkdir -p build
node infra/tools/licences.ts >build/licences.md
npm sbom --omit dev --sbom-format cyclonedx >build/sbom.cdx.json
node -e '
const { bomFormat, components } = JSON.parse(require("node:fs").readFileSync("build/sbom.cdx.json", "utf8"));
if (bomFormat !== "CycloneDX" || components.length < 10) throw new Error("build/sbom.cdx.json is not a CycloneDX bill of materials");
console.log(`build/sbom.cdx.json: ${components.length} components`);'
# Not every registry offers advisories: without them there is nothing to fail for.
if npm audit --omit dev --audit-level high >build/audit.txt 2>&1; then
  tail -n 1 build/audit.txt
elif grep -qE "ENOAUDIT|not (yet )?implemented|E404|405|endpoint|ENOTFOUND|audit endpoint" build/audit.txt; then
  echo "the registry offers no advisories: not checked"
else
  cat build/audit.txt >&2
  exit 1
fi
