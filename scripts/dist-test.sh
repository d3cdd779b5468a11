#!/usr/bin/env bash
# Makes a release twice, demands the same bytes, and uses what came out as a
# machine that installs it would: archive, Debian package, manual, completions.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

die() {
	printf '%s\n' "$*" >&2
	exit 1
}

arch=$(go env GOARCH)
export PLATFORMS=linux/$arch VERSION=v1.2.3 COMMIT=0123456789ab
scripts/dist.sh "$work/one"
# Other times, another umask and another folder must not show.
(umask 077 && find deploy docs LICENSE CHANGELOG.md README.md -type f -exec touch {} + && scripts/dist.sh "$work/two" >/dev/null)
diff "$work/one/SHA256SUMS" "$work/two/SHA256SUMS" || die 'a second build gave other bytes'
(cd "$work/one" && sha256sum --check --quiet SHA256SUMS)

tar -xzf "$work/one/gateway_1.2.3_linux_$arch.tar.gz" -C "$work"
archive=$work/gateway_1.2.3_linux_$arch
"$archive/gateway" version | grep -q '^gateway v1.2.3, commit 0123456789ab, go' || die 'the archive holds another version'
cmp "$archive/config.schema.json" config.schema.json

deb=$work/one/chatshipper-gateway_1.2.3_$arch.deb
root=$work/root
mkdir -p "$root/var/lib/dpkg"/{info,updates,triggers}
touch "$root/var/lib/dpkg/status"
dpkg --root="$root" --force-script-chrootless --install "$deb" >"$work/dpkg.log" 2>&1 || die "cannot install the package: $(cat "$work/dpkg.log")"
"$root/usr/bin/gateway" check --config "$root/etc/gateway/gateway.yaml" 2>/dev/null | grep -q ': fine$' || die 'the packaged configuration is not fine'
grep -q '^ /etc/gateway/gateway.yaml ' <(dpkg-query --root="$root" -W -f '${Conffiles}\n' chatshipper-gateway) || die 'an upgrade would overwrite the configuration'
grep -q 'ExecStart=/usr/bin/gateway run --config /etc/gateway/gateway.yaml' "$root/lib/systemd/system/gateway.service"
if find "$root"/{usr,etc,lib} ! -user root -o ! -group root | grep -q .; then die 'a file of the package is not of root'; fi
gzip -dc "$root/usr/share/man/man1/gateway.1.gz" | mandoc -Tlint -Wwarning || die 'the manual page is wrong'
bash -n "$root/usr/share/bash-completion/completions/gateway"
for file in zsh/vendor-completions/_gateway fish/vendor_completions.d/gateway.fish doc/chatshipper-gateway/config.example.yaml \
	doc/chatshipper-gateway/copyright doc/chatshipper-gateway/changelog.gz; do
	[ -s "$root/usr/share/$file" ] || die "the package lacks $file"
done
dpkg --root="$root" --force-script-chrootless --remove chatshipper-gateway >/dev/null
[ ! -e "$root/usr/bin/gateway" ] || die 'removal left the program'
[ -e "$root/etc/gateway/gateway.yaml" ] || die 'removal took the configuration'
printf '   the same bytes twice; archive and package work\n'
