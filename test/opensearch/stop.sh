#!/usr/bin/env bash
# usage: stop.sh [PORT=9200] [DATA_DIR]   stops the server that start.sh started, by its pid
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
port="${1:-9200}"; pidfile="${2:-$here/../../.cache/opensearch/data-$port}/pid"
[ -f "$pidfile" ] || { echo "no pid file $pidfile" >&2; exit 0; }
pid="$(cat "$pidfile")"
# never signal a pid that something else has taken over; a zombie (empty command line) is gone too
alive() { tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q ' Launcher '; }
if ! alive; then rm -f "$pidfile"; exit 0; fi
kill "$pid"
for _ in $(seq 1 60); do alive || { rm -f "$pidfile"; exit 0; }; sleep 0.25; done
kill -9 "$pid"; rm -f "$pidfile"
