package e2e

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Every secret that a configuration can hold is a canary here, by every way in
// which it can come.
const canaries = `
admin: {address: %ADMIN%, token_file: %DIR%/admin, pprof: true}
webhook: {secret: "${CANARY_WEBHOOK}"}
identity: {jwt: {secret_file: %DIR%/jwt}}
store: {redis: {password: canary-inline-a8c1, key_secret: canary-inline-key-4411, sentinel: {password: canary-inline-sentinel-90fe}}}
tracing: {otlp_endpoint: "http://127.0.0.1:1", headers_file: %DIR%/tracing, sample_ratio: 1}
log: {level: debug}
`

// secrets writes the files and returns the configuration and what must not show.
func secrets(t *testing.T, g *gateway) (text string, hidden []string) {
	t.Helper()
	t.Setenv("CANARY_WEBHOOK", "canary-environment-77d2")
	dir := t.TempDir()
	hidden = []string{"canary-inline-a8c1", "canary-inline-key-4411", "canary-inline-sentinel-90fe", "canary-environment-77d2"}
	for name, before := range map[string]string{"admin": "", "jwt": "", "tracing": "authorization="} {
		secret := "canary-" + name + "-file-5be0"
		hidden = append(hidden, secret)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(before+secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text = strings.NewReplacer("%DIR%", dir, "%ADMIN%", g.admin).Replace(canaries)
	return "listen: {address: " + g.address + "}\nupstream: {url: " + g.upstream + "}\n" + text, hidden
}

func TestNoSecretOfTheConfigurationIsEverShown(t *testing.T) {
	g := &gateway{address: freeAddress(t), admin: freeAddress(t), upstream: startStub(t, nil).URL}
	text, hidden := secrets(t, g)
	g.config = configFile(t, text)
	var seen strings.Builder
	show := func(r result) { seen.WriteString(r.stdout + r.stderr) }
	show(run(t, "check", "--config", g.config))
	show(run(t, "config", "--config", g.config))
	// A secret in the wrong place is not repeated by the mistakes either.
	wrong := strings.NewReplacer("webhook: {", "webhook: {path: \"${CANARY_WEBHOOK}\", ", "log: {level: debug", "log: {level: \"${CANARY_WEBHOOK}\"").Replace(text)
	show(run(t, "check", "--config", configFile(t, wrong)))

	g.process = launch(t, "run", "--config", g.config)
	g.awaitReady(t)
	for _, key := range []string{"", "canary-admin-file-5be0", mint(botUser, botScope)} {
		for _, path := range []string{"/v2/users", "/_gateway/webhook", "/v2/messages"} {
			g.do(t, call{method: http.MethodPost, path: path, token: key, body: `{"text":"x"}`})
		}
	}
	for _, path := range []string{"/", "/admin/v1/overview", "/admin/v1/config", "/metrics", "/readyz", "/debug/pprof/goroutine?debug=2", "/debug/pprof/cmdline"} {
		for _, key := range []string{"canary-admin-file-5be0", "wrong"} {
			seen.WriteString(g.askAdmin(t, path, key))
		}
	}
	if err := os.WriteFile(g.config, []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	g.signal(t, syscall.SIGHUP)
	g.reloaded(t, 0)
	eventually(t, "the console tells the mistakes", func() error { // it looks once a second
		state := g.askAdmin(t, "/admin/v1/state", "canary-admin-file-5be0")
		if !strings.Contains(state, `"mistakes":["`) {
			return errors.New(state)
		}
		seen.WriteString(state)
		return nil
	})
	g.signal(t, syscall.SIGQUIT) // what a crash prints: the stacks of all goroutines
	if code := g.wait(t); code != 2 || !strings.Contains(g.stderr.String(), "goroutine 1 ") {
		t.Errorf("exit code %d; want the stacks that SIGQUIT prints", code)
	}
	seen.WriteString(g.logs())
	for _, secret := range hidden {
		for _, form := range []string{secret, hex.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(secret))} {
			if i := strings.Index(seen.String(), form); i >= 0 {
				t.Errorf("a secret shows: …%s…", seen.String()[max(0, i-150):i+len(form)])
			}
		}
	}
	for _, part := range []string{"[redacted]", "gateway_requests_total", "log.level"} {
		if !strings.Contains(seen.String(), part) {
			t.Errorf("nothing was seen of %q: this test looks at the wrong place", part)
		}
	}
}

// askAdmin asks the admin listener with a token and returns what it says.
func (g *gateway) askAdmin(t *testing.T, path, token string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+g.admin+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	a, err := exchange(http.DefaultClient, req)
	if err != nil {
		t.Fatal(err)
	}
	return string(a.body)
}
