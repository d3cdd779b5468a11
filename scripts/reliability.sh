#!/usr/bin/env bash
# Makes every fault figure of docs/reliability.md with its full counts, one line
# each. The machine should have nothing else to do. With a name, only that one:
# scripts/reliability.sh Poisoned
set -euo pipefail
cd "$(dirname "$0")/.."

pattern="^Test(Fault|Tunnel|ServerSent).*${1:-}"
date -u +'%Y-%m-%d %H:%M UTC'
for package in ./limiter ./proxy ./e2e; do
	go test -tags=reliability -count=1 -v -parallel=1 -timeout=30m -run "$pattern" "$package" -full |
		sed -unE 's/^.*_test\.go:[0-9]+: figure: //p; /^ *--- FAIL|^FAIL|^panic/p; /_test\.go:[0-9]+: /{/figure: /!p}'
done
