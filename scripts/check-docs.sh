#!/usr/bin/env bash
# Runs the commands of README.md and the documentation as a newcomer would, in order: with
# an empty home directory, no settings, and no tools but Go and those of the system.
# README.md in a fresh clone of this tree, every other page in an empty directory with
# `pipeline` on the PATH. A block ```sh is run, and the next one begins where it ended
# (directory and PATH); ```sh background stays in the background until the page ends;
# a ```yaml block after "Write `name`:" becomes that file. A block that only shows has
# no language. Blocks with `go test` or `go run` are left to CI, which runs those.
# usage: check-docs.sh [PAGE…]
set -euo pipefail
cd "$(dirname "$0")/.."
top=$PWD
if [ -z "${CHECK_DOCS_CLEAN:-}" ]; then
	# What was downloaded and built is kept: a network is not what is tried here.
	keep=(CHECK_DOCS_CLEAN=1 "TMPDIR=${TMPDIR:-/tmp}" "PATH=$(go env GOROOT)/bin:/usr/bin:/bin")
	for name in GOCACHE GOMODCACHE GOPROXY GOSUMDB GOFLAGS GOTOOLCHAIN; do keep+=("$name=$(go env "$name")"); done
	exec env -i "${keep[@]}" bash "$0" "$@"
fi
pages=("$@")
[ ${#pages[@]} -gt 0 ] || mapfile -t pages < <(grep -l '^```sh' README.md docs/*.md)
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
HOME=$bin go build -o "$bin/pipeline" ./cmd/pipeline

# begin makes the directory in which a page's reader stands.
begin() {
	if [ "$1" = README.md ]; then
		mkdir clone
		(cd "$top" && git ls-files -z --cached --others --exclude-standard | tar c --null -T - --ignore-failed-read 2>/dev/null) | tar x -C clone
		cd clone
	else
		mkdir empty
		cd empty
		export PATH=$bin:$PATH
	fi
}

page() (
	work=$(mktemp -d)
	cd "$work"
	trap 'jobs -p | xargs -r kill 2>/dev/null; wait; rm -rf "$work"' EXIT
	mkdir blocks home
	export HOME=$work/home
	awk '
		/^Write `/ { split($0, p, "`"); file = p[2] }
		/^```/ && inside { inside = 0; close(out); next }
		/^```/ {
			inside = 1; kind = substr($0, 4); n++
			out = sprintf("blocks/%03d.", n)
			if (kind == "sh") out = out "run"
			else if (kind == "sh background") out = out "background"
			else if (kind == "yaml" && file != "") { print file > sprintf("blocks/%03d.name", n); out = out "file" }
			else out = out "other"
			file = ""; printf "" > out; next
		}
		inside { print > out }' "$top/$1"
	begin "$1"
	for block in "$work"/blocks/*; do
		case $block in
		*.file) name=$(cat "${block%.file}.name"); mkdir -p "$(dirname "$name")"; cp "$block" "$name" ;;
		*.background)
			bash -euc "exec $(cat "$block")" >"$block.log" 2>&1 & # one command, whose process is killed at the end
			for _ in $(seq 100); do # until it answers
				grep -qs 'counters\|edrpipe is running' "$block.log" && break
				kill -0 $! 2>/dev/null || { echo "$1: this does not stay up:"; cat "$block" "$block.log"; exit 1; }
				sleep 0.1
			done
			;;
		*.run)
			grep -qE '^go (test|run)' "$block" && continue
			{ cat "$block"; printf '\npwd >%q\nprintf %%s "$PATH" >%q\n' "$work/at" "$work/path"; } >"$block.whole"
			bash -euo pipefail "$block.whole" >"$block.log" 2>&1 || { echo "$1: this fails:"; cat "$block" "$block.log"; exit 1; }
			cd "$(cat "$work/at")"
			PATH=$(cat "$work/path")
			;;
		esac
	done
	echo "$1: $(find "$work/blocks" -name '*.run' | wc -l) blocks ran"
)
for p in "${pages[@]}"; do page "$p"; done
