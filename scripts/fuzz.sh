#!/usr/bin/env bash
# Runs every fuzz target of some packages, or of all, for the given time:
# scripts/fuzz.sh 60s [packages]
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-60s}
packages=${2:-./...}
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# fuzz TARGET DIR. Go before 1.27 may report the end of -fuzztime itself as a failure
# (go.dev/issue/75804): a bare "context deadline exceeded" and no failing input. Only
# such a run is repeated, twice at most; anything else that fails, fails.
fuzz() {
	for attempt in 1 2 3; do
		# Coverage that differs from run to run would be minimised for a minute, without a new input.
		if go test -run '^$' -fuzz "^$1\$" -fuzztime "$time" -fuzzminimizetime 20x "$2" 2>&1 | tee "$log"; then
			return 0
		fi
		ended_by_the_clock || return 1
		echo "fuzz $1: only the end of the time was reported, attempt $attempt"
	done
	return 1
}

ended_by_the_clock() {
	grep -A1 -E '^--- FAIL: Fuzz' "$log" | grep -qxE ' +context deadline exceeded' &&
		! grep -qE 'Failing input|panic:|fuzzing process|_test\.go:[0-9]+:' "$log"
}

failed=0
for dir in $(go list -f '{{.Dir}}' $packages); do
	for target in $(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go 2>/dev/null | sed 's/^func //' | sort -u); do
		echo "fuzz $target in ${dir#"$PWD"/} for $time"
		fuzz "$target" "$dir" || failed=1
	done
done
exit $failed
