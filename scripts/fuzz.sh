#!/usr/bin/env bash
# Runs every fuzz target for the given time (30s) or number of inputs (1000x) each
# and prints `go test -json`. A short time would make a busy machine fail the run.
# An input that breaks a target is kept in its testdata/fuzz: commit it.
set -euo pipefail
cd "$(dirname "$0")/.."
fuzztime=${1:?usage: scripts/fuzz.sh 30s|1000x}

targets=$(grep -rHoE '^func Fuzz[A-Za-z0-9_]*' --include='*_test.go' --exclude-dir=node_modules . | sort)
if [ -z "$targets" ]; then
	echo 'cannot find any fuzz target' >&2
	exit 1
fi
while IFS=: read -r file func; do
	go test -json -run '^$' -fuzz "^${func#func }\$" -fuzztime "$fuzztime" -fuzzminimizetime 5s "$(dirname "$file")"
done <<<"$targets"
