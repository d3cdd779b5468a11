#!/usr/bin/env bash
# Everything CI checks, in the order of how soon it tells. The last line counts
# the tests, whether they passed or not; the first failed step ends the run.
set -euo pipefail
cd "$(dirname "$0")/.."

summary() {
	status=$?
	# A step that is no test (a linter, coverage) counts as one failure.
	if [ "$status" -ne 0 ] && ! grep -qsvE ' 0$' bin/test/*.count; then echo '0 1' >bin/test/steps.count; fi
	if [ -x bin/testsum ]; then bin/testsum -total bin/test/*.count; else echo '0 passed, 1 failed'; fi
	exit "$status"
}

step() {
	local name=$1 start=$SECONDS
	shift
	printf '\n== %s\n' "$name"
	if ! "$@"; then
		printf '\nfailed: %s (run it alone with: %s)\n' "$name" "$*" >&2
		return 1
	fi
	printf '   %ss\n' $((SECONDS - start))
}

rm -rf bin/test
mkdir -p bin/test
trap summary EXIT

step 'tools' scripts/install-tools.sh
step 'formatting, vet and linters' make lint
step 'unit tests, with the race detector' make race
step 'coverage' scripts/cover.sh bin/test/cover.out
step 'zero allocations on the hot path' make alloc
step 'the benchmark, vetted and tested' make harness
step 'fuzzing, a short smoke' make fuzz FUZZTIME="${FUZZTIME:-1000x}"
step 'end to end' make e2e
step 'schema and deployment files' make verify
step 'container image, both architectures' make image-test
step 'release, twice' make dist-test
printf '\n'
