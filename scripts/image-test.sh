#!/usr/bin/env bash
# Builds the container image for amd64 and arm64 with buildah, from a base image
# made here (no registry is asked), looks at what is in it, and runs the amd64
# one as its own user until its own health check answers.
#
# chroot isolation shares this machine's network and confines little: this tests
# the recipe of the image, not the confinement of a container.
set -euo pipefail
cd "$(dirname "$0")/.."

export BUILDAH_ISOLATION=chroot
base=localhost/gateway-test-builder
image=localhost/gateway-test
work=$(mktemp -d)
containers=()

cleanup() {
	status=$?
	if [ -n "${gateway:-}" ]; then kill "$gateway" 2>/dev/null || true; fi
	for c in "${containers[@]}"; do buildah rm "$c" >/dev/null 2>&1 || true; done
	buildah rmi -f "$image:amd64" "$image:arm64" "$base" >/dev/null 2>&1 || true
	rm -rf "$work"
	exit "$status"
}
trap cleanup EXIT

die() {
	printf '%s\n' "$*" >&2
	exit 1
}

# The build stage: a shell, the files that a Debian image has, and the Go of this
# machine, mounted while the image is built.
make_base() {
	local c mounted tool
	c=$(buildah from scratch)
	containers+=("$c")
	mounted=$(buildah mount "$c")
	mkdir -p "$mounted"/{bin,tmp,root,etc/ssl/certs}
	chmod 1777 "$mounted/tmp"
	cp "$(command -v busybox)" "$mounted/bin/busybox"
	for tool in sh mkdir cp echo; do ln -s busybox "$mounted/bin/$tool"; done
	cp /etc/ssl/certs/ca-certificates.crt "$mounted/etc/ssl/certs/"
	buildah umount "$c" >/dev/null
	buildah config --env PATH=/usr/local/go/bin:/bin --env HOME=/root --env GOPROXY=off \
		--env GOMODCACHE=/modules --env GOCACHE=/build "$c"
	buildah commit -q "$c" "$base" >/dev/null
}

# build ARCH. BUILDPLATFORM is given, because only BuildKit sets it by itself.
build() {
	buildah bud --quiet --format docker --platform "linux/$1" \
		--build-arg BUILDPLATFORM=linux/amd64 --build-arg GO_IMAGE="$base" \
		--build-arg VERSION=v0.0.0-test --build-arg COMMIT=0123456789ab \
		-v "$(go env GOROOT)":/usr/local/go:ro -v "$(go env GOMODCACHE)":/modules -v "$(go env GOCACHE)":/build \
		-t "$image:$1" . >"$work/build.$1" 2>&1 || die "cannot build for $1: $(tail -30 "$work/build.$1")"
}

# want FIELD VALUE ARCH: what buildah says of the image.
want() {
	local got
	got=$(buildah inspect --type image --format "{{$1}}" "$image:$3")
	[ "$got" = "$2" ] || die "$3: $1 is $got, want $2"
}

# look ARCH MACHINE: its description and its only program.
look() {
	local c mounted
	want .OCIv1.Architecture "$1" "$1"
	want .Docker.Config.User 65532:65532 "$1"
	want .Docker.Config.Entrypoint '[/gateway]' "$1"
	want .Docker.Config.Cmd '[run --config /etc/gateway/gateway.yaml]' "$1"
	want .Docker.Config.Healthcheck.Test '[CMD /gateway healthcheck --config /etc/gateway/gateway.yaml]' "$1"
	want 'index .Docker.Config.Labels "org.opencontainers.image.version"' v0.0.0-test "$1"
	want 'index .Docker.Config.Labels "org.opencontainers.image.revision"' 0123456789ab "$1"
	want 'index .Docker.Config.Labels "org.opencontainers.image.licenses"' MIT "$1"
	want 'index .Docker.Config.Labels "org.opencontainers.image.title"' gateway "$1"
	want 'index .Docker.Config.Labels "org.opencontainers.image.source"' https://github.com/chatshipper/gateway "$1"
	want 'index .Docker.Config.Labels "org.opencontainers.image.documentation"' https://github.com/chatshipper/gateway/blob/main/README.md "$1"
	want 'index .Docker.Config.Labels "org.opencontainers.image.base.name"' scratch "$1"
	c=$(buildah from "$image:$1")
	containers+=("$c")
	mounted=$(buildah mount "$c")
	[ "$(cd "$mounted" && find . -type f | grep -vE '^\./(proc|sys|dev|run)/' | sort | tr '\n' ' ')" = \
		'./etc/group ./etc/passwd ./etc/ssl/certs/ca-certificates.crt ./gateway ' ] ||
		die "$1: other files than expected: $(cd "$mounted" && find . -type f)"
	[ "$(od -An -j18 -N2 -tu2 "$mounted/gateway" | tr -d ' ')" = "$2" ] || die "$1: the program is for another machine"
	if LC_ALL=C grep -qa '/lib64/ld-linux\|/lib/ld-linux' "$mounted/gateway"; then die "$1: the program is not static"; fi
	printf '   %s: %s bytes\n' "$1" "$(stat -c %s "$mounted/gateway")"
	buildah umount "$c" >/dev/null
}

# The image runs as its user: nothing is given to it but a configuration.
run_it() {
	local c tries=0 port=$((20000 + RANDOM % 10000)) # hardly anybody else's
	c=$(buildah from "$image:amd64")
	containers+=("$c")
	chmod 755 "$work"
	cat >"$work/gateway.yaml" <<-YAML
		listen: {address: "127.0.0.1:$port"}
		admin: {address: "127.0.0.1:$((port + 1))"}
		upstream: {url: "http://127.0.0.1:$((port + 2))"}
	YAML
	inside() { buildah run -v "$work":/etc/gateway:ro "$c" -- "$@"; }
	if inside /gateway healthcheck --config /etc/gateway/gateway.yaml 2>/dev/null; then die 'it is healthy before it runs'; fi
	inside /gateway run --config /etc/gateway/gateway.yaml >"$work/log" 2>&1 &
	until inside /gateway healthcheck --config /etc/gateway/gateway.yaml >"$work/health" 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 50 ] || die "it is not healthy: $(cat "$work/health" "$work/log")"
		sleep 0.1
	done
	gateway=$(pgrep -f '^/gateway run --config /etc/gateway/gateway.yaml$')
	[ "$(awk '/^Uid:/ { print $2 }' "/proc/$gateway/status")" = 65532 ] || die 'it runs as another user than its own'
	kill -TERM "$gateway"
	wait $! || die "it did not end with 0: $(cat "$work/log")"
	gateway=
	grep -q 'gateway has stopped' "$work/log" || die "it did not drain: $(cat "$work/log")"
	printf '   amd64 ran as user 65532, its health check answered, and it drained\n'
}

make_base
build amd64
build arm64
look amd64 62
look arm64 183
run_it
