# What the rows of table.ts find. Variables: REGISTRY host:port, REPOSITORY its path, IMAGE both, OTHER another repository, CACHE the same image
# through a pull-through cache, DIGEST what tag 1 names, CREDS user:password, W an empty folder (and the current one), SINGLE and INDEX
# images on disk, AUTH a folder with a docker configuration for each user, SOCKET containerd's.
set -euo pipefail
cd "$W"
echo "notes of $IMAGE" >notes.txt
export HOME="$W/home" DOCKER_CONFIG="$AUTH/$ROLE" REGISTRY_AUTH_FILE="$AUTH/$ROLE/config.json" HELM_REGISTRY_CONFIG="$AUTH/$ROLE/config.json"
export REGCTL_CONFIG="$W/regctl.json" COSIGN_PASSWORD='' NO_COLOR=1
mkdir -p "$HOME/.config/containers"
cp "$AUTH/registries.conf" "$HOME/.config/containers"

kept=(--root "$W/storage" --runroot "$W/run" --storage-driver vfs)
podman() { command podman "${kept[@]}" "$@"; }
buildah() { command buildah "${kept[@]}" "$@"; }
ctr() {
  local flags=()
  case "$1 $2" in
  'images pull') flags=(--snapshotter native) ;&
  'images push' | 'content fetch') flags+=(--plain-http --user "$CREDS") ;;
  esac
  command ctr --address "$SOCKET" --namespace "${REPOSITORY//\//-}" "$1" "$2" "${flags[@]}" "${@:3}"
}
helm() {
  case "$1" in
  push | pull | show | template | dependency) command helm "$@" --plain-http ;;
  *) command helm "$@" ;;
  esac
}
oras() {
  case "$1" in
  cp) command oras cp --from-plain-http --to-plain-http "${@:2}" ;;
  manifest | repo) command oras "$1" "$2" --plain-http "${@:3}" ;;
  *) command oras "$1" --plain-http "${@:2}" ;;
  esac
}
regctl() {
  [ -e "$REGCTL_CONFIG" ] || command regctl registry set --skip-check --tls disabled "$REGISTRY"
  command regctl "$@"
}
cosign() {
  case "$1" in
  sign) command cosign sign --key cosign.key --yes --allow-http-registry --tlog-upload=false --use-signing-config=false "${@:2}" ;;
  verify) command cosign verify --key "$KEYS/cosign.pub" --insecure-ignore-tlog --allow-http-registry "${@:2}" ;;
  *) command cosign "$@" ;;
  esac
}

chart() {
  command helm create "$(basename "$IMAGE")" >/dev/null
  command helm package "$(basename "$IMAGE")" -d "$W" >/dev/null
}
dockerfile() { printf 'FROM %s:1\nLABEL a=b\n' "$IMAGE" >"$W/Dockerfile"; }
umbrella() {
  mkdir umbrella
  cat >umbrella/Chart.yaml <<YAML
apiVersion: v2
name: umbrella
version: 0.1.0
dependencies: [{ name: $(basename "$IMAGE"), version: 0.1.0, repository: 'oci://$(dirname "$IMAGE")' }]
YAML
}
sync() {
  cat <<YAML
version: 1
creds: [{ registry: '$REGISTRY', tls: disabled, user: '${CREDS%:*}', pass: '${CREDS#*:}' }]
sync: [{ source: '$IMAGE:1', target: '$OTHER:1', type: image }]
YAML
}
