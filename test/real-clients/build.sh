#!/usr/bin/env bash
# Builds what test/real-clients needs and Debian does not have, through the Go module proxy that this machine is configured
# with, into .cache/real-clients. What is there in the right version stays. On a machine without a recent Go the toolchain
# comes through the same proxy.
#   test/real-clients/build.sh [NAME...]     all, or only these
set -euo pipefail
cd "$(dirname "$0")/../.."
folder="$PWD/.cache/real-clients"
mkdir -p "$folder"

# NAME PACKAGE VERSION
clients='
crane    github.com/google/go-containerregistry/cmd/crane v0.22.1
regctl   github.com/regclient/regclient/cmd/regctl v0.11.7
regsync  github.com/regclient/regclient/cmd/regsync v0.11.7
oras     oras.land/oras/cmd/oras v1.3.6
registry github.com/distribution/distribution/v3/cmd/registry v3.1.2
helm     helm.sh/helm/v3/cmd/helm v3.22.0
cosign   github.com/sigstore/cosign/v3/cmd/cosign v3.1.3
'
oldest=1.26.7

command -v go >/dev/null || { echo "no go: install golang-go (.ci/run does)" >&2; exit 1; }
version="$(go env GOVERSION)"
if [ "$(printf '%s\n' "$oldest" "${version#go}" | sort -V | head -n 1)" != "$oldest" ]; then
  # As a newer Go does by itself: the toolchain is a module, whose files come without their x bit.
  module="golang.org/toolchain@v0.0.1-go$oldest.$(go env GOOS)-$(go env GOARCH)"
  root="$(go env GOMODCACHE)/$module"
  if [ ! -x "$root/bin/go" ]; then
    (cd "$(mktemp -d)" && GONOSUMDB=golang.org/toolchain GONOSUMCHECK=1 GOFLAGS=-mod=mod go mod download "$module")
    chmod -R u+w "$root"
    chmod +x "$root"/bin/* "$root"/pkg/tool/*/*
  fi
  export GOROOT="$root" PATH="$root/bin:$PATH"
fi

export CGO_ENABLED=0 GOBIN="$folder" GOTOOLCHAIN=local
while read -r name package release; do
  [ -n "$name" ] || continue
  [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
  [ "$(cat "$folder/$name.version" 2>/dev/null)" != "$package@$release" ] || continue
  start=$SECONDS
  go install -ldflags '-s -w' "$package@$release"
  echo "$package@$release" >"$folder/$name.version"
  echo "$name $release: built in $((SECONDS - start)) s"
done <<<"$clients"
