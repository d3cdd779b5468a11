#!/usr/bin/env bash
# Builds the container image with whichever builder is there. Arguments go to it.
set -euo pipefail
cd "$(dirname "$0")/.."
image=${IMAGE:-gateway}

if docker info >/dev/null 2>&1; then # the client alone builds nothing
	exec docker build "$@" -t "$image" .
elif command -v podman >/dev/null; then
	exec podman build --format docker "$@" -t "$image" .
elif command -v buildah >/dev/null; then
	exec buildah bud --format docker "$@" -t "$image" .
fi
echo 'cannot build the image: docker, podman or buildah is needed' >&2
exit 1
