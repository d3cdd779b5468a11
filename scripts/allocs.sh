#!/usr/bin/env bash
# Compares what the benchmarks of the hot path allocate with scripts/allocations.txt;
# with -record, writes it. The same number of iterations on one core each time makes
# the figures repeatable. Left out: what is large to set up, and the comparisons with
# other libraries.
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(./limiter ./loopguard ./proxy ./internal/accesslog ./internal/apierror ./internal/balance ./internal/digest
	./internal/identity ./internal/upstream ./internal/window)
leave='Take/1000000|Survey|ReserveAndKeep/100000|RefuseHugeBatch|Read/RS256|Read/ES256|Do/.*/.*/fasthttp'

go test -run '^$' -bench . -skip "$leave" -benchmem -benchtime 10000x -count 4 -cpu 1 -p 1 "${packages[@]}" |
	bin/allocs -baseline scripts/allocations.txt "$@"
