#!/usr/bin/env bash
# Fetches what the console's page loads from the npm registry, checks each archive
# against the hash that is pinned here, and writes the few files that are used to
# internal/console/assets/vendor. They are committed: a build fetches nothing.
# With -check it writes nothing, and fails when a committed file differs.
set -euo pipefail
cd "$(dirname "$0")/.."
vendor=internal/console/assets/vendor
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# fetch PACKAGE@VERSION SHA512 FILE=AS…
fetch() {
	local package=$1 hash=$2 archive pair
	shift 2
	archive=$work/$(cd "$work" && npm pack --silent "$package" 2>/dev/null)
	if [ "$(openssl dgst -sha512 -binary "$archive" | base64 -w0)" != "$hash" ]; then
		echo "cannot use $package: its archive has another hash than the one pinned in $0" >&2
		exit 1
	fi
	for pair in "$@"; do
		tar -xzOf "$archive" "package/${pair%%=*}" >"$work/${pair##*=}"
	done
}

# Preact, its hooks and htm in one module; the licence of htm is Apache-2.0, that
# of Preact, which it contains, MIT.
fetch htm@3.1.1 983Vyg8NwUE7JkZ6NmOqpCZ+sh1bKv2iYTlUkzlWmA5JD2acKoxd4KVxbMmxX/85mtfdnDmTFoNKcg5DGAvxNQ== \
	preact/standalone.module.js=preact-htm.js LICENSE=htm.LICENSE
fetch preact@10.5.13 q/vlKIGNwzTLu+jCcvywgGrt+H/1P/oIRSD6mV4ln3hmlC+Aa34C7yfPI4+5bzW8pONyVXYS7SvXosy2dKKtWQ== LICENSE=preact.LICENSE
fetch uplot@1.6.32 KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw== \
	dist/uPlot.iife.min.js=uplot.js dist/uPlot.min.css=uplot.css LICENSE=uplot.LICENSE

for file in "$work"/*.js "$work"/*.css "$work"/*.LICENSE; do
	if [ "${1:-}" = -check ]; then
		cmp "$file" "$vendor/$(basename "$file")"
	else
		mkdir -p "$vendor"
		install -m 644 "$file" "$vendor/"
	fi
done
