#!/usr/bin/env bash
# Makes the images that the compose file needs, from what is on this machine: Go
# with a filled module cache, and Debian's busybox-static. For air-gapped sites
# and for CI without a registry. Tags: edrpipe:standin and nats:standin; when asked
# for also rabbitmq:standin and prometheus:standin, of Debian's packages. With
# --dockerfile edrpipe:standin is built by deploy/Dockerfile, as where there is a
# registry, in a stand-in for golang's image; that compiles everything anew.
# usage: standin-images.sh [--dockerfile] [rabbitmq] [prometheus]
set -euo pipefail
cd "$(dirname "$0")/.."
export DOCKER_BUILDKIT=0 CGO_ENABLED=0 GOFLAGS=${GOFLAGS:--buildvcs=false}
busybox=$(command -v busybox) || { echo "busybox is missing: apt-get install busybox-static"; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

packed() { # edrpipe:standin, of a binary that is built here
	local root=$work/edrpipe
	mkdir -p "$root"/data "$root"/etc/ssl/certs dist
	go build -trimpath -ldflags '-s -w' -o "$root/pipeline" ./cmd/pipeline
	if [ -e /etc/ssl/certs/ca-certificates.crt ]; then cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"; fi
	tar -C "$root" --owner=0 --group=0 -cf dist/image.tar pipeline etc
	# A fresh volume takes its owner from the directory that it is mounted over.
	tar -C "$root" --owner=65532 --group=65532 -rf dist/image.tar data
	docker build -q -t edrpipe:standin -f deploy/Dockerfile.airgap . >/dev/null 2>&1
}

golang() { # golang:standin: Go, a shell, and the module cache in a proxy's place
	local root=$work/golang
	go mod download
	mkdir -p "$root"/bin "$root"/etc/ssl/certs "$root"/go "$root"/tmp "$root"/usr/local
	chmod 1777 "$root/tmp"
	cp "$busybox" "$root/bin/busybox"
	for tool in sh mkdir cp; do ln "$root/bin/busybox" "$root/bin/$tool"; done
	cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
	ln -s "$(go env GOROOT)" "$root/usr/local/go"
	ln -s "$(go env GOMODCACHE)/cache/download" "$root/go/proxy"
	# -h: what the links lead to.
	tar -C "$root" -h --owner=0 --group=0 --exclude=./usr/local/go/test -cf - . |
		docker import --change 'ENV PATH=/usr/local/go/bin:/bin GOPROXY=file:///go/proxy GOTOOLCHAIN=local' - golang:standin >/dev/null
}

built() { # edrpipe:standin, by the Dockerfile that is shipped
	golang
	docker build --network none --build-arg GO_IMAGE=golang:standin --build-arg "VERSION=${VERSION:-development}" -t edrpipe:standin -f deploy/Dockerfile .
	docker image prune -f --filter label=edrpipe.stage=build >/dev/null # over a gigabyte, and of no use for a next build
}

if [ "${1:-}" = --dockerfile ]; then shift; built; else packed; fi

nats=$work/nats
mkdir -p "$nats/bin"
go build -trimpath -ldflags '-s -w' -o "$nats/nats-server" github.com/nats-io/nats-server/v2
cp "$busybox" "$nats/bin/busybox"
for tool in sh wget; do ln -s busybox "$nats/bin/$tool"; done
docker build -q -t nats:standin -f deploy/compose/Dockerfile.nats-standin "$nats" >/dev/null 2>&1
docker image inspect -f '{{index .RepoTags 0}} {{.Size}} bytes' edrpipe:standin nats:standin

rabbitmq() {
	scripts/image-of-packages.sh rabbitmq:standin rabbitmq-server dash bash coreutils sed grep gawk hostname <<-'END'
		ENV PATH=/usr/lib/rabbitmq/bin:/usr/sbin:/usr/bin HOME=/var/lib/rabbitmq RABBITMQ_LOGS=-
		ENTRYPOINT ["rabbitmq-server"]
	END
}

prometheus() { # the program and its libraries
	local root=$work/prometheus
	mkdir -p "$root"/tmp "$root"/prometheus
	cp --parents -L /usr/bin/prometheus $(ldd /usr/bin/prometheus | grep -o '/lib[^ ]*') "$root"
	{ tar -C "$root" --owner=0 --group=0 --exclude=./prometheus -cf - . | docker import - prometheus:standin-root; } >/dev/null
	# A fresh volume takes its owner from the directory that it is mounted over.
	printf 'FROM prometheus:standin-root\nCOPY --chown=65534:65534 prometheus /prometheus\nUSER 65534:65534\nENTRYPOINT ["/usr/bin/prometheus"]\n' >"$work/Dockerfile"
	docker build -q -t prometheus:standin -f "$work/Dockerfile" "$root" >/dev/null 2>&1
	docker image inspect -f '{{index .RepoTags 0}} {{.Size}} bytes' prometheus:standin
}

for image in "$@"; do $image; done
