#!/usr/bin/env bash
# Makes docs/dashboard.png, the picture in README.md: the overview of the demo, after its
# story has ended and a question waits for people. Needs Chromium.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
go build -o "$work/pipeline" ./cmd/pipeline
go build -o "$work/screenshots" ./scripts/screenshots
trap 'kill "$demo" 2>/dev/null; wait "$demo" 2>/dev/null || :; rm -rf "$work"' EXIT
"$work/pipeline" demo --keep --dir "$work/demo" >"$work/demo.log" 2>&1 &
demo=$!
for _ in $(seq 120); do
	grep -q '^  dashboard' "$work/demo.log" && break
	kill -0 "$demo" || { cat "$work/demo.log"; exit 1; }
	sleep 1
done
url=$(sed -n 's/^  dashboard *//p' "$work/demo.log")
token=$work/demo/data/admin.token
for _ in $(seq 30); do
	"$work/pipeline" jobs list --state held --url "$url" --token-file "$token" -o json | grep -q known-credential-tool && break
	sleep 1
done
"$work/screenshots" -url "$url" -token-file "$token" -dir "$work" -whole=false -width 1280 -height 800 /
size=$(stat -c %s "$work/overview-light.png")
[ "$size" -lt 200000 ] || { echo "the picture has $size bytes, it should have less than 200,000"; exit 1; }
cp "$work/overview-light.png" docs/dashboard.png
echo "docs/dashboard.png: $size bytes"
