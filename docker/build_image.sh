#!/usr/bin/env bash
# The image of DockerExecutor's containers, for machines without a registry: a minimal Debian with Python and the
# tools of the other languages.
#     docker/build_image.sh [IMAGE]
# Needs root, debootstrap and a running engine. The file system is kept in CODE_ENVS_CACHE (by default
# ~/.cache/code-envs), so that only the first run on a machine takes minutes. DEBIAN_MIRROR names another mirror.
set -euo pipefail
image="${1:-code-envs-runner}"
suite=bookworm
# python3-minimal would not do: it lacks json, ctypes, resource, decimal and dataclasses
packages=python3,gcc,g++,libc6-dev,nodejs,openjdk-17-jdk-headless
cache="${CODE_ENVS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/code-envs}"
version="$(sha256sum "${BASH_SOURCE[0]}" | cut -c1-16)"
archive="$cache/runner-$suite-$(uname -m)-$version.tar"

if [ "$(docker image inspect --format '{{index .Config.Labels "code-envs.version"}}' "$image" 2>/dev/null)" = "$version" ]; then
    echo "$image is up to date"
    exit 0
fi
if [ ! -f "$archive" ]; then
    mkdir -p "$cache"
    root="$(mktemp -d)"
    trap 'rm -rf "$root" "$archive.part"' EXIT
    debootstrap --variant=minbase --include="$packages" "$suite" "$root" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >&2
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}
    tar -C "$root" --numeric-owner -cf "$archive.part" .
    mv "$archive.part" "$archive"
fi
docker import --change "LABEL code-envs.version=$version" "$archive" "$image"
