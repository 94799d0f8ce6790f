#!/usr/bin/env bash
# govulncheck, where its database is reachable and the tool is here.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v govulncheck >/dev/null || { echo "skipped: govulncheck is not installed (go install golang.org/x/vuln/cmd/govulncheck@latest)"; exit 0; }
curl -fsS --max-time 5 -o /dev/null https://vuln.go.dev/index/db.json || { echo "skipped: vuln.go.dev is out of reach"; exit 0; }
govulncheck ./...
