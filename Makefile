# What people run by hand. CI runs .ci/run.
.PHONY: pages release mutants vulncheck compose compose-scale systemd chaos-short build test fuzz bench bench-jobs prove-jobs prove-records bench-match chaos scale throughput load soak figures night

build: ## a static binary
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o dist/pipeline ./cmd/pipeline

release: ## static binaries for every platform, SBOM and checksums, in dist/release; VERSION, PLATFORMS, SBOM=off
	scripts/release.sh

pages: ## every page of the dashboard in Chromium, with 10,000 jobs, hostile names and a dead server
	go test ./internal/web -run TestPagesHold -count 1 -timeout 30m -v

mutants: ## known bugs planted one after another; BUGS to choose by name or file, SINCE a commit to choose by what changed
	go run ./scripts/mutants $(if $(SINCE),-changed $(SINCE)) $(BUGS)

vulncheck: ## dependencies and the calls into them, against Go's list of known vulnerabilities
	go tool govulncheck ./...

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
	go test -timeout 20m -run 'Crash|Paused|Chaos|Kill|Ranking' -v ./pkg/jobs -full

prove-records: ## records of every bucket and stream replaced by random bytes, running and at the start; restored and dropped
	go test ./internal/service -count 1 -timeout 60m -v -run '^(TestNoRecord|TestEveryRecord)' -every-record

compose: ## every profile of the compose file, for real, with the image that deploy/Dockerfile builds
	DOCKERFILE=1 scripts/compose-demo.sh single rabbitmq observability cluster

compose-scale: ## three nodes and three replicas as containers, struck one after another; FAULTS, RATE, SEED
	FAULTS=$(or $(FAULTS),30) scripts/compose-demo.sh scale

systemd: ## the unit under a systemd of its own, in a container
	scripts/systemd-check.sh

# What is proven about the whole service; docs/proof.md tells what came of it. Each
# prints how far it is; an interrupt ends it with the check of what happened so far.
proof = go test -tags chaos ./internal/chaos -count 1 -v -timeout 24h -parallel 8 -run

chaos-short: ## 28 faults and every crash point in under a minute, as `go test ./...` has them
	go test ./internal/chaos -count 1 -v -run '^(TestChaos|TestCrashPoints)$$'

chaos: ## 1,000 faults; FAULTS, WORLDS at once, LIMIT of the time for faults (30m), CHAOS_SEED
	$(proof) '^TestChaos$$'

scale: ## a cluster of three, three replicas; take-over
	$(proof) '^(TestScaleOut|TestTakeOver)$$'

throughput: ## events and jobs a second of 1, 2, 3 replicas; EVENTS, RULES, JOBS, SESSIONS
	$(proof) '^(TestThroughput|TestJobThroughput)$$'

load: ## RATE events a second over SENSORS sensors for DURATION (default 10m)
	DURATION=$(or $(DURATION),10m) RATE=$(or $(RATE),10000) $(proof) '^TestLoad$$'

soak: ## half of that for DURATION (default 60m); with FIRST=10m the whole before it
	DURATION=$(or $(DURATION),60m) RATE=$(or $(RATE),5000) $(proof) '^TestLoad$$'

figures: ## latency and where it goes, jobs beside a server that fails, artifacts, queued jobs, disk of finished ones, each against its floor; N, SYNC, MIB, ROUNDS, QUEUED, DISK_JOBS
	$(proof) '^(TestFirstCommand|TestFirstCommandPath|TestFirstCommandBesideSlowSenders|TestArtifact|TestQueuedJobs|TestDiskOfJobs)$$'
	go test -tags chaos ./internal/service -count 1 -v -run '^TestNeighbour$$'

night: ## what goes wrong at night, on the real program: seconds until health, dashboard and why name the cause, and the cure; writes docs/night.md
	go test ./cmd/pipeline -count 1 -timeout 30m -v -run '^TestNight$$' -night $(CURDIR)/docs/night.md
