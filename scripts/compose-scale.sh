# The part "scale" of compose-demo.sh, which sources this: three NATS nodes and three
# replicas of the service; every few seconds one of the six is killed, stopped or cut
# off the network while events come, and another only when the nodes are well again.
# Then every event must have exactly one job and every job exactly one result on the
# bus, and no endpoint may have run a step twice. FAULTS (default 12), RATE of events
# a second (default 4) and SEED of the faults change it.

# fleet writes what this part has instead of the demo: sensors that are awake, and one
# rule whose last step must not run twice.
scale_files() {
	mkdir "$work/rules"
	cat >"$work/rules/scale.yaml" <<-'END'
		rules:
		  - id: scale
		    on: process_start
		    when: process.name == "evil.exe"
		    steps:
		      - { uses: list_processes }
		      - { id: once, uses: create_process, with: { program: whoami.exe, args: ["n${{ process.pid }}"] } }
	END
	echo '{}' >"$work/guards.yaml"
	echo 'sensors: [ { count: 20, os: windows } ]' >"$work/fleet.yaml"
	cat >"$work/scale.yml" <<-END
		services:
		  simulator:
		    command: [sim, --fleet, /fleet.yaml, --check-in, 1s, --listen, "0.0.0.0:8443", --tls-cert, /secrets/simulator.crt, --tls-key, /secrets/simulator.key, --token-file, /secrets/simulator.token]
		    volumes: ["$work/fleet.yaml:/fleet.yaml:ro"]
	END
	local pid
	for pid in $(seq 1 "$events"); do
		printf '{"type":"ingress.event.procstart","event_type":"proc","sensor_id":%d,"computer_name":"WKS-%04d","timestamp":%d,"pid":%d,"path":"c:\\\\temp\\\\evil.exe","process_guid":"%08x-0000-%04x-01da-ff710e784000","cb_server":"demo"}\n' \
			$((1 + pid % 20)) $((1 + pid % 20)) "$(date +%s)" "$pid" $((1 + pid % 20)) "$pid"
	done >"$work/events.ndjson"
	chmod -R a+rX "$work"
}

# strike does something to a service for some seconds.
strike() { # service, kill | pause | cut, seconds
	local id aliases
	id=$(container "$1")
	case $2 in
	kill) docker kill "$id" && sleep "$3" && docker start "$id" ;;
	pause) docker pause "$id" && sleep "$3" && docker unpause "$id" ;;
	cut)
		aliases=(--alias "$1")
		[ "$1" != nats ] || aliases+=(--alias nats-1)
		docker network disconnect "${project}_default" "$id" && sleep "$3" && docker network connect "${aliases[@]}" "${project}_default" "$id"
		;;
	esac >/dev/null
}

nodes_well() {
	local n
	for n in nats nats-2 nats-3; do
		timeout 5 docker exec "$(container $n)" wget -q -O /dev/null http://127.0.0.1:8222/healthz || return 1
	done
}

# rage strikes FAULTS times. One node at a time may be away, or nothing is a majority.
rage() {
	local i service how nodes=(nats nats-2 nats-3) replicas=(pipeline pipeline-2 pipeline-3) ways=(kill pause cut)
	for i in $(seq 1 "$faults"); do
		how=${ways[RANDOM % 3]}
		service=${replicas[RANDOM % 3]}
		if [ $((RANDOM % 2)) = 0 ] && nodes_well; then service=${nodes[RANDOM % 3]}; fi
		local seconds=$((1 + RANDOM % 8))
		echo "  $i: $how $service for $seconds s"
		strike "$service" "$how" "$seconds" || failed "$how $service"
		sleep $((1 + RANDOM % 3))
	done
}

scale_done() { [ "$(messages RESULTS)" -ge "$events" ] && [ "$(messages KV_jobs-finished)" -ge "$events" ]; }

# scale_check compares what was published with the bus and with the endpoints.
scale_check() {
	docker exec "$(container pipeline)" /pipeline state export /data/state.gz >/dev/null
	docker cp "$(container pipeline):/data/state.gz" - | tar xO >"$work/state.gz"
	local token address
	token=$(docker cp "$(container simulator):/secrets/simulator.token" - | tar xO)
	address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$(container simulator)")
	curl -fsSk -H "X-Auth-Token: $token" "https://$address:8443/_sim/counters" >"$work/counters.json"
	python3 - "$events" "$work/state.gz" "$work/counters.json" <<-'END'
		import base64, collections, gzip, json, re, sys
		events = int(sys.argv[1])
		results, jobs, twice = {}, set(), []
		for line in gzip.open(sys.argv[2], "rt"):
		    r = json.loads(line)
		    if r.get("stream") == "RESULTS":
		        n = json.loads(base64.b64decode(r["data"]))["data"]
		        if n["job"] in results: twice.append(n["job"])
		        results[n["job"]] = n["state"]
		    elif r.get("stream") == "KV_jobs-finished":
		        jobs.add(r["subject"].rsplit(".", 1)[1])
		counters = json.load(open(sys.argv[3]))
		ran = collections.Counter()
		for x in counters["executions"]:
		    if x["command"] == "create process": ran[re.search(r"n(\d+)\W*$", x["object"])[1]] += x["count"]
		states = collections.Counter(results.values())
		broken = [name for name, bad in {
		    "jobs are not as many as events": len(jobs) != events,
		    "jobs without a result, or results without a job": jobs != set(results),
		    "two results of one job": twice,
		    "a step that must run once ran twice": max(ran.values(), default=0) > 1,
		    "processes that no event asked for": set(ran) - {str(i) for i in range(1, events + 1)},
		    "a job succeeded without its process": len(ran) < states["succeeded"],
		    "jobs that are neither done nor unknown": set(states) - {"succeeded", "unknown"},
		    "too many sessions": counters["sessions"]["peak"] > 10,
		}.items() if bad]
		print(f"  {events} events, {len(jobs)} jobs: {dict(states)}, {len(ran)} processes started, none more than {max(ran.values(), default=0)} times; at most {counters['sessions']['peak']} sessions at once")
		sys.exit("; ".join(broken) or 0)
	END
}

scale() {
	local faults=${FAULTS:-12} rate=${RATE:-4} seed=${SEED:-$RANDOM}
	local events=$((faults * 7 * rate))
	echo "scale: three NATS nodes, three replicas, $faults of them struck while $events events come; SEED=$seed"
	RANDOM=$seed
	scale_files
	export RULES=$work/rules GUARDS=$work/guards.yaml TLS=on
	env_file=deploy/compose/cluster.env
	compose+=(-f docker-compose.yml -f "$work/scale.yml")
	up nats nats-2 nats-3 pipeline pipeline-2 pipeline-3 simulator
	until_true 60 "the nodes are well" nodes_well
	dc run --rm --no-deps -T -v "$work/events.ndjson:/events.ndjson:ro" intrusion events publish --rate "$rate" /events.ndjson >"$work/published" 2>&1 &
	local publisher=$!
	rage
	wait "$publisher" || failed "publishing: $(cat "$work/published")"
	echo "  $(tail -1 "$work/published")"
	until_true 240 "every job has its result" scale_done
	scale_check || failed "promises are broken"
	down
}
