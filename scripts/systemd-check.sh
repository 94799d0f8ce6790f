#!/usr/bin/env bash
# Has systemd itself judge deploy/systemd/edrpipe.service, and runs it under a
# systemd of its own in a container: it becomes ready with the token as a credential,
# is unprivileged, comes back when it is killed, reloads, and stops cleanly.
set -euo pipefail
cd "$(dirname "$0")/.."
unit=deploy/systemd/edrpipe.service
command -v systemd-analyze >/dev/null || { echo "skipped: no systemd-analyze here"; exit 0; }
work=$(mktemp -d)
box=edrpipe-systemd-$$
trap 'docker rm -f "$box" >/dev/null 2>&1 || true; rm -rf "$work"' EXIT

sed 's,/usr/local/bin/pipeline,/bin/true,' $unit >"$work/edrpipe.service"
systemd-analyze verify "$work/edrpipe.service"
# 0 is locked up, 10 wide open; systemd calls all below 2.0 "OK" with a smile.
if systemd-analyze security --help | grep -q -- --offline; then
	systemd-analyze security --offline=true --threshold=20 "$work/edrpipe.service" >"$work/security" || { cat "$work/security"; exit 1; }
	tail -1 "$work/security"
fi

docker info >/dev/null 2>&1 || { echo "skipped: the unit was not started, no docker daemon answers"; exit 0; }
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$work/pipeline" ./cmd/pipeline
scripts/image-of-packages.sh systemd:standin systemd dash bash coreutils util-linux mount procps curl grep sed dbus </dev/null
docker run -d --name "$box" --cap-add SYS_ADMIN --security-opt seccomp=unconfined --security-opt apparmor=unconfined --cgroupns=host \
	-v /sys/fs/cgroup:/sys/fs/cgroup:rw --tmpfs /run:exec --tmpfs /tmp -e container=docker systemd:standin /lib/systemd/systemd >/dev/null 2>&1 ||
	{ echo "skipped: the unit was not started, this docker does not let systemd run"; exit 0; }

in_box() { docker exec "$box" "$@"; }
failed() {
	echo "FAILED: $*"
	in_box journalctl -u edrpipe --no-pager -n 30 || true
	exit 1
}
until_true() { # seconds, what, command…
	local limit=$1 what=$2 start=$SECONDS
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ $((SECONDS - start)) -lt "$limit" ] || failed "$what: not after $limit s"
		sleep 0.5
	done
	echo "  $what: after $((SECONDS - start)) s"
}

until_true 60 "systemd answers" in_box systemctl list-units
# systemd mounts credentials in a namespace of its own. A machine shares its mounts
# with those; a container does not, and the service would see an empty directory.
in_box mount --make-rshared /
mkdir -p "$work/etc/rules"
cat >"$work/etc/pipeline.yaml" <<'END'
rules: [/etc/edrpipe/rules]
edr: { name: sim, url: "http://127.0.0.1:7443" }
web: { listen: "127.0.0.1:7480" }
END
printf 'rules:\n  - id: r\n    on: process_start\n    when: process.name == "x.exe"\n    steps: [ { uses: list_processes } ]\n' >"$work/etc/rules/r.yaml"
chmod -R go+rX "$work/etc"
echo token >"$work/etc/edr.token"
chmod 600 "$work/etc/edr.token"
in_box mkdir -p /usr/local/bin /etc/systemd/system
docker cp -q "$work/pipeline" "$box:/usr/local/bin/pipeline" 2>/dev/null || docker cp "$work/pipeline" "$box:/usr/local/bin/pipeline"
docker cp "$work/etc" "$box:/etc/edrpipe"
docker cp $unit "$box:/etc/systemd/system/edrpipe.service"
in_box systemctl daemon-reload

main_pid() { in_box systemctl show -p MainPID --value edrpipe; }
ready() { in_box curl -fsS http://127.0.0.1:7480/readyz; }
in_box systemctl start edrpipe
until_true 60 "ready" ready
first=$(main_pid)
in_box grep -qE '^Uid:.*\b[1-9][0-9]{4}\b' "/proc/$first/status" || failed "it runs as root"
in_box grep -qE '^CapBnd:.*[[:space:]]0+$' "/proc/$first/status" || failed "it keeps capabilities"
in_box grep -qE '^Seccomp:.*2' "/proc/$first/status" || failed "no filter of system calls"
[ "$(in_box stat -c '%u %a' /etc/edrpipe/edr.token)" = "0 600" ] || failed "others could read the token's file"
[ "$(in_box cat /run/credentials/edrpipe.service/edr.token)" = token ] || failed "the token is no credential"
echo "  the token is root's alone, and the service has it as a credential"
echo "  a user of its own, no capabilities, system calls filtered"
in_box systemctl kill -s KILL edrpipe
another() { [ "$(main_pid)" != "$first" ] && ready; }
until_true 60 "killed, and ready again" another
in_box systemctl reload edrpipe
in_box systemctl is-active -q edrpipe || failed "it ended at a reload"
in_box systemctl stop edrpipe
[ "$(in_box systemctl show -p Result --value edrpipe) $(in_box systemctl show -p ExecMainStatus --value edrpipe)" = "success 0" ] || failed "it did not stop cleanly"
echo "  reloaded, stopped cleanly"
echo "systemd: good, in $SECONDS s"
