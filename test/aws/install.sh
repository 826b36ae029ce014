#!/usr/bin/env bash
# Installs what the AWS side of the tests runs against: MiniStack in .venv (PyPI), OpenSearch in .cache (Maven Central).
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
[ -x "$root/.venv/bin/ministack" ] || {
  python3 -m venv "$root/.venv"
  "$root/.venv/bin/pip" install -q --disable-pip-version-check ministack==1.5.33
}
"$root/test/opensearch/start.sh" --install
