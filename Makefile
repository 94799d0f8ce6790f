# What people run by hand. CI runs .ci/run.
.PHONY: build test fuzz bench bench-jobs prove-jobs bench-match

build: ## a static binary
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o dist/pipeline ./cmd/pipeline

test:
	go test -race ./...

fuzz: ## each fuzz target for FUZZTIME (default 60s)
	./scripts/fuzz.sh $(or $(FUZZTIME),60s)

bench: ## everything that is measured; compare two runs with benchstat
	go test -run '^$$' -bench . -benchmem ./...

bench-match: ## matching; writes docs/performance-matching.md
	./scripts/bench-match.sh

bench-jobs: ## what docs/performance-scheduler.md shows
	go test -run 'WhatJobsCost|Makespan|Stream|Foreign' -v -bench 'Decisions|ParkedMemory|Start|Create' -benchtime 2s ./pkg/jobs

prove-jobs: ## every crash point of the scheduler and many random worlds
	go test -timeout 20m -run 'Crash|Paused|Chaos' -v ./pkg/jobs -full
