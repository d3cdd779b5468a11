package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// reloading returns dependencies whose reload gives the answer, and the audit log.
func reloading(restart []string, err error) (Deps, *bytes.Buffer) {
	var log bytes.Buffer
	d := deps()
	d.Audit = slog.New(slog.NewJSONHandler(&log, nil))
	d.Reload = func(context.Context) ([]string, error) { return restart, err }
	return d, &log
}

func TestAReloadSaysWhatNeedsARestart(t *testing.T) {
	d, log := reloading([]string{"listen.address"}, nil)
	r := get(server(t, DefaultConfig(), d), "POST", "/-/reload", "localhost:9900")
	want := `{"message":"The configuration was reloaded.","status":200,"needs_restart":["listen.address"]}` + "\n"
	if got := text(t, r); r.StatusCode != http.StatusOK || got != want {
		t.Errorf("got %d %s", r.StatusCode, got)
	}
	var line struct {
		Msg, Action, Result, Peer string
		Token                     *bool
		NeedsRestart              []string `json:"needs_restart"`
	}
	if err := json.Unmarshal(log.Bytes(), &line); err != nil || line.Token == nil {
		t.Fatalf("%v: %s", err, log)
	}
	if line.Msg != "audit" || line.Action != "reload" || line.Result != "done" || line.Peer != "other" || *line.Token || !slices.Equal(line.NeedsRestart, []string{"listen.address"}) {
		t.Errorf("got %s", log)
	}
	if strings.Contains(log.String(), "192.0.2.1") { // of httptest
		t.Errorf("the audit line shows an address: %s", log)
	}
}

// Every door that changes something leaves a line, whatever became of it, and
// whatever else the log leaves out.
func TestEveryChangeLeavesALine(t *testing.T) {
	for path, ask := range map[string]struct{ body, action, more string }{
		"/-/reload":                 {"", "reload", `"needs_restart":`},
		"/admin/v1/loopguard/reset": {`{"conversation":"c1"}`, "loopguard_reset", `"conversation":"d1ge57"`},
	} {
		f := func(err error, result, more string) {
			t.Helper()
			d, log := reloading(nil, err)
			d.Log = slog.New(slog.DiscardHandler) // as with log.level: error
			d.API.Reset = func(string) (string, error) { return "d1ge57", err }
			s := server(t, DefaultConfig(), d)
			if len(changing(s)) != 2 {
				t.Fatalf("this test knows of two doors that change something, there are %q", changing(s))
			}
			post(s, path, ask.body)
			if line := log.String(); strings.Count(line, "\n") != 1 || !strings.Contains(line, `"msg":"audit","action":"`+ask.action+`","result":"`+result+`"`) || !strings.Contains(line, more) {
				t.Errorf("%s left %q", path, line)
			}
		}
		f(nil, "done", ask.more)
		f(errors.New("no"), "refused", "")
	}
}

// changing are the doors that change something.
func changing(s *Server) (paths []string) {
	for path, d := range s.doors {
		if d.changes {
			paths = append(paths, path)
		}
	}
	return paths
}

func TestARefusedReloadSaysEveryMistake(t *testing.T) {
	d, log := reloading(nil, errors.New("gateway.yaml:1:1: one\ngateway.yaml:2:1: two"))
	r := get(server(t, DefaultConfig(), d), "POST", "/-/reload", "localhost")
	want := `{"message":"The configuration was not reloaded; the last good one stays in force.","status":422,"reasons":["gateway.yaml:1:1: one","gateway.yaml:2:1: two"]}` + "\n"
	if got := text(t, r); r.StatusCode != http.StatusUnprocessableEntity || got != want {
		t.Errorf("got %d %s", r.StatusCode, got)
	}
	if !strings.Contains(log.String(), `"result":"refused"`) {
		t.Errorf("got %s", log)
	}
}

func TestWhoMayReload(t *testing.T) {
	d, log := reloading(nil, nil)
	s := server(t, Config{Address: "127.0.0.1:9900", TokenFile: tokenFile(t, token)}, d)
	f := func(want int, method, host string, headers ...string) {
		t.Helper()
		log.Reset()
		r := get(s, method, "/-/reload", host, headers...)
		if r.StatusCode != want || (log.Len() > 0) != (want == 200) {
			t.Errorf("%s %q %q: %d, want %d; audit: %s", method, host, headers, r.StatusCode, want, log)
		}
		if want != 200 {
			wantRefusal(t, r, want)
		}
	}
	const bearer = "Authorization: Bearer " + token
	f(200, "POST", "localhost", bearer)
	f(200, "POST", "localhost:9900", bearer, "Origin: http://localhost:9900", "Sec-Fetch-Site: same-origin")
	f(401, "POST", "localhost")
	f(401, "GET", "localhost")
	f(405, "GET", "localhost", bearer) // a link must change nothing
	f(405, "HEAD", "localhost", bearer)
	f(405, "PUT", "localhost", bearer)
	f(421, "POST", "evil.test", bearer)
	f(403, "POST", "localhost:9900", bearer, "Origin: https://evil.test")
	f(403, "POST", "localhost:9900", bearer, "Sec-Fetch-Site: cross-site")
}

func TestWithoutAFileThereIsNothingToReload(t *testing.T) {
	wantRefusal(t, get(server(t, DefaultConfig(), deps()), "POST", "/-/reload", "localhost"), 404)
}

func TestAnotherTokenTakesEffectOnlyWhenCommitted(t *testing.T) {
	old, next := Config{Address: "0.0.0.0:9900", TokenFile: tokenFile(t, token)}, Config{Address: "127.0.0.1:1", TokenFile: tokenFile(t, "next")}
	s := server(t, old, deps())
	ask := func(token string) int {
		return get(s, "GET", "/admin/v1/seen", "gateway.internal", "Authorization: Bearer "+token).StatusCode
	}
	commit, err := s.Prepare(next)
	if err != nil || ask(token) != 200 || ask("next") != 401 {
		t.Fatalf("something changed before commit: %v", err)
	}
	commit()
	if ask(token) != 401 || ask("next") != 200 {
		t.Error("the token did not change, or the listener takes itself for another address")
	}
	next.TokenFile += ".missing"
	if _, err := s.Prepare(next); err == nil || ask("next") != 200 {
		t.Errorf("got %v", err)
	}
}
