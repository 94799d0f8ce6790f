#!/bin/sh
# Writes static binaries for every platform, an SBOM (CycloneDX) and SHA256SUMS to
# dist/release. VERSION is what `pipeline version` says; PLATFORMS which are built.
set -eu
cd "$(dirname "$0")/.."
version=${VERSION:-$(git describe --tags --always --dirty)}
out=dist/release
rm -rf "$out"
mkdir -p "$out"
for platform in ${PLATFORMS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64}; do
	os=${platform%/*} arch=${platform#*/} suffix=
	[ "$os" = windows ] && suffix=.exe
	CGO_ENABLED=0 GOOS=$os GOARCH=$arch go build -trimpath -ldflags "-s -w -X main.version=$version" \
		-o "$out/pipeline-$version-$os-$arch$suffix" ./cmd/pipeline
done
if [ "${SBOM:-on}" = on ]; then
	go tool cyclonedx-gomod mod -json -licenses -output "$out/edrpipe.cdx.json" .
fi
cd "$out"
sha256sum * > SHA256SUMS
cat SHA256SUMS
