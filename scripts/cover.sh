#!/usr/bin/env bash
# Prints the share of statements that each package's own tests run, and fails
# when a room whose rules others rely on falls below the floor.
set -euo pipefail
cd "$(dirname "$0")/.."
profile=${1:?usage: scripts/cover.sh PROFILE}
floor=90
held='limiter loopguard internal/identity internal/apierror internal/balance internal/window internal/http1 internal/trace'

awk -v floor="$floor" -v held="$held" -v module="$(go list -m)" '
	NR == 1 { next }
	{
		package = $1
		sub(/\/[^\/]*$/, "", package)
		sub("^" module "/", "", package)
		total[package] += $2
		if ($3 > 0) run[package] += $2
	}
	END {
		n = split(held, rooms, " ")
		for (i = 1; i <= n; i++) must[rooms[i]] = 1
		for (p in total) {
			share = 100 * run[p] / total[p]
			printf "   %5.1f %%  %s%s\n", share, p, (p in must) ? "  (at least " floor " %)" : "" | "sort -k3"
			if ((p in must) && share < floor) low = low sprintf("coverage of %s is %.1f %%, expected at least %d %%\n", p, share, floor)
			delete must[p]
		}
		close("sort -k3")
		for (p in must) low = low "no coverage was measured for " p "\n"
		if (low != "") { printf "%s", low > "/dev/stderr"; exit 1 }
	}' "$profile"
