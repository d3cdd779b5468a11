#!/usr/bin/env bash
# Formatting, vet and linters. Says what is wrong; changes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

mapfile -t files < <(find . -name '*.go' -not -path '*/node_modules/*' -not -path './.git/*')
unformatted=$(gofmt -l "${files[@]}")
if [ -n "$unformatted" ]; then
	printf 'not formatted; run gofmt -w on:\n%s\n' "$unformatted" >&2
	exit 1
fi

go vet ./...
go -C tools vet ./...
go -C deploy/verify vet ./...
bin/golangci-lint run ./...
(cd bench && ../bin/golangci-lint run --config ../.golangci.yml ./...)
shellcheck .ci/run scripts/*.sh
