#!/usr/bin/env bash
# Runs every fuzz target of some packages, or of all, for the given time:
# scripts/fuzz.sh 60s [packages]
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-60s}
packages=${2:-./...}
failed=0
for dir in $(go list -f '{{.Dir}}' $packages); do
	for target in $(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go 2>/dev/null | sed 's/^func //' | sort -u); do
		echo "fuzz $target in ${dir#"$PWD"/} for $time"
		# Coverage that differs from run to run would be minimised for a minute, without a new input.
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" -fuzzminimizetime 20x "$dir" || failed=1
	done
done
exit $failed
