#!/usr/bin/env bash
# Runs docker-compose.yml for real and asserts that what it promises happens: the
# demo's jobs succeed and their results are on the bus; with TLS, in a cluster of
# three NATS nodes and three replicas, one replica is killed while jobs run and
# the others do the rest; what the EDR's RabbitMQ says is bridged and acted on;
# Prometheus scrapes and has the alerts; scale is in compose-scale.sh. Makes stand-ins for the images
# (scripts/standin-images.sh), as there may be no registry; parts whose Debian
# package is missing are skipped. Grafana is not run: Debian has no package. With
# DOCKERFILE=1 the service's image is built by deploy/Dockerfile, which takes minutes.
# usage: compose-demo.sh [single] [cluster] [scale] [rabbitmq] [observability]    (the first two unless named)
set -euo pipefail
cd "$(dirname "$0")/.."
parts=${*:-single cluster}

docker info >/dev/null 2>&1 || { echo "skipped: no docker daemon answers"; exit 0; }
if docker compose version >/dev/null 2>&1; then compose=(docker compose); else compose=(docker-compose); fi
command -v "${compose[0]}" >/dev/null || { echo "skipped: neither docker compose nor docker-compose is here"; exit 0; }
if [ -z "${EDRPIPE_IMAGE:-}" ]; then
	more=()
	[ -z "${DOCKERFILE:-}" ] || more+=(--dockerfile)
	if [[ $parts == *rabbitmq* && -e /usr/lib/rabbitmq/bin/rabbitmq-server ]]; then more+=(rabbitmq); fi
	if [[ $parts == *observability* ]] && command -v prometheus >/dev/null; then more+=(prometheus); fi
	scripts/standin-images.sh "${more[@]}"
	export EDRPIPE_IMAGE=edrpipe:standin NATS_IMAGE=nats:standin RABBITMQ_IMAGE=rabbitmq:standin PROMETHEUS_IMAGE=prometheus:standin
fi

# A name and ports of its own, beside whatever runs here.
project=edrpipe-proof-$$
free_port() { python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])'; }
export NATS_PORT WEB_PORT WEB_PORT_2 WEB_PORT_3 RABBITMQ_PORT PROMETHEUS_PORT GRAFANA_PORT
NATS_PORT=$(free_port) WEB_PORT=$(free_port) WEB_PORT_2=$(free_port) WEB_PORT_3=$(free_port) RABBITMQ_PORT=$(free_port) PROMETHEUS_PORT=$(free_port) GRAFANA_PORT=$(free_port)
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
work=$(mktemp -d)
trap 'down; rm -rf "$work"' EXIT

until_true() { # seconds, what, command…
	local limit=$1 what=$2 start=$SECONDS
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ $((SECONDS - start)) -lt "$limit" ] || failed "$what: not after $limit s"
		sleep 0.3
	done
	echo "  $what: after $((SECONDS - start)) s"
}

