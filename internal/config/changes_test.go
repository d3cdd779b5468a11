package config

import (
	"strings"
	"testing"
)

func TestChangesNamesWhatDiffers(t *testing.T) {
	f := func(before, after, want string) {
		t.Helper()
		a, b := parse(t, smallest+before, environment()), parse(t, smallest+after, environment())
		if got := strings.Join(a.Changes(b), " "); got != want {
			t.Errorf("unexpected changes from %q to %q: %q, want %q", before, after, got, want)
		}
	}
	f("", "", "")
	f("", "log: {level: info}", "") // the default, written out
	f("", "log: {level: warn}\nlisten: {address: ':80', tls: {}}", "listen.address log.level")
	f("webhook: {secret: one}", "webhook: {secret: two}", "webhook.secret")
	f("limits: {exempt: [{path: /a}]}", "limits: {exempt: [{path: /b}]}", "limits.exempt")
	f("methods: {allow: [GET]}", "methods: {allow: [GET, POST]}", "methods.allow")
}
