#!/usr/bin/env bash
# Proves the Dockerfile where no Docker engine runs: builds a Debian root with debootstrap from this machine's own apt
# sources, imports it as debian:bookworm-slim, builds the image with buildah (chroot isolation), starts the image's own
# command as the image's own user in a network namespace of its own, runs its health check, writes, ends it with
# SIGTERM, starts a second container on the same volume and reads back.  Needs root, debootstrap, buildah, about 6 GB.
#
# usage: tests/docker/prove.sh [WORK_DIRECTORY]     (a given directory is kept, so a second run is quicker)
# With PROVE_IMAGE=keep, an image that is in that directory is tried as it is.
# With PROVE_CCACHE=1 the build within uses this machine's compiler cache.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here ROOT=$here/../..
readonly BASE=docker.io/library/debian:bookworm-slim IMAGE=localhost/reqld-proof

step() { printf '\n=== %s\n' "$*"; }
die() {
  printf 'prove: %s\n' "$*" >&2
  exit 1
}

engine() { buildah --root "$WORK/storage" --runroot "$WORK/run" --storage-driver vfs "$@"; }

# The part that runs with the image's network to itself: `lo` only, so the image's real ports are free.
inside() {
  WORK=$1
  ip link set lo up
  local container
  # The image's own command, and what a compose file written for RethinkDB's image says.
  local commands=("reqld --bind all" "rethinkdb --bind all --no-update-check --cache-size 256")
  for round in 1 2; do
    local command
    read -ra command <<<"${commands[round - 1]}"
    step "container $round on the volume: ${command[*]}"
    container=$(engine from --pull-never "$IMAGE")
    # buildah would mount a volume of the container's own over the one that is given, unlike docker.
    engine config --volume /data- "$container"
    engine run --isolation chroot --volume "$WORK/volume:/data" "$container" -- "${command[@]}" \
      >"$WORK/server-$round.log" 2>&1 &
    local runner=$!
    wait_healthy "$container" || { cat "$WORK/server-$round.log" && die "never became healthy"; }
    # Whose process it is, as the kernel sees it.
    local server
    server=$(pgrep -x "${command[0]}" | tail -n 1)
    [[ $(stat -c %u "/proc/$server") == 1000 ]] || die "the server runs as uid $(stat -c %u "/proc/$server")"
    python3 "$here/query.py" "$round" || die "the queries failed"
    kill -TERM "$server"
    local status=0
    wait "$runner" || status=$?
    sed 's/^/    /' "$WORK/server-$round.log"
    [[ $status -eq 0 ]] || die "the server ended with status $status after SIGTERM"
    [[ $(stat -c %u "$WORK/volume/reqld_data") == 1000 ]] || die "the data is not in the volume"
    engine rm "$container" >/dev/null
  done
}

