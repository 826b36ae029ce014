#!/usr/bin/env bash
# Starts one real OpenSearch node on 127.0.0.1, waits for it, prints its URL.
# usage: start.sh [PORT=9200] [DATA_DIR=.cache/opensearch/data-PORT], or start.sh --install   env: RUNNER_VERSION, JAVA, HEAP, TRANSPORT_PORT, MVN_ARGS
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
install_only=false; [ "${1:-}" != --install ] || { install_only=true; shift; }
port="${1:-9200}"; home="${2:-$here/../../.cache/opensearch/data-$port}"; tport="${TRANSPORT_PORT:-$((port + 100))}"
version="${RUNNER_VERSION:-2.19.1.0}"; java="${JAVA:-java}"; heap="${HEAP:-512m}"
cache="$here/../../.cache/opensearch"; lib="$cache/lib-$version"
mkdir -p "$cache" "$home/config"; home="$(cd "$home" && pwd)"; pidfile="$home/pid"
# kill -0 also succeeds on a zombie and on a reused pid: a zombie has an empty command line
alive() { [ -f "$pidfile" ] && tr '\0' ' ' 2>/dev/null <"/proc/$(cat "$pidfile")/cmdline" | grep -q ' Launcher '; }
if alive; then echo "already running: http://127.0.0.1:$port" >&2; exit 1; fi
if [ ! -f "$lib/.done" ]; then   # only this step needs the registry
  rm -rf "$lib"
  mvn -B -q ${MVN_ARGS:-} -f "$here/pom.xml" -Drunner.version="$version" \
    org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies \
    -DoutputDirectory="$lib" -DincludeScope=runtime >&2
  touch "$lib/.done"
fi
# the launcher is compiled once, against 2.x (its few classes are the same in 3.x)
classes="$cache/classes"
if [ ! -f "$classes/Launcher.class" ] || [ "$here/Launcher.java" -nt "$classes/Launcher.class" ]; then
  mkdir -p "$classes"; javac -nowarn -cp "$lib/*" -d "$classes" "$here/Launcher.java" >&2
fi
! $install_only || exit 0
cp "$here/log4j2.properties" "$home/config/log4j2.properties"
rm -f "$home/started"
nohup "$java" -Xms"$heap" -Xmx"$heap" -XX:+UseSerialGC -XX:TieredStopAtLevel="${TIER:-4}" \
  -cp "$classes:$lib/*" \
  Launcher "$home" "$port" "$tport" >"$home/server.log" 2>&1 </dev/null &
echo $! >"$pidfile"
sleep 0.3
for _ in $(seq 1 720); do
  if ! alive; then echo "opensearch died; see $home/server.log" >&2; tail -20 "$home/server.log" >&2; exit 1; fi
  if [ -f "$home/started" ] && curl -fs -m 5 "http://127.0.0.1:$port/_cluster/health?wait_for_status=yellow&timeout=5s" | grep -Eq '"status":"(green|yellow)"'; then
    echo "http://127.0.0.1:$port"; exit 0
  fi
  sleep 0.25
done
echo "opensearch not ready in 180 s; see $home/server.log" >&2; exit 1
