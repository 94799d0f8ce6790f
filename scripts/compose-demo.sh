#!/usr/bin/env bash
# Runs docker-compose.yml for real and asserts that what it promises happens: the
# demo's jobs succeed and their results are on the bus; with TLS, in a cluster of
# three NATS nodes and two replicas, one replica is killed while jobs run and
# the other does the rest. Takes the images that the compose file names when they are here, or
# makes stand-ins (scripts/standin-images.sh) when there is no registry.
# usage: compose-demo.sh [single] [cluster]    (both unless named)
set -euo pipefail
cd "$(dirname "$0")/.."
parts=${*:-single cluster}

docker info >/dev/null 2>&1 || { echo "skipped: no docker daemon answers"; exit 0; }
if docker compose version >/dev/null 2>&1; then compose=(docker compose); else compose=(docker-compose); fi
command -v "${compose[0]}" >/dev/null || { echo "skipped: neither docker compose nor docker-compose is here"; exit 0; }
if [ -z "${EDRPIPE_IMAGE:-}" ]; then
	scripts/standin-images.sh
	export EDRPIPE_IMAGE=edrpipe:standin NATS_IMAGE=nats:standin
fi

# A name and ports of its own, beside whatever runs here.
project=edrpipe-proof-$$
free_port() { python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])'; }
export NATS_PORT WEB_PORT WEB_PORT_2
NATS_PORT=$(free_port) WEB_PORT=$(free_port) WEB_PORT_2=$(free_port)
env_file=.env
dc() { "${compose[@]}" -p "$project" --env-file "$env_file" "$@"; }
container() { dc ps -q "$1"; }

down() { dc down -v --remove-orphans --timeout 5 >/dev/null 2>&1 || true; }
failed() {
	echo "FAILED: $*"
	dc ps || true
	dc logs --no-color --tail=40 || true
	exit 1
}
trap down EXIT

until_true() { # seconds, what, command…
	local limit=$1 what=$2 start=$SECONDS
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ $((SECONDS - start)) -lt "$limit" ] || failed "$what: not after $limit s"
		sleep 0.3
	done
	echo "  $what: after $((SECONDS - start)) s"
}

up() {
	dc up -d --no-build >/dev/null 2>&1 || failed "up"
	token=$(docker cp "$(container pipeline):/secrets/admin.token" - | tar xO)
}
api() { # path, port
	curl -fsSk --max-time 5 -H "Authorization: Bearer $token" "${scheme:-http}://127.0.0.1:$2/api/v1/$1"
}
# states of all jobs, as a replica sees them
states() {
	api jobs "${1:-$WEB_PORT}" |
		grep -o '"state":"[a-z]*"' | cut -d'"' -f4
}
expected=7
all_succeeded() { [ "$(states "$@" | grep -c '^succeeded$')" -ge $expected ]; }
# messages of a stream, as the bus tells
messages() {
	docker exec "$(container nats)" wget -q -O - 'http://127.0.0.1:8222/jsz?streams=1&accounts=1' |
		python3 -c 'import json,sys
for account in json.load(sys.stdin)["account_details"]:
    for s in account.get("stream_detail", []):
        if s["name"] == sys.argv[1]: print(s["state"]["messages"])' "$1"
}
results_there() { [ "$(messages RESULTS)" -ge $expected ]; }

single() {
	echo "single: as it is shipped"
	up
	until_true 60 "$expected jobs succeeded" all_succeeded
	until_true 10 "their results are on the bus" results_there
	docker exec "$(container pipeline)" /pipeline health || failed "health"
	local asked
	asked=$(docker inspect -f '{{.HostConfig.ReadonlyRootfs}} {{.Config.User}}' "$(container pipeline)")
	[ "$asked" = "true 65532:65532" ] || failed "the container runs as $asked"
	echo "  read-only root, user 65532"
	curl -s "${scheme:-http}://127.0.0.1:$WEB_PORT/api/v1/jobs" -k -o /dev/null -w '%{http_code}' | grep -q 401 || failed "the API answers without a token"
	echo "  the API refuses strangers"
	docker kill "$(container nats)" >/dev/null
	not_ready() { ! docker exec "$(container pipeline)" /pipeline health; }
	until_true 20 "not ready while the bus is down" not_ready
	docker start "$(container nats)" >/dev/null
	until_true 30 "ready again when it is back" docker exec "$(container pipeline)" /pipeline health
	all_succeeded || failed "jobs are gone after a restart of the bus: $(states | sort | uniq -c)"
	echo "  nothing is lost by it"
	down
}

cluster() {
	echo "cluster: three NATS nodes, two replicas, TLS; one replica is killed"
	export TLS=on scheme=https
	env_file=deploy/compose/cluster.env
	up
	local victim=pipeline other=pipeline-2 port=$WEB_PORT_2
	until_true 60 "jobs have begun" some_jobs "$port"
	docker kill "$(container $victim)" >/dev/null
	echo "  killed $victim; ended by then: $(states "$port" | grep -c '^succeeded$' || true) of $expected jobs"
	until_true 90 "$expected jobs succeeded, seen by $other" all_succeeded "$port"
	docker kill "$(container nats-2)" >/dev/null
	healthy() { docker exec "$(container $other)" /pipeline health; }
	until_true 30 "ready with two of three NATS nodes" healthy
	down
	env_file=.env
	unset TLS scheme
}
some_jobs() { [ -n "$(states "$1")" ]; }

for part in $parts; do
	case $part in
	single) single ;;
	cluster) cluster ;;
	*) echo "unknown part $part: single, cluster"; exit 2 ;;
	esac
done
echo "compose: good, in $SECONDS s"