# Runs the HEALTHCHECK of the image in the container until it passes.
wait_healthy() {
  local check
  mapfile -d '' -t check < <(python3 -c '
import json, sys
test = json.load(open(sys.argv[1]))["Docker"]["config"]["Healthcheck"]["Test"]
assert test[0] == "CMD", test
sys.stdout.write("".join(word + "\0" for word in test[1:]))' "$WORK/inspect.json")
  for _ in $(seq 100); do
    if engine run --isolation chroot "$1" -- "${check[@]}" 2>/dev/null; then
      echo "healthy"
      return 0
    fi
    sleep 0.2
  done
  return 1
}

if [[ ${1:-} == --inside ]]; then
  inside "$2"
  exit 0
fi

[[ $(id -u) -eq 0 ]] || die "needs root"
for tool in buildah debootstrap unshare ip python3; do
  command -v "$tool" >/dev/null || die "needs $tool (apt-get install buildah debootstrap iproute2)"
done
if [[ $# -gt 0 ]]; then
  mkdir -p "$1"
  WORK=$(cd "$1" && pwd)
else
  WORK=$(mktemp -d "${TMPDIR:-/tmp}/reqld-image.XXXXXX")
fi
readonly KEEP=$#

clean_up() {
  local status=$?
  engine rm --all >/dev/null 2>&1 || true
  # Whatever is still mounted below goes before anything is removed.
  awk -v work="$WORK/" 'index($2, work) == 1 {print $2}' /proc/mounts | sort -r | while read -r place; do umount "$place" || true; done
  if [[ $KEEP -eq 0 ]] && ! grep -q " $WORK/" /proc/mounts; then rm -rf "$WORK"; fi
  exit "$status"
}
trap clean_up EXIT

if ! engine inspect --type image "$BASE" >/dev/null 2>&1; then
  step "a Debian root from this machine's apt sources"
  # shellcheck disable=SC2016 # apt's own placeholders
  mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
    awk '$1 == "bookworm" {print $2; exit}')
  [[ -n $mirror ]] || die "no source for bookworm in apt's configuration"
  debootstrap --variant=minbase bookworm "$WORK/root" "$mirror" >"$WORK/debootstrap.log" 2>&1 ||
    { tail "$WORK/debootstrap.log" && die "debootstrap failed"; }
  # The same sources and settings as here, so that apt-get works in the build as it does on this machine.
  rm -f "$WORK/root/etc/apt/sources.list"
  for part in sources.list sources.list.d apt.conf.d/99artifact-registry; do
    if [[ -e /etc/apt/$part ]]; then cp -a "/etc/apt/$part" "$WORK/root/etc/apt/$part.new"; fi
    if [[ -e $WORK/root/etc/apt/$part.new ]]; then
      rm -rf "$WORK/root/etc/apt/$part"
      mv "$WORK/root/etc/apt/$part.new" "$WORK/root/etc/apt/$part"
    fi
  done
  step "imported as $BASE"
  container=$(engine from scratch)
  engine add --quiet "$container" "$WORK/root" / >/dev/null
  engine commit --quiet --rm "$container" "$BASE" >/dev/null
  rm -rf "$WORK/root"
fi

build_image() {
  step "buildah bud"
  # A clean checkout of what is committed, plus nothing: what a user would clone.
  rm -rf "$WORK/context"
  git -C "$ROOT" archive --format tar --prefix context/ HEAD | tar -x -C "$WORK"
  mounts=()
  if [[ -n ${PROVE_CCACHE:-} ]]; then
    mounts=(--volume "$(ccache -k cache_dir):/root/.cache/ccache" --volume "$HOME/.config/ccache:/root/.config/ccache")
  fi
  engine bud "${mounts[@]}" --isolation chroot --format docker --pull-never --layers=false --tag "$IMAGE" "$WORK/context"
}
if [[ ${PROVE_IMAGE:-} != keep ]] || ! engine inspect --type image "$IMAGE" >/dev/null 2>&1; then build_image; fi

step "what the image says"
engine inspect --type image "$IMAGE" >"$WORK/inspect.json"
python3 - "$WORK/inspect.json" <<'EOF'
import json, sys
config = json.load(open(sys.argv[1]))["Docker"]["config"]
print(json.dumps(config, indent=1))
assert config["User"] == "1000:1000", config["User"]
assert config["Cmd"] == ["reqld", "--bind", "all"], config["Cmd"]
assert config["WorkingDir"] == "/data" and "/data" in config["Volumes"]
assert sorted(config["ExposedPorts"]) == ["28015/tcp", "8080/tcp"]
assert config["Healthcheck"]["Test"][0] == "CMD"
EOF

# As it is on disk in one piece; what travels over the network is about a third of it.
container=$(engine from --pull-never "$IMAGE")
base=$(engine from --pull-never "$BASE")
printf 'size: %s, of which the base is %s\n' "$(du -sh --apparent-size "$(engine mount "$container")" | cut -f1)" \
  "$(du -sh --apparent-size "$(engine mount "$base")" | cut -f1)"
engine rm "$container" "$base" >/dev/null

rm -rf "$WORK/volume"
install -d -o 1000 -g 1000 "$WORK/volume"
unshare --net --pid --fork --kill-child --mount-proc "${BASH_SOURCE[0]}" --inside "$WORK"
step "proven: built, started as uid 1000, healthy, written, ended, started again on the same volume, read back"
