#!/usr/bin/env bash
# Debian packages that some tests use: RabbitMQ for its source, Chromium for the
# dashboard, busybox for stand-in images, Prometheus (19 MB) for the alerts, systemd
# for the unit. Without them (or without the right to install) those tests say that
# they are skipped.
set -uo pipefail
want=(rabbitmq-server chromium busybox-static prometheus systemd)
missing=()
for p in "${want[@]}"; do
	dpkg -s "$p" >/dev/null 2>&1 || missing+=("$p")
done
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "not installed: ${missing[*]} (their tests will be skipped)"
	exit 0
fi
export DEBIAN_FRONTEND=noninteractive
# A package that starts its service would take the ports that tests use.
if [ ! -e /usr/sbin/policy-rc.d ]; then
	printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
	chmod +x /usr/sbin/policy-rc.d
	trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" >/tmp/apt.log 2>&1 || {
	tail -5 /tmp/apt.log
	echo "could not install: ${missing[*]} (their tests will be skipped)"
}
exit 0
