#!/usr/bin/env bash
# Installs what the AWS side of the tests runs against: MiniStack, cfn-lint and Spark in .venv (PyPI), OpenSearch in .cache (Maven Central).
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
[ -x "$root/.venv/bin/ministack" ] || {
  python3 -m venv "$root/.venv"
  "$root/.venv/bin/pip" install -q --disable-pip-version-check ministack==1.5.33
}
# An environment of its own: its dependencies must not move MiniStack's.
[ -x "$root/.venv/lint/bin/cfn-lint" ] || {
  python3 -m venv "$root/.venv/lint"
  "$root/.venv/lint/bin/pip" install -q --disable-pip-version-check cfn-lint==1.58.0
}
# The Spark of the release in infra/train-spark.ts; it runs on the Java that OpenSearch needs.
[ -d "$root/.venv/spark/lib" ] && "$root/.venv/spark/bin/python" -c 'import pyspark' 2>/dev/null || {
  python3 -m venv "$root/.venv/spark"
  "$root/.venv/spark/bin/pip" install -q --disable-pip-version-check pyspark==3.5.6
}
"$root/test/opensearch/start.sh" --install
