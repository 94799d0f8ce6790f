#!/usr/bin/env bash
# Measures matching and writes docs/performance-matching.md. BENCHTIME and TURNS
# make it longer. Run it on an idle machine; the ratios are within one run.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(mktemp)
trap 'rm -f "$out"' EXIT

go test ./rules -run '^$' -bench '^Benchmark(Decode|MatchLoop|Match|Pipeline|Protobuf|Enrich)$' -benchtime "${BENCHTIME:-1s}" -timeout 30m | tee -a "$out" >&2
go test ./rules -run '^$' -bench '^BenchmarkLoad$/rules=10000' -benchtime 3x -timeout 30m | tee -a "$out" >&2
go test ./cmd/pipeline -run '^$' -bench '^BenchmarkEndToEnd$' -benchtime "${TURNS:-5}x" -timeout 30m | tee -a "$out" >&2

awk -v date="$(date -u +%Y-%m-%d)" -v go="$(go env GOVERSION)" -v cores="$(nproc)" \
    -v load="$(cut -d' ' -f1 /proc/loadavg 2>/dev/null || echo unknown)" \
    -v expr="$(go list -m -f '{{.Version}}' github.com/expr-lang/expr)" \
    -v nats="$(go list -m -f '{{.Version}}' github.com/nats-io/nats-server/v2)" \
    -f scripts/bench-match.awk "$out" > docs/performance-matching.md
