#!/bin/sh
# Makes the data directory of a version before endpoints had a server and a text id, with
# that version's own binary: internal/service/testdata/before-endpoints/data.tar.gz, which
# TestOldDataDirectory opens. Jobs are finished, queued, running, waiting for a sleeping
# endpoint, waiting for a retry and held for an approval; suppression, a budget, a silence
# and a stop are in force; the service was killed.
#
# usage: scripts/old-data.sh [COMMIT]
set -eu
commit=${1:-c488a68c3d1264b94c81d598b99c2e2712fcb754}
root=$(cd "$(dirname "$0")/.." && pwd)
out=$root/internal/service/testdata/before-endpoints
work=$(mktemp -d)
sim=7543
web=7580
running=

cleanup() {
	for pid in $running; do kill -9 "$pid" 2>/dev/null || true; done
	git -C "$root" worktree remove --force "$work/source" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

git -C "$root" worktree add --detach "$work/source" "$commit" >/dev/null 2>&1
(cd "$work/source" && go build -o "$work/pipeline" ./cmd/pipeline)
cp "$out/rules.yaml" "$out/guards.yaml" "$out/fleet.yaml" "$work/"
cd "$work"
printf sim-token >edr.token
printf ingest-token >ingest.token
printf 'the key of the audit log of a test' >audit.key
cat >pipeline.yaml <<EOF
data: data
rules: [rules.yaml]
guards: guards.yaml
audit_key_file: audit.key
bus: { sync: 0s, floor: 0, history: { age: 3650d }, results: { age: 3650d } }
edr: { name: sim, url: "http://127.0.0.1:$sim", token_file: edr.token, sensor_poll: 500ms }
sources: { http: { token_file: ingest.token } }
jobs: { offline: 3650d, take_over: 5s }
web: { listen: "127.0.0.1:$web" }
EOF

./pipeline sim --listen "127.0.0.1:$sim" --token sim-token --fleet fleet.yaml >sim.log 2>&1 &
running="$running $!"
until curl -fsS -H 'X-Auth-Token: sim-token' "http://127.0.0.1:$sim/_sim/state" >/dev/null 2>&1; do sleep 0.2; done
curl -fsS -X POST -H 'X-Auth-Token: sim-token' -d '{"on": false}' "http://127.0.0.1:$sim/_sim/sensors/2/power" >/dev/null
curl -fsS -X POST -H 'X-Auth-Token: sim-token' -d '{"advance": "2h"}' "http://127.0.0.1:$sim/_sim/clock" >/dev/null
until curl -fsS -H 'X-Auth-Token: sim-token' "http://127.0.0.1:$sim/_sim/state" | tr -d ' \n' | grep -q '"status":"Offline"'; do sleep 0.2; done
./pipeline run >service.log 2>&1 &
service=$!
running="$running $service"
export EDRPIPE_SERVER="http://127.0.0.1:$web"
until curl -fsS "$EDRPIPE_SERVER/readyz" >/dev/null 2>&1; do sleep 0.2; done
export EDRPIPE_TOKEN="$(cat data/admin.token)"

curl -fsS -H 'Authorization: Bearer ingest-token' --data-binary "@$out/events.jsonl" "$EDRPIPE_SERVER/v1/ingest" >/dev/null
./pipeline jobs submit --sensor 4 --uses create_process --with 'program=c:\windows\slow.exe' >/dev/null
# until reads the list of jobs until each of the patterns is in it.
await() {
	for pattern in "$@"; do
		n=0
		until ./pipeline jobs list -o json | tr -d ' \n' | grep -q "$pattern"; do
			n=$((n + 1))
			[ $n -lt 150 ] || { ./pipeline jobs list; echo "no job is like $pattern" >&2; exit 1; }
			sleep 0.2
		done
	done
}
await '"state":"running"'
./pipeline jobs submit --sensor 4 --uses list_registry_key --with 'key=HKLM\SOFTWARE' >/dev/null
await '"state":"succeeded"' '"reason":"offline"' '"reason":"approval"' '"reason":"retry"' '"state":"queued"'
./pipeline silence add --rule silent --for 87600h --comment 'of a test' >/dev/null
./pipeline stop --why 'of a test' >/dev/null
./pipeline jobs list
sleep 2 # what the bus writes after its answer
kill -9 "$service"
wait "$service" 2>/dev/null || true
rm -f data/*.token
tar -C data --sort=name --owner=0 --group=0 --numeric-owner -cf - . | gzip -9n >"$out/data.tar.gz"
ls -l "$out/data.tar.gz"
