#!/usr/bin/env bash
# Writes what a release consists of to a folder (dist/): an archive for each
# platform, a Debian package for each Linux one, and their checksums. The same
# commit and Go version give the same bytes.
#
#   scripts/dist.sh [FOLDER]      PLATFORMS='linux/amd64' for fewer
set -euo pipefail
cd "$(dirname "$0")/.."
umask 022
out=$(realpath -m "${1:-dist}")
platforms=${PLATFORMS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64}
version=${VERSION:-$(git describe --tags --always --dirty)}
commit=${COMMIT:-$(git rev-parse --short=12 HEAD)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH CGO_ENABLED=0 GOFLAGS=-buildvcs=false LC_ALL=C TZ=UTC

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$out"
mkdir -p "$out"

# compile OS ARCH FILE
compile() {
	GOOS=$1 GOARCH=$2 go build -trimpath -ldflags "-s -w -X main.version=$version -X main.commit=$commit" -o "$3" ./cmd/gateway
}

# What the program says of itself is the same on every platform.
describe() {
	local host=$work/host shell
	go build -trimpath -ldflags "-s -w -X main.version=$version -X main.commit=$commit" -o "$host" ./cmd/gateway
	mkdir -p "$work/said"
	"$host" man | sed "s/\\\$Mdocdate\\\$/$(date -d "@$SOURCE_DATE_EPOCH" '+%B %-d, %Y')/" >"$work/said/gateway.1"
	for shell in bash zsh fish; do "$host" completion --shell $shell >"$work/said/gateway.$shell"; done
	"$host" config --schema >"$work/said/config.schema.json"
}

# pack FOLDER ARCHIVE: every entry belongs to root and is as old as the commit.
pack() {
	tar --create --sort=name --format=ustar --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
		-C "$(dirname "$1")" "$(basename "$1")" | gzip -n -9 >"$2"
}

# archive OS ARCH
archive() {
	local name=gateway_${version#v}_$1_$2
	local folder=$work/$name
	mkdir -p "$folder/completions"
	cp "$work/$1-$2" "$folder/gateway"
	cp LICENSE README.md CHANGELOG.md config.example.yaml "$work/said/config.schema.json" "$work/said/gateway.1" "$folder/"
	cp "$work"/said/gateway.{bash,zsh,fish} "$folder/completions/"
	if [ "$1" = linux ]; then cp -r deploy/systemd "$folder/systemd"; fi
	pack "$folder" "$out/$name.tar.gz"
}

# deb ARCH: Debian calls both architectures as Go does.
deb() {
	local root=$work/deb-$1 doc
	doc=$root/usr/share/doc/chatshipper-gateway
	install -D -m 755 "$work/linux-$1" "$root/usr/bin/gateway"
	install -D -m 644 -t "$root/lib/systemd/system" deploy/systemd/gateway.service deploy/systemd/gateway.socket
	install -D -m 644 -t "$doc" config.example.yaml "$work/said/config.schema.json" docs/operations.md docs/behaviour.md
	install -D -m 644 LICENSE "$doc/copyright"
	install -D -m 644 CHANGELOG.md "$doc/changelog"
	install -D -m 644 "$work/said/gateway.1" "$root/usr/share/man/man1/gateway.1"
	gzip -n -9 "$doc/changelog" "$root/usr/share/man/man1/gateway.1"
	install -D -m 644 "$work/said/gateway.bash" "$root/usr/share/bash-completion/completions/gateway"
	install -D -m 644 "$work/said/gateway.zsh" "$root/usr/share/zsh/vendor-completions/_gateway"
	install -D -m 644 "$work/said/gateway.fish" "$root/usr/share/fish/vendor_completions.d/gateway.fish"
	mkdir -p "$root/etc/gateway" "$root/DEBIAN"
	# shellcheck disable=SC2016 # $schema is a word of the language server
	sed '1s|\$schema=.*|$schema=/usr/share/doc/chatshipper-gateway/config.schema.json|' deploy/systemd/gateway.yaml >"$root/etc/gateway/gateway.yaml"
	echo /etc/gateway/gateway.yaml >"$root/DEBIAN/conffiles"
	install -m 755 -t "$root/DEBIAN" deploy/debian/*
	cat >"$root/DEBIAN/control" <<-CONTROL
		Package: chatshipper-gateway
		Version: $(debian_version)
		Architecture: $1
		Maintainer: ChatShipper gateway <https://github.com/chatshipper/gateway/issues>
		Installed-Size: $(du -sk --apparent-size --exclude=DEBIAN "$root" | cut -f1)
		Recommends: ca-certificates
		Section: net
		Priority: optional
		Homepage: https://github.com/chatshipper/gateway
		Description: edge gateway for the ChatShipper API
		 Enforces the documented rules of the ChatShipper HTTP API in front of it:
		 requests per address and per key, identical and consecutive messages of a
		 bot, the methods, and one JSON shape for every error.
	CONTROL
	dpkg-deb --root-owner-group -Zgzip --build "$root" "$out/chatshipper-gateway_$(debian_version)_$1.deb" >/dev/null
}

# A version of Debian begins with a digit.
debian_version() {
	case ${version#v} in
	[0-9]*.*) printf '%s' "${version#v}" | tr '-' '+' ;;
	*) printf '0~%s' "$version" | tr '-' '+' ;;
	esac
}

describe
for platform in $platforms; do
	compile "${platform%/*}" "${platform#*/}" "$work/${platform%/*}-${platform#*/}"
	archive "${platform%/*}" "${platform#*/}"
	if [ "${platform%/*}" = linux ]; then deb "${platform#*/}"; fi
done
(cd "$out" && sha256sum -- *.tar.gz *.deb >SHA256SUMS)
find "$out" -type f -printf '   %10s  %f\n' | sort -k2