up() { # services… (all of the profile unless named)
	dc up -d --no-build "$@" >/dev/null 2>&1 || failed "up"
	token=$(docker exec "$(container pipeline)" /pipeline secrets show admin 2>/dev/null)
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
	echo "cluster: three NATS nodes, three replicas, TLS; one replica is killed"
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

# rabbitmq puts an event on the broker as an EDR server does, and sees its job.
rabbitmq() {
	[ -e /usr/lib/rabbitmq/bin/rabbitmq-server ] || { echo "rabbitmq: skipped, apt-get install rabbitmq-server"; return; }
	echo "rabbitmq: an event on the EDR's own bus"
	mkdir "$work/rules"
	cat >"$work/rules/test.yaml" <<-'END'
		rules:
		  - id: from-the-broker
		    on: process_start
		    when: process.name == "broker-test.exe"
		    steps: [ { uses: list_processes } ]
	END
	chmod 755 "$work" "$work/rules"
	export RULES=$work/rules
	up pipeline simulator bridge
	local password
	password=$(docker cp "$(container bridge):/secrets/rabbitmq.password" - | tar xO)
	healthy() { docker exec "$(container pipeline)" /pipeline health; }
	until_true 30 "ready" healthy
	bound() { docker exec "$(container rabbitmq)" rabbitmqctl -q list_bindings source_name destination_name | grep -q '^api.events'; }
	until_true 60 "the bridge has bound its queue" bound
	[ -z "$(states)" ] || failed "there are jobs before the event"
	go run ./internal/rabbittest/publish "amqp://cb:$password@127.0.0.1:$RABBITMQ_PORT/" ingress.event.procstart <<-END || failed "publish"
		{"type":"ingress.event.procstart","event_type":"proc","sensor_id":1,"computer_name":"WKS-0001","timestamp":$(date +%s),"pid":4711,"path":"c:\\\\temp\\\\broker-test.exe","process_guid":"00000001-0000-1267-01da-ff710e784000","cb_server":"demo"}
	END
	expected=1
	until_true 60 "its job succeeded" all_succeeded
	until_true 10 "its result is on the bus" results_there
	expected=7
	unset RULES
	down
}

# observability has Prometheus read the service and the alerts.
observability() {
	command -v prometheus >/dev/null || { echo "observability: skipped, apt-get install prometheus"; return; }
	echo "observability: Prometheus reads the service"
	up pipeline simulator prometheus
	local q="http://127.0.0.1:$PROMETHEUS_PORT/api/v1"
	target_up() { curl -fsS "$q/targets" | grep -q '"scrapePool":"edrpipe",.*"health":"up"'; }
	until_true 60 "the target is up" target_up
	local want got
	want=$(grep -c -- '- alert:' deploy/prometheus/alerts.yml)
	got=$(curl -fsS "$q/rules?type=alert" | grep -o '"type":"alerting"' | wc -l)
	[ "$want" = "$got" ] || failed "Prometheus has $got of $want alerts"
	echo "  all $want alerts are loaded"
	evaluated() { curl -fsS "$q/rules?type=alert" | python3 -c 'import json,sys; r=[r for g in json.load(sys.stdin)["data"]["groups"] for r in g["rules"]]; sys.exit(any(x["health"]!="ok" for x in r))'; }
	until_true 40 "each was evaluated without an error" evaluated
	local query
	python3 -c 'import json; [print(t["expr"]) for p in json.load(open("deploy/grafana/dashboards/edrpipe.json"))["panels"] for t in p.get("targets",[])]' |
		while IFS= read -r query; do curl -fsS --data-urlencode "query=$query" "$q/query" | grep -q '"status":"success"' || failed "the dashboard asks: $query"; done
	echo "  Prometheus answers every query of the Grafana dashboard (Grafana itself was not run)"
	local name
	local api_metrics
	api_metrics=$(curl -fsSk -H "Authorization: Bearer $token" "http://127.0.0.1:$WEB_PORT/metrics")
	grep -oE 'edrpipe_[a-z_]+' deploy/grafana/dashboards/edrpipe.json deploy/prometheus/alerts.yml -h | sed -E 's/_(bucket|sum|count)$//' | sort -u >"$work/asked"
	for name in edrpipe_slots_limit edrpipe_bus_connected edrpipe_rules_loaded edrpipe_events_waiting; do
		grep -qx "$name" "$work/asked" && grep -q "^$name " <<<"$api_metrics" || failed "/metrics has no $name"
	done
	down
}

for part in $parts; do
	case $part in
	rabbitmq | observability)
		export COMPOSE_PROFILES=demo,$part
		$part
		unset COMPOSE_PROFILES
		;;
	single) single ;;
	cluster) cluster ;;
	scale) (
		. scripts/compose-scale.sh # what it sets is its own
		scale
	) ;;
	*) echo "unknown part $part: single, cluster, scale, rabbitmq, observability"; exit 2 ;;
	esac
done
echo "compose: good, in $SECONDS s"
