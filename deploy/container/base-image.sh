#!/usr/bin/env bash
# Makes the base image of the container where no registry can be reached: Debian with its own
# Python under the name of the official one, out of a Debian mirror. What is built on it is the
# recipe unchanged. Does nothing where the image is there already. Needs root and debootstrap.
set -euo pipefail
image=${1:-docker.io/library/python:3.11-slim}

if buildah inspect --type image "$image" >/dev/null 2>&1; then
    exit 0
fi
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
echo "making a stand-in for $image out of Debian" >&2
debootstrap --variant=minbase --include=python3,python3-venv,python3-pip,ca-certificates \
    bookworm "$root" >"$root.log" 2>&1 || { tail -n 5 "$root.log" >&2; exit 1; }
rm -f "$root.log"
# The official image has `python`, and a pip that may install.
ln -sf python3 "$root/usr/bin/python"
rm -f "$root"/usr/lib/python3.*/EXTERNALLY-MANAGED
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/*
# A mirror of packages may be signed by an authority that only this machine knows.
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
container=$(buildah from scratch)
buildah add --quiet "$container" "$root" / >/dev/null
bundle=/etc/ssl/certs/ca-certificates.crt
buildah config --env PIP_CERT=$bundle --env SSL_CERT_FILE=$bundle --env UV_SYSTEM_CERTS=true "$container"
buildah commit --quiet "$container" "$image" >/dev/null
buildah rm "$container" >/dev/null
