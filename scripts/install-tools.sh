#!/usr/bin/env bash
# Installs what the tests need and is missing, and says what it installs. Runs
# again in a fraction of a second when nothing is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

headers=/usr/include/stdlib.h

# command:Debian package
needed=(make:make gcc:gcc git:git curl:curl node:nodejs npm:npm shellcheck:shellcheck promtool:prometheus
	systemd-analyze:systemd mandoc:mandoc chromium:chromium haproxy:haproxy
	buildah:buildah busybox:busybox-static redis-server:redis-server)

install_packages() {
	local packages=() entry
	for entry in "${needed[@]}"; do
		command -v "${entry%%:*}" >/dev/null || packages+=("${entry##*:}")
	done
	# gcc alone has no C library to link the race detector with.
	if [ -n "$headers" ] && [ ! -e "$headers" ]; then packages+=(libc6-dev); fi
	[ ${#packages[@]} -gt 0 ] || return 0
	if ! command -v apt-get >/dev/null; then
		echo "cannot install ${packages[*]}: there is no apt-get here; install them by hand" >&2
		return 1
	fi
	local as_root=()
	if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi
	echo "installing Debian packages: ${packages[*]}"
	"${as_root[@]}" apt-get update -qq
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
	# Debian starts the servers that it installs. The tests start their own.
	local server
	for server in prometheus haproxy; do
		if [[ " ${packages[*]} " == *" $server "* ]] && [ -d /run/systemd/system ]; then
			"${as_root[@]}" systemctl disable --now "$server.service"
		fi
	done
}

check_go() {
	if ! command -v go >/dev/null; then
		echo "cannot find go: install Go $(awk '$1 == "go" { print $2 }' go.mod) or newer" >&2
		return 1
	fi
}

# The SDK's package ships credentials of its vendor by mistake. They are deleted
# unread: nothing here may use them.
install_npm_packages() {
	local done=e2e/node_modules/.installed
	if [ ! -e "$done" ] || ! cmp -s e2e/package-lock.json "$done"; then
		echo 'installing npm packages into e2e/node_modules: the official SDK, routers and body parsers, what drives a browser, pinned by e2e/package-lock.json'
		(cd e2e && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
		find e2e/node_modules -name '.env*' -type f -delete
		cp e2e/package-lock.json "$done"
	fi
}

# build NAME PACKAGE: from the versions pinned in tools/go.mod.
build() {
	local binary=bin/$1
	if [ -x "$binary" ] && [ "$binary" -nt tools/go.mod ] && [ "$binary" -nt tools/testsum/main.go ] &&
		[ "$binary" -nt tools/allocs/main.go ]; then return 0; fi
	echo "building $binary with the versions pinned in tools/go.mod"
	CGO_ENABLED=0 go -C tools build -ldflags '-s -w' -o "../$binary" "$2"
	touch "$binary"
}

# The demo needs nothing but Go, and curl for the lines that it prints.
if [ "${1:-}" = demo ]; then
	needed=(curl:curl)
	headers=
	install_packages
	check_go
	exit
fi

install_packages
check_go
install_npm_packages
mkdir -p bin
build testsum ./testsum
build allocs ./allocs
build golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
