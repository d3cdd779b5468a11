#!/usr/bin/env bash
# Runs the tests that stand in files built without the race detector: the
# promises that the hot path allocates nothing. Prints `go test -json`.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t files < <(grep -rlE '^//go:build .*!race' --include='*_test.go' --exclude-dir=node_modules . | sort)
names=$(grep -hoE '^func (Test[A-Za-z0-9_]*)' "${files[@]}" /dev/null | sed 's/^func //' | sort -u | paste -sd'|')
if [ -z "$names" ]; then
	echo 'cannot find any test built without the race detector' >&2
	exit 1
fi
mapfile -t packages < <(dirname "${files[@]}" | sort -u)
exec go test -json -count=1 -run "^($names)\$" "${packages[@]}"
