#!/usr/bin/env bash
# Makes an image of installed Debian packages and all that they depend on, from
# the files on this machine: for sites and CI without a registry. Settings of the
# image (ENTRYPOINT, ENV, …) are lines of standard input.
# usage: image-of-packages.sh TAG PACKAGE... < settings
set -euo pipefail
tag=$1
shift

# Packages with everything they need, as far as it is installed.
closure() {
	apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances "$@" |
		grep -o '^[a-z0-9][a-z0-9.+-]*' | sort -u
}

work=$(mktemp -d)
trap 'rm -rf "$work" "$work.list"' EXIT
mkdir -p "$work"/{etc,proc,sys,dev,run,tmp,root,usr/{bin,sbin,lib,lib64},var/{lib,log,tmp}}
chmod 1777 "$work"/tmp "$work"/var/tmp
for dir in bin sbin lib lib64; do ln -s "usr/$dir" "$work/$dir"; done

# Debian's packages name files by the old places, which are links now.
{
	{ dpkg-query -L $(closure "$@" libc6 base-files) 2>/dev/null || true; } | sed -E 's,^/(bin|sbin|lib|lib64)/,/usr/\1/,'
	find /etc/alternatives /etc/ld.so.cache /etc/passwd /etc/group /etc/nsswitch.conf
	find /usr/bin /usr/sbin -maxdepth 1 -lname '/etc/alternatives/*'
} | grep -Ev '^/(usr/share/(doc|man|locale|info|lintian)|\.|proc|sys|dev|run|tmp|var/lib/(dpkg|apt))(/|$)' | sort -u |
	while IFS= read -r f; do if [ -L "$f" ] || [ -f "$f" ]; then printf '%s\n' "${f#/}"; fi; done >"$work.list"
tar -C / --no-recursion -cf - -T "$work.list" | tar -C "$work" -xf -

changes=()
while IFS= read -r line; do [ -z "$line" ] || changes+=(--change "$line"); done
tar -C "$work" -cf - . | docker import "${changes[@]}" - "$tag" >/dev/null
docker image inspect -f '{{index .RepoTags 0}} {{.Size}} bytes' "$tag"
