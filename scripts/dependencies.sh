#!/usr/bin/env bash
# Prints docs/dependencies.md: every module that is linked into the binary, with its
# version and the licence that its text shows.
set -euo pipefail
cd "$(dirname "$0")/.."
licence() {
	local file
	file=$(find "$1" -maxdepth 1 -iname 'licen[cs]e*' -o -maxdepth 1 -iname 'copying*' | sort | head -1)
	[ -n "$file" ] || { echo "?"; return; }
	case $(tr -s '[:space:]' ' ' <"$file" | head -c 20000) in
	*"Apache License"*) echo Apache-2.0 ;;
	*"Mozilla Public License"*) echo MPL-2.0 ;;
	*"Permission is hereby granted, free of charge"*) echo MIT ;;
	*"Redistribution and use in source and binary forms"*"either the name"*) echo BSD-3-Clause ;;
	*"Redistribution and use in source and binary forms"*) echo BSD-2-Clause ;;
	*"Permission to use, copy, modify"*) echo ISC ;;
	*) echo "?" ;;
	esac
}
cat <<'END'
# Dependencies

Every module that is linked into `pipeline`, made by `scripts/dependencies.sh`; CI
holds this page to the code. Why each direct one is there stands in the README.

| module | version | licence | |
|---|---|---|---|
END
go list -deps -f '{{with .Module}}{{if .Dir}}{{.Path}} {{.Version}} {{.Indirect}} {{.Dir}}{{end}}{{end}}' ./cmd/pipeline | LC_ALL=C sort -u |
	while read -r path version indirect dir; do
		[ -n "$dir" ] || continue # our own module has no version
		direct=direct
		[ "$indirect" = true ] && direct=
		echo "| $path | $version | $(licence "$dir") | $direct |"
	done
